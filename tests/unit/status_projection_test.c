/* SPDX-License-Identifier: Apache-2.0
 *
 * status_projection_test.c: messages of the stream give the same rows and attempts in any order, in
 * any batches and with repetitions; and the counts agree with the rows.
 */
#include "tests/unit/status_rig.h"

#include "status-store/jobs/lookup.h"
#include "status-store/stats.h"

enum { SEEDS = 60, JOBS = 4, HISTORY_MAX = 40, ORDERS = 3 };

/* One message of a history, and the data it points into. */
struct item {
        struct job job;
        struct job_message encoded;
        struct buffer line;
        struct message message;
};

struct history {
        char ids[JOBS][UUID_SIZE];
        struct item items[HISTORY_MAX];
        size_t count;
        bool timed; /* an event of a service sets the stream's time before all others */
};

static uint64_t draw(uint64_t *state)
{
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return *state * 0x2545F4914F6CDD1Du;
}

static unsigned below(uint64_t *state, unsigned bound)
{
        return (unsigned)(draw(state) % bound);
}

/* Draws one of as many contents as a row stores. */
static void draw_body(uint64_t *seed, struct job *j)
{
        snprintf(j->type, sizeof(j->type), "type%u", below(seed, 2));
        j->priority = PRIORITY_MEDIUM;
        j->payload = bytes_of_text(below(seed, 2) == 0 ? "{\"a\":1}" : "[1.50]");
}

/* The content that an event names as the one that ran; 0: an event of an older consumer names
 * none. */
static uint64_t draw_content(uint64_t *seed)
{
        struct job j = {.run = 1};
        draw_body(seed, &j);
        return below(seed, 3) == 0 ? 0 : event_content(&j);
}

static void draw_job(uint64_t *seed, const char *id, struct item *item)
{
        struct job *j = &item->job;
        msec now = 1700000000000 + below(seed, 3);
        memcpy(j->id, id, UUID_SIZE);
        snprintf(j->tenant, sizeof(j->tenant), "acme");
        draw_body(seed, j);
        j->lane = LANE_MEDIUM;
        j->run = 1 + below(seed, 2);
        j->attempt = below(seed, 3);
        j->max_retries = 3;
        j->submitted_at = 1700000000000;
        switch (below(seed, 5)) {
        case 3:
                j->copy = 5 + below(seed, 2);
                j->moved = 1 + below(seed, 2);
                j->run_at = below(seed, 2) * (now + 1000);
                j->priority = PRIORITY_HIGH;
                j->lane = LANE_HIGH;
                job_encode(j, STATION_MOVE, now, &item->encoded);
                break;
        case 0:
                j->attempt = 0;
                j->doubt = below(seed, 2) == 0;
                job_encode(j, j->doubt ? STATION_SUBMISSION : STATION_REPLAY, now, &item->encoded);
                break;
        case 1:
                j->attempt++;
                j->run_at = now + 1000;
                j->error = bytes_of_text("broken");
                j->error_kind = ERROR_KIND_ERROR;
                job_encode(j, STATION_RETRY, now, &item->encoded);
                break;
        case 2: /* attempt 0: before any attempt */
                j->attempt += below(seed, 2);
                j->reason = below(seed, 2) == 0 ? REASON_EXHAUSTED : REASON_NO_HANDLER;
                j->error = bytes_of_text("broken at last");
                j->error_kind = ERROR_KIND_CRASH;
                uuid7(j->burial);
                job_encode(j, STATION_BURIAL, now, &item->encoded);
                break;
        default: /* from outside, without a time */
                j->submitted_at = 0;
                job_encode(j, STATION_REPLAY, now, &item->encoded);
                item->message = item->encoded.message;
                return;
        }
        item->message = item->encoded.message;
        item->message.user_id = bytes_of_text("warren-consumer");
}

/* What newer consumers write of the job. */
static void draw_hint(uint64_t *seed, struct event *e)
{
        struct job_hint *h = &e->hint;

        h->priority = h->max_retries = -1;
        if (below(seed, 3) == 0)
                return;
        snprintf(h->type, sizeof(h->type), "type%u", below(seed, 3));
        if (e->kind == EVENT_COMPLETED)
                return;
        snprintf(h->traceparent, sizeof(h->traceparent),
                 "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba9020%u-01", below(seed, 3));
        h->priority = below(seed, PRIORITY_COUNT);
        h->max_retries = below(seed, 3);
        h->submitted_at = 1699999999999 + below(seed, 3);
        h->run_at = below(seed, 2) * 1700000000500;
}

