/* SPDX-License-Identifier: Apache-2.0
 *
 * migrations.c: the step from each version of status.db to the next. The step to version 5 uses
 * keys_pack, keys_unpack and event_content, that to version 9 the packed form of a histogram and
 * finds.h: before you change one of them, copy it here as it is.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/migrate.h"
#include "status-store/projection/finds.h"
#include "status-store/projection/histogram.h"
#include "status-store/projection/schema.h"

/* Version 1 computed other fingerprints, so the last message's is unknown. */
static const char from_1[] = "UPDATE position SET hash = 0;";

static const char from_2[] = "ALTER TABLE starts ADD COLUMN released INTEGER;";

/* Up to version 3 the only creation time was the publisher's claim: the clock now bounds it. The
 * time of the last event (told) is taken from the job's other times. */
static const char from_3[] =
        "ALTER TABLE position RENAME COLUMN event_at TO clock;"
        "ALTER TABLE jobs ADD COLUMN born INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE jobs ADD COLUMN earliest INTEGER;"
        "ALTER TABLE jobs ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
        "UPDATE jobs SET born = created, created = coalesce(min(coalesce(nullif(created, 0), "
        "clock),"
        " clock), created) FROM (SELECT nullif(max(clock), 0) AS clock FROM position);"
        "UPDATE jobs SET earliest = nullif(created, 0),"
        " told = max(created, ifnull(started_at, 0), ifnull(finished_at, 0));";

/* Up to version 4 a job had one content, and its payload had the job's seq. It gets a place before
 * all messages that are still in the stream. */
static const char from_4[] =
        "ALTER TABLE jobs ADD COLUMN content INTEGER;"
        "ALTER TABLE jobs ADD COLUMN first INTEGER;"
        "ALTER TABLE jobs ADD COLUMN ran INTEGER;"
        "ALTER TABLE jobs ADD COLUMN others INTEGER;"
        "ALTER TABLE jobs ADD COLUMN published INTEGER;"
        "ALTER TABLE bodies RENAME TO bodies_4;"
        "CREATE TABLE bodies(place INTEGER PRIMARY KEY, payload BLOB);"
        "INSERT INTO bodies SELECT (-1 - seq) * 4096, payload FROM bodies_4"
        " WHERE payload IS NOT NULL ORDER BY seq DESC;" /* by place: pages fill up */
        "DROP TABLE bodies_4;"
        "CREATE TABLE others(seq INTEGER, content INTEGER, first INTEGER, type TEXT,"
        " priority INTEGER, lane INTEGER, max_retries INTEGER, timeout INTEGER, run_at INTEGER,"
        " traceparent TEXT, key TEXT, key_hash TEXT, keys BLOB, PRIMARY KEY(seq, content))"
        " WITHOUT ROWID;";

static const char next_row_4[] =
        "SELECT j.seq, j.keys, (SELECT name FROM names WHERE ref = j.type), j.priority, j.timeout,"
        " b.payload FROM jobs AS j LEFT JOIN bodies AS b ON b.place = (-1 - j.seq) * 4096"
        " WHERE j.seq > ?1 ORDER BY j.seq LIMIT 1";

static const char put_row_5[] =
        "UPDATE jobs SET keys = ?2, content = ?3, first = ?4, published = ?5 WHERE seq = ?1";

/* The registers of a row as versions 1 to 4 packed them; up to version 3 without birth. */
struct keys_4 {
        struct fold_key winner, message, wait, start, finish, failure, step, birth;
};

