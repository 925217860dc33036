/* SPDX-License-Identifier: Apache-2.0
 *
 * order_rig.h: histories of one job in letters, folded in any order.
 */
#pragma once

#include "tests/unit/status_rig.h"

#define ID "0190e5a2-7b1a-7000-8000-000000000001"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* What a history is about: one job, submitted `at`, run by consumers that say what they start. */
struct plan {
        msec at;
        msec delay;  /* 0: at once */
        bool silent; /* the consumers are of an earlier version, which says nothing of jobs */
        const char *events; /* see tell() */
};

static inline struct job job_of(const struct plan *p)
{
        struct job j = rig_job(ID, p->at);
        snprintf(j.type, sizeof(j.type), "mail");
        snprintf(j.traceparent, sizeof(j.traceparent), TRACE);
        j.priority = PRIORITY_HIGH;
        j.lane = LANE_HIGH;
        j.max_retries = 7;
        j.run_at = p->delay > 0 ? p->at + p->delay : 0;
        return j;
}

static inline void fold_line(struct rig *r, const struct event *e)
{
        AUTO_BUFFER line = {0};
        event_write(e, &line);
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-consumer"),
                            .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
}

static inline void tell_course(struct rig *r, const struct plan *p, enum event_kind kind,
                               int64_t attempt, msec at)
{
        const struct job j = job_of(p);
        struct event e = {.kind = kind,
                          .run = 1,
                          .attempt = attempt,
                          .at = at,
                          .after = at - 1,
                          .ms = 5,
                          .content = event_content(&j),
                          .worker = bytes_of_text("host/1")};
        memcpy(e.id, j.id, sizeof(e.id));
        memcpy(e.tenant, j.tenant, sizeof(e.tenant));
        e.hint.priority = e.hint.max_retries = -1;
        if (!p->silent && (kind == EVENT_STARTED || kind == EVENT_COMPLETED))
                memcpy(e.hint.type, j.type, sizeof(e.hint.type));
        if (kind == EVENT_STARTED) {
                e.hint.priority = j.priority;
                e.hint.max_retries = j.max_retries;
                e.hint.submitted_at = j.submitted_at;
                e.hint.run_at = attempt == 1 ? j.run_at : at - 1;
                memcpy(e.hint.traceparent, j.traceparent, sizeof(e.hint.traceparent));
        }
        fold_line(r, &e);
}

static inline void encode(struct rig *r, struct job *j, enum job_station station, msec at)
{
        struct job_message m;
        job_encode(j, station, at, &m);
        rig_fold(r, &m);
}

static inline void come_due(struct rig *r, struct job *j, msec queued_at, msec due_at)
{
        struct job_message m;
        job_encode(j, STATION_LANE_MOVE, queued_at, &m);
        message_add_int(&m.message, "x-due-at", due_at);
        rig_fold(r, &m);
}

/* Folds one event, minutes after the one before: s submitted, d in doubt, D due, b started, c
 * completed, f failed, E due again, B started again, C completed then, X buried then, R released,
 * k cancelled. */
static inline void tell(struct rig *r, const struct plan *p, char letter)
{
        struct job j = job_of(p);
        msec due = p->at + p->delay;
        switch (letter) {
        case 's':
        case 'd':
                j.doubt = letter == 'd';
                encode(r, &j, STATION_SUBMISSION, p->at);
                break;
        case 'D':
                come_due(r, &j, p->at, due);
                break;
        case 'b':
                tell_course(r, p, EVENT_STARTED, 1, due + MSEC_MINUTE);
                break;
        case 'c':
                tell_course(r, p, EVENT_COMPLETED, 1, due + 2 * MSEC_MINUTE);
                break;
        case 'R':
                tell_course(r, p, EVENT_RELEASED, 1, due + 2 * MSEC_MINUTE);
                break;
        case 'k':
                tell_course(r, p, EVENT_CANCELLED, 1, due + 2 * MSEC_MINUTE);
                break;
        case 'f':
                j.attempt = 1;
                j.run_at = due + 3 * MSEC_MINUTE;
                encode(r, &j, STATION_RETRY, due + 2 * MSEC_MINUTE);
                break;
        case 'E':
                j.attempt = 1;
                j.run_at = due + 3 * MSEC_MINUTE;
                come_due(r, &j, due + 2 * MSEC_MINUTE, j.run_at);
                break;
        case 'B':
                tell_course(r, p, EVENT_STARTED, 2, due + 4 * MSEC_MINUTE);
                break;
        case 'C':
                tell_course(r, p, EVENT_COMPLETED, 2, due + 5 * MSEC_MINUTE);
                break;
        case 'X':
                j.attempt = 2;
                j.reason = REASON_EXHAUSTED;
                uuid7(j.burial);
                encode(r, &j, STATION_BURIAL, due + 5 * MSEC_MINUTE);
                break;
        default:
                fail();
        }
}

/* The rows of a query, as text. The caller frees it. */
static inline char *rows_of(struct rig *r, const char *sql)
{
        struct err e = {0};
        AUTO_BUFFER out = {0};
        AUTO_STATEMENT *s = db_prepare(database_handle(store_database(r->store)), sql, &e);
        if (s == NULL)
                fail_msg("%s", e.text);
        while (db_step(s, &e) == 1) {
                for (int i = 0; i < sqlite3_column_count(s); i++) {
                        const unsigned char *text = sqlite3_column_text(s, i);
                        buffer_printf(&out, "%s ", text == NULL ? "-" : (const char *)text);
                }
                buffer_add_char(&out, '\n');
        }
        return buffer_take(&out);
}

/* `counts` must equal what the rows say. */
static inline void check_counts(struct rig *r)
{
        AUTO_FREE char *wrong = rows_of(
                r, "SELECT * FROM (SELECT tenant, ifnull(type, 0) AS type, shelf, count(*) AS n"
                   " FROM (SELECT tenant, type, shelf FROM jobs UNION ALL"
                   " SELECT 0, type, shelf FROM jobs) GROUP BY 1, 2, 3) rows"
                   " FULL JOIN (SELECT * FROM counts WHERE n <> 0)"
                   " c USING(tenant, type, shelf) WHERE rows.n IS NOT c.n");
        assert_string_equal(wrong, "");
}