static void draw_line(uint64_t *seed, const char *id, struct item *item)
{
        static const enum event_kind kinds[] = {
                EVENT_STARTED,   EVENT_STARTED,  EVENT_STARTED,  EVENT_PROGRESS,
                EVENT_RELEASED,  EVENT_RESUMED,  EVENT_RELEASED, EVENT_COMPLETED,
                EVENT_CANCELLED, EVENT_REJECTED, EVENT_MOVED,    EVENT_CANCEL_REQUESTED,
                EVENT_FORGOTTEN};
        struct event e = {.kind = kinds[below(seed, COUNT(kinds) - (below(seed, 6) != 0))],
                          .tenant = "acme",
                          .run = 1 + below(seed, 2) * below(seed, 2),
                          .attempt = 1 + below(seed, 2) * below(seed, 2),
                          .at = 1700000000000 + below(seed, 4),
                          .after = 1700000000000 + below(seed, 4),
                          .lost = below(seed, 2) == 0,
                          .worker = bytes_of_text(below(seed, 2) == 0 ? "host/1" : "host/2"),
                          .redelivered = below(seed, 4) == 0,
                          .progress = 0.5,
                          .ms = below(seed, 3),
                          .result = bytes_of_text("{\"ok\":true}")};
        memcpy(e.id, id, UUID_SIZE);
        if (e.kind == EVENT_STARTED || e.kind == EVENT_COMPLETED) {
                e.content = draw_content(seed);
                draw_hint(seed, &e);
        }
        if (e.kind == EVENT_MOVED)
                e.copy = 5 + below(seed, 2);
        if (e.kind == EVENT_MOVED || e.kind == EVENT_CANCEL_REQUESTED || below(seed, 2) == 0)
                e.by = bytes_of_text(below(seed, 2) == 0 ? "key a" : "key b");
        e.running = below(seed, 2) == 0;
        if (e.kind == EVENT_CANCELLED && !e.running && below(seed, 2) == 0)
                e.attempt = 0; /* before any attempt */
        event_write(&e, &item->line);
        item->message = (struct message){.exchange = bytes_of_text("events"),
                                         .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                         .user_id = bytes_of_text("warren-consumer"),
                                         .body = buffer_bytes(&item->line)};
}

static struct history *history_create(uint64_t *seed)
{
        struct history *h = xcalloc(1, sizeof(*h));
        for (int i = 0; i < JOBS; i++)
                uuid7(h->ids[i]);
        h->ids[0][14] = '4'; /* an id that holds no time */
        h->count = 1 + below(seed, HISTORY_MAX);
        for (size_t i = 0; i < h->count; i++) {
                const char *id = h->ids[below(seed, JOBS)];
                if (below(seed, 2) == 0)
                        draw_job(seed, id, &h->items[i]);
                else
                        draw_line(seed, id, &h->items[i]);
        }
        return h;
}

static void history_destroy(struct history **h)
{
        for (size_t i = 0; i < (*h)->count; i++)
                buffer_fini(&(*h)->items[i].line);
        free(*h);
        *h = NULL;
}

/* Folds a time later than all others, so that the stream's clock is the same in any order. */
static void tell_time(struct projection *p)
{
        static const char line[] =
                "{\"event\":\"worker\",\"worker\":\"host/1\",\"at\":1700000000009,"
                "\"state\":\"up\"}\n";
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .user_id = bytes_of_text("warren-consumer"),
                                  .body = bytes_of_text(line)};
        projection_fold(p, &m, 0);
}

/* Folds the messages in that order, each with its own offset. Commits and reopens the store at
 * random. */
static void fold_all(const struct place *place, const struct history *h, const size_t *order,
                     size_t count, uint64_t *seed)
{
        struct err e = {0};
        struct store *store = store_create(place->path, &e);
        struct projection *p = projection_create(store, JOB_PAYLOAD_MAX_DEFAULT, &e);
        assert_non_null(p);
        if (h->timed)
                tell_time(p);
        for (size_t i = 0; i < count; i++) {
                const int64_t offset = 1 + (int64_t)order[i];
                projection_fold(p, &h->items[order[i]].message, offset);
                if (below(seed, 4) == 0)
                        assert_int_equal(projection_commit(p, &e), 0);
                if (below(seed, 16) == 0) {
                        assert_int_equal(projection_commit(p, &e), 0);
                        projection_destroy(&p);
                        store_destroy(&store);
                        store = store_create(place->path, &e);
                        p = projection_create(store, JOB_PAYLOAD_MAX_DEFAULT, &e);
                        assert_non_null(p);
                        assert_int_equal(projection_position(p)->offset, offset);
                }
        }
        if (projection_commit(p, &e) != 0)
                fail_msg("%s", e.text);
        assert_int_equal(projection_position(p)->skipped, 0);
        projection_destroy(&p);
        store_destroy(&store);
}