static int read_keys_4(struct bytes packed, struct keys_4 *k, struct err *e)
{
        enum { RUNNING = 5, PROGRESS_UP_TO_2 = 6 }; /* phases */
        struct fold_key *const all[] = {&k->winner, &k->message, &k->wait, &k->start,
                                        &k->finish, &k->failure, &k->step, &k->birth};
        AUTO_BUFFER whole = {0};
        buffer_add(&whole, packed.data, packed.length);
        buffer_add_char(&whole, 0); /* an empty register */
        if (keys_unpack(buffer_bytes(&whole), all, sizeof(all) / sizeof(all[0]), e) != 0)
                return -1;
        struct fold_key *const progress[] = {&k->winner, &k->step};
        for (size_t i = 0; i < 2; i++)
                if (progress[i]->phase == PROGRESS_UP_TO_2)
                        progress[i]->phase = RUNNING;
        return 0;
}

/* As version 5 packs them, in the order of job_row_keys. `stage`, the key of the content, is made
 * so that no later message of its stage comes before it. */
static size_t pack_keys_5(const struct keys_4 *k, unsigned char out[KEYS_SIZE])
{
        const struct fold_key none = {0};
        struct fold_key stage = k->message;
        stage.at = 0;
        stage.digest = UINT64_MAX;
        const struct fold_key *const all[] = {
                &k->winner,
                &k->message,
                &none,
                &k->start,
                &k->finish,
                &k->failure,
                &k->step,
                &k->birth,
                k->message.run == 0 ? &none : &stage,
                k->message.run == 0 ? &none : &k->wait,
        };
        return keys_pack(all, sizeof(all) / sizeof(all[0]), out);
}

static uint64_t content_of(sqlite3_stmt *row)
{
        struct job job = {.priority = (enum priority)sqlite3_column_int(row, 3),
                          .timeout = sqlite3_column_int64(row, 4),
                          .payload = db_bytes(row, 5)};
        db_text(row, 2, job.type, sizeof(job.type));
        return event_content(&job);
}

static int rewrite_row(sqlite3_stmt *row, sqlite3_stmt *put, struct err *e)
{
        unsigned char packed[KEYS_SIZE];
        struct keys_4 k = {0};
        int64_t seq = sqlite3_column_int64(row, 0);
        if (read_keys_4(db_bytes(row, 1), &k, e) != 0)
                return -1;
        bool has_content = k.message.run != 0;
        if (has_content && k.birth.run == 0)
                k.birth = (struct fold_key){.run = 1, .at = seq / SEQ_PER_OFFSET};
        db_bind_int(put, 1, seq);
        db_bind_blob(put, 2, packed, pack_keys_5(&k, packed));
        db_bind_int_or_null(put, 3, has_content ? (int64_t)content_of(row) : 0);
        db_bind_int_or_null(put, 4, has_content ? -1 - seq : 0);
        db_bind_int_or_null(put, 5, has_content);
        return db_run(put, e);
}

static int rewrite_rows(sqlite3 *db, struct err *e)
{
        AUTO_STATEMENT *next = db_prepare(db, next_row_4, e);
        AUTO_STATEMENT *put = next == NULL ? NULL : db_prepare(db, put_row_5, e);
        int64_t seq = -1;
        int found = put == NULL ? -1 : 1;
        while (found == 1) {
                sqlite3_reset(next);
                db_bind_int(next, 1, seq);
                found = db_step(next, e);
                if (found == 1 && rewrite_row(next, put, e) != 0)
                        return -1;
                seq = sqlite3_column_int64(next, 0);
        }
        return found;
}

/* Up to version 5 a rewound stream emptied the tables. */
static const char from_5[] = "ALTER TABLE position ADD COLUMN base INTEGER;"
                             "ALTER TABLE position ADD COLUMN counted INTEGER;";

/* Up to version 6 the messages of one offset shared a place, and a start said nothing of its job.
 */
static const char from_6[] = "UPDATE jobs SET first = first * 4096;"
                             "UPDATE others SET first = first * 4096;"
                             "ALTER TABLE jobs ADD COLUMN hint_type TEXT;"
                             "ALTER TABLE jobs ADD COLUMN hint_priority INTEGER;"
                             "ALTER TABLE jobs ADD COLUMN hint_max_retries INTEGER;"
                             "ALTER TABLE jobs ADD COLUMN hint_submitted_at INTEGER;"
                             "ALTER TABLE jobs ADD COLUMN hint_run_at INTEGER;"
                             "ALTER TABLE jobs ADD COLUMN hint_traceparent TEXT;";

