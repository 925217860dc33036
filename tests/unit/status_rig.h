/* SPDX-License-Identifier: Apache-2.0
 *
 * status_rig.h: a projection in a folder of its own, and the messages of its jobs.
 */
#pragma once

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/projection/projection.h"

struct place {
        char folder[32], path[48];
};

static inline void place_open(struct place *p)
{
        snprintf(p->folder, sizeof(p->folder), "/tmp/warren-unit-XXXXXX");
        assert_non_null(mkdtemp(p->folder));
        snprintf(p->path, sizeof(p->path), "%s/status.db", p->folder);
}

static inline void place_close(const struct place *p)
{
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < COUNT(suffixes); i++) {
                AUTO_FREE char *name = xasprintf("%s%s", p->path, suffixes[i]);
                unlink(name);
        }
        assert_int_equal(rmdir(p->folder), 0);
}

static inline void place_rewind(const struct place *p)
{
        struct err e = {0};
        AUTO(store) store = store_create(p->path, &e);
        assert_non_null(store);
        assert_int_equal(store_rewind(store, &e), 0);
}

struct rig {
        struct place place;
        struct store *store;
        struct projection *projection;
        int64_t offset; /* of the next message */
};

static inline void rig_open(struct rig *r)
{
        struct err e = {0};
        *r = (struct rig){.offset = 0};
        place_open(&r->place);
        r->store = store_create(r->place.path, &e);
        r->projection = projection_create(r->store, JOB_PAYLOAD_MAX_DEFAULT, &e);
        if (r->projection == NULL)
                fail_msg("%s", e.text);
}

static inline void rig_close(struct rig *r)
{
        projection_destroy(&r->projection);
        store_destroy(&r->store);
        place_close(&r->place);
}

static inline void rig_commit(struct rig *r)
{
        struct err e = {0};
        if (projection_commit(r->projection, &e) != 0)
                fail_msg("%s", e.text);
}

static inline void rig_fold(struct rig *r, struct job_message *encoded)
{
        encoded->message.user_id = bytes_of_text("warren-gateway");
        projection_fold(r->projection, &encoded->message, r->offset++);
}

/* A job of tenant acme, submitted at `at`. */
static inline struct job rig_job(const char *id, msec at)
{
        struct job j = {.tenant = "acme",
                        .type = "noop",
                        .priority = PRIORITY_MEDIUM,
                        .lane = LANE_MEDIUM,
                        .run = 1,
                        .max_retries = 3,
                        .submitted_at = at,
                        .payload = bytes_of_text("{}")};
        memcpy(j.id, id, UUID_SIZE);
        return j;
}

static inline void rig_submit(struct rig *r, const struct job *j)
{
        struct job_message encoded;
        job_encode(j, STATION_REPLAY, j->submitted_at, &encoded);
        rig_fold(r, &encoded);
}

/* Folds an event of the job's first run and the given attempt (0: none). `released` is of what
 * started before `at`. */
static inline void rig_tell(struct rig *r, const struct job *j, enum event_kind kind,
                            int64_t attempt, msec at)
{
        struct event e = {.kind = kind,
                          .run = 1,
                          .attempt = attempt,
                          .at = at,
                          .after = at,
                          .ms = 5,
                          .worker = bytes_of_text("host/1")};
        memcpy(e.id, j->id, sizeof(e.id));
        memcpy(e.tenant, j->tenant, sizeof(e.tenant));
        AUTO_BUFFER line = {0};
        event_write(&e, &line);
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-consumer"),
                            .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
}

static inline int rig_number(struct rig *r, const char *sql)
{
        struct err e = {0};
        AUTO_STATEMENT *s = db_prepare(database_handle(store_database(r->store)), sql, &e);
        if (s == NULL || db_step(s, &e) != 1)
                fail_msg("%s", e.text);
        return sqlite3_column_int(s, 0);
}