/* Everything that can be read of the jobs. */
static char *dump(const struct place *place, const struct history *h)
{
        struct err e = {0};
        AUTO(readers) readers = readers_create(place->path, 1, &e);
        assert_non_null(readers);
        AUTO_READER *r = readers_take(readers, &e);
        AUTO_BUFFER out = {0};
        for (int i = 0; i < JOBS; i++) {
                struct stored_job job = {0};
                int found = lookup_job(r, "acme", h->ids[i], &job, &e);
                assert_true(found >= 0);
                job.published = 0; /* counts each message, also one that is folded twice */
                if (found == 1 && job.row.shown) {
                        assert_int_equal(lookup_write_job(r, &job, NULL, &out, &e), 0);
                        assert_int_equal(lookup_write_attempts(r, &job, &out, &e), 0);
                }
                const struct fold_key *m = &job.row.moved, *c = &job.row.cancel;
                buffer_printf(&out, " moved %lld %lld %lld %llu, cancel %lld %llu at %lld by %s\n",
                              (long long)m->run, (long long)m->attempt, (long long)m->copy,
                              (unsigned long long)m->digest, (long long)c->run,
                              (unsigned long long)c->digest, (long long)job.row.cancel_at,
                              job.row.act_by);
                stored_job_fini(&job);
        }
        return buffer_take(&out);
}

/* counts must equal what the rows say. */
static void check_counts(const struct place *place)
{
        struct err e = {0};
        sqlite3 *db = db_open(place->path, DB_READ_ONLY, &e);
        assert_non_null(db);
        sqlite3_stmt *s = db_prepare(
                db,
                "SELECT count(*) FROM (SELECT tenant, ifnull(type, 0) AS type, shelf, count(*)"
                " AS n FROM (SELECT tenant, type, shelf FROM jobs UNION ALL"
                " SELECT 0, type, shelf FROM jobs) GROUP BY 1, 2, 3) rows"
                " FULL JOIN (SELECT * FROM counts WHERE"
                " n <> 0) c USING(tenant, type, shelf) WHERE rows.n IS NOT c.n",
                &e);
        if (s == NULL)
                fail_msg("%s", e.text);
        assert_int_equal(db_step(s, &e), 1);
        assert_int_equal(sqlite3_column_int(s, 0), 0);
        db_finalize(&s);
        db_close(&db);
}

static void any_order_gives_the_same(void **state)
{
        (void)state;
        for (uint64_t n = 1; n <= SEEDS; n++) {
                uint64_t seed = n * 0x9E3779B97F4A7C15u;
                AUTO(history) h = history_create(&seed);
                AUTO_FREE char *want = NULL;
                h->timed = true;
                for (int turn = 0; turn < ORDERS; turn++) {
                        struct place place;
                        size_t order[2 * HISTORY_MAX];
                        size_t count = turn == 0 ? h->count : h->count + below(&seed, 8);
                        for (size_t i = 0; i < count; i++)
                                order[i] = i < h->count ? i : below(&seed, (unsigned)h->count);
                        for (size_t i = count - 1; turn > 0 && i > 0; i--) {
                                size_t other = below(&seed, (unsigned)i + 1);
                                size_t kept = order[i];
                                order[i] = order[other];
                                order[other] = kept;
                        }
                        place_open(&place);
                        fold_all(&place, h, order, count, &seed);
                        AUTO_FREE char *got = dump(&place, h);
                        check_counts(&place);
                        place_close(&place);
                        if (want == NULL)
                                want = TAKE(got);
                        else if (strcmp(got, want) != 0)
                                fail_msg("seed %llu, order %d:\n%s\n%s", (unsigned long long)n,
                                         turn, got, want);
                }
        }
}

/* The stream may begin with messages from outside that have no time. Any batches give the same
 * rows. */
/* So does a rewound stream that is folded again onto the existing rows. */
static void a_rebuild_gives_the_same(void **state)
{
        (void)state;
        for (uint64_t n = 1; n <= SEEDS; n++) {
                uint64_t seed = n * 0x9E3779B97F4A7C15u;
                AUTO(history) h = history_create(&seed);
                AUTO_FREE char *want = NULL;
                size_t order[HISTORY_MAX];
                for (size_t i = 0; i < h->count; i++)
                        order[i] = i;
                for (int turn = 0; turn < ORDERS; turn++) {
                        struct place place;
                        place_open(&place);
                        fold_all(&place, h, order, h->count, &seed);
                        AUTO_FREE char *got = dump(&place, h);
                        place_rewind(&place);
                        fold_all(&place, h, order, h->count, &seed);
                        AUTO_FREE char *again = dump(&place, h);
                        assert_string_equal(again, got);
                        place_close(&place);
                        if (want == NULL)
                                want = TAKE(got);
                        else
                                assert_string_equal(got, want);
                }
        }
}

