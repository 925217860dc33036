-- SPDX-License-Identifier: Apache-2.0
-- archive.db of version 3.
BEGIN TRANSACTION;
CREATE TABLE contents( seq INTEGER PRIMARY KEY REFERENCES letters(seq), properties BLOB, body BLOB, edited BLOB);
INSERT INTO "contents" VALUES(1,X'0000','{}',NULL);
INSERT INTO "contents" VALUES(2,X'0000','{}',NULL);
CREATE TABLE letters( seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, burial TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, claimed_id TEXT, tenant TEXT NOT NULL, type TEXT, reason TEXT NOT NULL, error TEXT, error_kind TEXT, run INTEGER NOT NULL, attempt INTEGER NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'dead', grp TEXT NOT NULL, dead_at INTEGER NOT NULL, size INTEGER NOT NULL, exchange TEXT NOT NULL, routing_key TEXT NOT NULL, announced INTEGER NOT NULL, replaying INTEGER NOT NULL DEFAULT 0, replay_run INTEGER, replay_type TEXT, replay_priority INTEGER, replayed_at INTEGER, replay_run_at INTEGER, archived_at INTEGER NOT NULL DEFAULT 0);
INSERT INTO "letters" VALUES(1,'01902f5e-7b1a-7000-8000-000000000001','burial:1','01902f5e-7b1a-7000-8000-000000000001',NULL,'acme','mail','exhausted','it broke','error',1,4,'dead','dead','g1',1732250000000,2,'dead','acme.high',1,0,NULL,NULL,NULL,NULL,NULL,1732250000007);
INSERT INTO "letters" VALUES(2,'01902f5e-7b1a-7000-8000-000000000002','burial:2','01902f5e-7b1a-7000-8000-000000000002',NULL,'acme','mail','exhausted','it broke','error',1,4,'dead','replayed','g1',1732250000000,2,'dead','acme.high',1,0,2,NULL,NULL,1732250900000,NULL,1732250000007);
CREATE TABLE usage(tenant TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "usage" VALUES('acme',2056);
CREATE TABLE warnings(told_at INTEGER PRIMARY KEY, before INTEGER NOT NULL);
INSERT INTO "warnings" VALUES(1732251000000,1732250500000);
CREATE INDEX letters_tenant ON letters(tenant, id);
CREATE INDEX letters_job ON letters(job_id);
CREATE INDEX letters_group ON letters(state, grp);
CREATE INDEX letters_replaying ON letters(id) WHERE replaying = 1;
CREATE INDEX letters_silent ON letters(id) WHERE announced = 0;
CREATE INDEX letters_age ON letters(tenant, state = 'dead', coalesce(replayed_at, archived_at));
CREATE TRIGGER contents_put AFTER INSERT ON contents BEGIN INSERT INTO usage(tenant, bytes) SELECT tenant, (1024 + coalesce(length(NEW.properties), 0) + coalesce(length(NEW.body), 0) + coalesce(length(NEW.edited), 0)) FROM letters WHERE seq = NEW.seq ON CONFLICT(tenant) DO UPDATE SET bytes = bytes + excluded.bytes; END;
CREATE TRIGGER contents_edited AFTER UPDATE OF edited ON contents BEGIN UPDATE usage SET bytes = bytes - (1024 + coalesce(length(OLD.properties), 0) + coalesce(length(OLD.body), 0) + coalesce(length(OLD.edited), 0)) + (1024 + coalesce(length(NEW.properties), 0) + coalesce(length(NEW.body), 0) + coalesce(length(NEW.edited), 0)) WHERE tenant = (SELECT tenant FROM letters WHERE seq = NEW.seq); END;
CREATE TRIGGER contents_gone BEFORE DELETE ON contents BEGIN UPDATE usage SET bytes = bytes - (1024 + coalesce(length(OLD.properties), 0) + coalesce(length(OLD.body), 0) + coalesce(length(OLD.edited), 0)) WHERE tenant = (SELECT tenant FROM letters WHERE seq = OLD.seq); END;
COMMIT;
PRAGMA user_version = 3;