/* Up to version 7 no job expired. */
static const char from_7[] = "ALTER TABLE jobs ADD COLUMN expires INTEGER;"
                             "ALTER TABLE others ADD COLUMN expires INTEGER;"
                             "ALTER TABLE jobs ADD COLUMN hint_expires INTEGER;"
                             "CREATE INDEX jobs_expires ON jobs(expires)"
                             " WHERE expires IS NOT NULL AND state IN (0, 1, 3);";

/* Up to version 8 lists filtered the rows of a state, and nothing was counted of all tenants. A
 * hint's priority is NULL for low (0), and -1 when it is unknown. */
static const char from_8[] =
        "ALTER TABLE jobs ADD COLUMN shelf INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE jobs ADD COLUMN history BLOB;"
        "ALTER TABLE jobs ADD COLUMN cancel_at INTEGER;"
        "ALTER TABLE jobs ADD COLUMN act_by TEXT;"
        "UPDATE jobs SET shelf = state * 8 + CASE"
        " WHEN content IS NOT NULL THEN ifnull(priority, 0)"
        " WHEN hint_type IS NOT NULL AND ifnull(hint_priority, 0) BETWEEN 0 AND 3"
        " THEN ifnull(hint_priority, 0) ELSE 4 END;"
        "CREATE INDEX jobs_type ON jobs(type, shelf, created);"
        "CREATE INDEX jobs_of ON jobs(tenant, type, shelf, created);"
        "CREATE INDEX jobs_waiting ON jobs(tenant, lane, created) WHERE state = 1;"
        "CREATE INDEX jobs_running ON jobs(type, tenant, lane) WHERE state = 2;"
        "CREATE INDEX jobs_cancelling ON jobs(cancel_at)"
        " WHERE cancel_at IS NOT NULL AND state IN (0, 1, 3);"
        "CREATE TABLE finds(seq INTEGER PRIMARY KEY, trace INTEGER, key INTEGER);"
        "DROP TABLE counts;"
        "CREATE TABLE counts(tenant INTEGER, type INTEGER, shelf INTEGER, n INTEGER NOT NULL,"
        " PRIMARY KEY(tenant, type, shelf)) WITHOUT ROWID;"
        "INSERT INTO counts SELECT tenant, ifnull(type, 0), shelf, count(*) FROM jobs"
        " GROUP BY 1, 2, 3;"
        "INSERT INTO counts SELECT 0, type, shelf, sum(n) FROM counts GROUP BY type, shelf;"
        "CREATE TABLE type_minutes(minute INTEGER, tenant INTEGER, type INTEGER,"
        " completed INTEGER, failed INTEGER, dead INTEGER, duration BLOB,"
        " PRIMARY KEY(minute, tenant, type)) WITHOUT ROWID;"
        "INSERT INTO counters SELECT 0, sum(submitted), sum(completed), sum(failed),"
        " sum(retried), sum(dead) FROM counters GROUP BY tenant IS NULL;"
        "INSERT INTO minutes SELECT minute, 0, sum(submitted), sum(completed), sum(failed),"
        " sum(retried), sum(dead), NULL, NULL, NULL FROM minutes GROUP BY minute;";

enum { TIMES_9 = 3 }; /* histograms of a minute */

static const char times_9[] = "SELECT minute, latency, wait, duration FROM minutes"
                              " WHERE tenant > 0 ORDER BY minute";

static const char put_times_9[] = "UPDATE minutes SET latency = ?2, wait = ?3, duration = ?4"
                                  " WHERE minute = ?1 AND tenant = 0";