/* A job buried before any attempt shows no attempt. */
static void a_burial_before_any_attempt_is_none(void **state)
{
        struct place place;
        AUTO(history) h = xcalloc(1, sizeof(*h));
        uint64_t seed = 1;
        (void)state;
        place_open(&place);
        for (int i = 0; i < JOBS; i++)
                uuid7(h->ids[i]);
        struct item *item = &h->items[h->count++];
        struct job job = {.tenant = "acme", .type = "gone", .run = 1, .reason = REASON_NO_HANDLER};
        memcpy(job.id, h->ids[0], UUID_SIZE);
        item->job = job;
        item->job.payload = bytes_of_text("{}");
        uuid7(item->job.burial);
        job_encode(&item->job, STATION_BURIAL, 1700000000000, &item->encoded);
        item->message = item->encoded.message;
        item->message.user_id = bytes_of_text("warren-consumer");
        fold_all(&place, h, (const size_t[]){0}, 1, &seed);
        AUTO_FREE char *got = dump(&place, h);
        assert_non_null(strstr(got, "\"status\":\"dead\""));
        assert_non_null(strstr(got, "\"attempts\":[]"));
        place_close(&place);
}

static void the_fingerprint_tells_messages_apart(void **state)
{
        struct message a = {.exchange = bytes_of_text("jobs.acme"),
                            .routing_key = bytes_of_text("low"),
                            .message_id = bytes_of_text("1"),
                            .body = bytes_of_text("{}")};
        struct message b = a;
        (void)state;
        assert_true(message_fingerprint(&a) == message_fingerprint(&b));
        b.body = bytes_of_text("[]");
        assert_true(message_fingerprint(&a) != message_fingerprint(&b));
        char long_body[1024];
        memset(long_body, 'x', sizeof(long_body));
        a.body = bytes_of(long_body, 1000);
        b = a;
        b.body.length = 1001;
        assert_true(message_fingerprint(&a) != message_fingerprint(&b));
        b = a;
        b.message_id = bytes_of_text("2");
        assert_true(message_fingerprint(&a) != message_fingerprint(&b));
        b = a;
        b.exchange = bytes_of_text("due");
        assert_true(message_fingerprint(&a) != message_fingerprint(&b));
}

static void a_commit_that_fails_leaves_all_as_it_was(void **state)
{
        struct err e = {0};
        struct place place;
        uint64_t seed = 4242;
        (void)state;
        place_open(&place);
        AUTO(history) h = history_create(&seed);
        assert_true(h->count > 10);
        AUTO(store) store = store_create(place.path, &e);
        AUTO(projection) p = projection_create(store, JOB_PAYLOAD_MAX_DEFAULT, &e);
        assert_non_null(p);
        projection_fold(p, &h->items[0].message, 10);
        assert_int_equal(projection_commit(p, &e), 0);
        assert_int_equal(db_exec(database_handle(store_database(store)),
                                 "CREATE TRIGGER no BEFORE UPDATE ON jobs BEGIN SELECT"
                                 " RAISE(ABORT, 'the disk is full'); END; CREATE TRIGGER nor"
                                 " BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'full'); END;",
                                 &e),
                         0);
        for (size_t i = 1; i < h->count; i++)
                projection_fold(p, &h->items[i].message, 10 + (int64_t)i);
        assert_int_equal(projection_commit(p, &e), -1);
        assert_int_equal(projection_messages(p), 0);
        assert_int_equal(projection_position(p)->offset, 10);
        err_clear(&e);
        assert_int_equal(db_exec(database_handle(store_database(store)),
                                 "DROP TRIGGER no; DROP TRIGGER nor;", &e),
                         0);
        for (size_t i = 1; i < h->count; i++)
                projection_fold(p, &h->items[i].message, 10 + (int64_t)i);
        assert_int_equal(projection_commit(p, &e), 0);
        assert_int_equal(projection_position(p)->offset, 9 + (int64_t)h->count);
        projection_destroy(&p);
        store_destroy(&store);
        check_counts(&place);
        place_close(&place);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_order_gives_the_same),
                cmocka_unit_test(a_rebuild_gives_the_same),
                cmocka_unit_test(a_burial_before_any_attempt_is_none),
                cmocka_unit_test(the_fingerprint_tells_messages_apart),
                cmocka_unit_test(a_commit_that_fails_leaves_all_as_it_was),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