static int put_times(sqlite3_stmt *put, int64_t minute, const struct histogram times[TIMES_9],
                     struct err *e)
{
        AUTO_BUFFER latency = {0};
        AUTO_BUFFER wait = {0};
        AUTO_BUFFER duration = {0};
        struct buffer *const packed[TIMES_9] = {&latency, &wait, &duration};
        db_bind_int(put, 1, minute);
        for (int i = 0; i < TIMES_9; i++) {
                histogram_pack(&times[i], packed[i]);
                db_bind_blob(put, 2 + i, packed[i]->data, packed[i]->length);
        }
        return db_run(put, e);
}

/* Sums each minute's histograms of all tenants. */
static int sum_times(sqlite3 *db, struct err *e)
{
        AUTO_STATEMENT *each = db_prepare(db, times_9, e);
        AUTO_STATEMENT *put = each == NULL ? NULL : db_prepare(db, put_times_9, e);
        AUTO_FREE struct histogram *times = xcalloc(TIMES_9, sizeof(*times));
        int64_t minute = -1;
        int found = put == NULL ? -1 : 1;
        while (found == 1 && (found = db_step(each, e)) >= 0) {
                int64_t next = found == 1 ? sqlite3_column_int64(each, 0) : -1;
                if (next != minute && minute >= 0 && put_times(put, minute, times, e) != 0)
                        return -1;
                if (next != minute)
                        memset(times, 0, TIMES_9 * sizeof(*times));
                minute = next;
                for (int i = 0; found == 1 && i < TIMES_9; i++)
                        histogram_unpack(db_bytes(each, 1 + i), &times[i]);
        }
        return found;
}

static const char named_9[] = "SELECT seq, CASE WHEN content IS NULL THEN hint_traceparent"
                              " ELSE traceparent END, key FROM jobs";

static const char put_find_9[] = "INSERT INTO finds(seq, trace, key) VALUES(?1, ?2, ?3)";

static int fill_finds(sqlite3 *db, struct err *e)
{
        AUTO_STATEMENT *each = db_prepare(db, named_9, e);
        AUTO_STATEMENT *put = each == NULL ? NULL : db_prepare(db, put_find_9, e);
        int found = put == NULL ? -1 : 1;
        while (found == 1 && (found = db_step(each, e)) == 1) {
                char traceparent[JOB_TRACEPARENT_SIZE];
                char key[JOB_KEY_SIZE];
                db_text(each, 1, traceparent, sizeof(traceparent));
                db_text(each, 2, key, sizeof(key));
                int64_t trace_digest = (int64_t)find_of_trace(traceparent);
                int64_t key_digest = (int64_t)find_of_key(key);
                if (trace_digest == 0 && key_digest == 0)
                        continue;
                db_bind_int(put, 1, sqlite3_column_int64(each, 0));
                db_bind_int_or_null(put, 2, trace_digest);
                db_bind_int_or_null(put, 3, key_digest);
                if (db_run(put, e) != 0)
                        return -1;
        }
        return found;
}

static int put_on_shelves(sqlite3 *db, struct err *e)
{
        LOG_INFO("rewriting the status database for version 9: 10 to 20 s for a million jobs");
        if (db_exec(db, from_8, e) != 0 || sum_times(db, e) != 0)
                return -1;
        return fill_finds(db, e);
}

static const struct db_step steps[] = {
        [0] = {0}, /* tables without a version are incomplete */
        [1] = {.sql = from_1},
        [2] = {.sql = from_2},
        [3] = {.sql = from_3},
        [4] = {.sql = from_4, .run = rewrite_rows},
        [5] = {.sql = from_5},
        [6] = {.sql = from_6},
        [7] = {.sql = from_7},
        [8] = {.run = put_on_shelves},
};

static const struct db_schema schema = {
        .tables = schema_tables,
        .steps = steps,
        .version = sizeof(steps) / sizeof(steps[0]),
        .otherwise =
                "move the file away: the status is rebuilt from what the event stream still holds",
};

int status_db_migrate(sqlite3 *db, struct err *e)
{
        return db_migrate(db, &schema, e);
}
