/* SPDX-License-Identifier: Apache-2.0
 *
 * status_list_test.c: the listing over many tenants, while jobs come and old ones are deleted.
 */
#include "tests/unit/list_rig.h"

#include <sqlite3.h>

#include "status-store/projection/retention.h"

enum { TENANTS = 120 };

/* Adds one pending, one running, one completed and one cancelled job to each tenant. */
static void fill(struct rig *r, msec at)
{
        for (unsigned t = 0; t < TENANTS; t++) {
                for (int s = 0; s < 4; s++) {
                        struct job j = job_of(t, at + (t * 7 + (unsigned)s * 13) % 50);
                        rig_submit(r, &j);
                        if (s == 1)
                                rig_tell(r, &j, EVENT_STARTED, 1, at + 60);
                        if (s == 2)
                                rig_tell(r, &j, EVENT_COMPLETED, 1, at + 60);
                        if (s == 3)
                                rig_tell(r, &j, EVENT_CANCELLED, 0, at + 60);
                }
        }
        rig_commit(r);
}

static void many_tenants_are_listed_once(void **state)
{
        static const struct {
                const char *tenant;
                int status;
                const char *type;
                size_t want;
        } table[] = {
                {"*", -1, NULL, 4 * TENANTS},
                {"*", STATUS_RUNNING, NULL, TENANTS},
                {"*", -1, "type1", 4 * TENANTS / 3},
                {"*", STATUS_DEAD, NULL, 0},
                {"*", -1, "unknown", 0},
                {"tenant-7", -1, NULL, 4},
                {"tenant-7", STATUS_COMPLETED, "type1", 1},
                {"nobody", -1, NULL, 0},
        };
        struct rig rig;
        struct err e = {0};
        (void)state;
        rig_open(&rig);
        fill(&rig, BORN * (msec)1000);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        for (size_t i = 0; i < 2 * COUNT(table); i++) {
                size_t row = i / 2;
                struct walk w =
                        walk_of(table[row].tenant, table[row].status, table[row].type, i % 2 == 1);
                while (!w.ended)
                        next_page(&w, readers);
                assert_int_equal(json_object_size(w.seen), table[row].want);
                json_decref(w.seen);
        }
        readers_destroy(&readers);
        rig_close(&rig);
}

/* The order is newest first: a job submitted during the walk is newer than every page still to
 * come. */
static void new_jobs_repeat_none(void **state)
{
        struct rig rig;
        struct err e = {0};
        msec at = BORN * (msec)1000;
        (void)state;
        rig_open(&rig);
        fill(&rig, at);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, false);
        for (unsigned n = 0; !w.ended; n++) {
                next_page(&w, readers);
                struct job j = job_of(n % TENANTS, at + 1000 + n);
                rig_submit(&rig, &j);
                rig_commit(&rig);
        }
        assert_int_equal(json_object_size(w.seen), 4 * TENANTS);
        json_decref(w.seen);
        readers_destroy(&readers);
        rig_close(&rig);
}

/* A statement costs kilobytes, and a listing merges as many sorted runs as tenants times states. */
static void a_listing_holds_few_statements(void **state)
{
        struct rig rig;
        struct err e = {0};
        sqlite3_int64 before = 0;
        sqlite3_int64 most = 0;
        sqlite3_int64 now = 0;
        (void)state;
        rig_open(&rig);
        fill(&rig, BORN * (msec)1000);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, false);
        next_page(&w, readers); /* fills the page cache */
        sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &before, &most, 1);
        next_page(&w, readers);
        sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &most, 0);
        assert_true(most - before < 256 * 1024);
        json_decref(w.seen);
        readers_destroy(&readers);
        rig_close(&rig);
}

/* Published directly to the tenant's exchange: neither the id nor a header has to hold a time. */
static void publish(struct rig *r, const char *id, msec claim, const char *exchange)
{
        const bool dead = strcmp(exchange, "dead") == 0;
        struct message m = {.exchange = bytes_of_text(exchange),
                            .routing_key = bytes_of_text(dead ? "acme.medium" : "medium"),
                            .user_id = bytes_of_text("tenant-acme"),
                            .message_id = bytes_of_text(id),
                            .type = bytes_of_text("noop"),
                            .content_type = bytes_of_text("application/json"),
                            .timestamp = -1,
                            .delivery_mode = 2,
                            .body = bytes_of_text("{}")};
        if (claim != 0)
                message_add_int(&m, "x-submitted-at", claim);
        projection_fold(r->projection, &m, r->offset++);
}

static void tell_time(struct rig *r, msec at)
{
        struct job other = rig_job("01900000-0000-7000-8000-00000000000f", at);
        rig_tell(r, &other, EVENT_PROGRESS, 1, at);
}

static const char *const strangers[] = {
        "ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2", /* holds no time */
        "01900000-0000-7000-8000-000000000001",
        "ffffffff-ffff-7fff-8000-000000000001", /* the year 10889 */
};

static void retain(struct retention *retention, msec now)
{
        struct err e = {0};
        int more = 1;
        while (more == 1)
                more = retention_step(retention, now, &e);
        assert_int_equal(more, 0);
}

enum clock_told { BEFORE_IT, IN_ITS_BATCH, LATER, CLOCK_TOLD_COUNT };

static void see_it_go(enum clock_told when, const char *id, msec claim)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = MSEC_DAY};
        static const char dead[] = "SELECT count(*) FROM jobs WHERE state = 5";
        const msec now = BORN * (msec)1000;
        struct rig rig;
        rig_open(&rig);
        AUTO(retention) retention = retention_create(rig.store, &keep);
        if (when == BEFORE_IT)
                tell_time(&rig, now);
        publish(&rig, id, claim, "jobs.acme");
        publish(&rig, id, claim, "dead"); /* buried by the broker */
        if (when == LATER) {
                rig_commit(&rig);
                retain(retention, now + 100 * (msec)MSEC_DAY);
                assert_int_equal(rig_number(&rig, dead), 1);
        }
        if (when != BEFORE_IT)
                tell_time(&rig, now);
        rig_commit(&rig);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs WHERE state = 5 AND created"
                                          " BETWEEN 1 AND 1700000000000 AND finished_at ="
                                          " 1700000000000"),
                         1);
        retain(retention, now + MSEC_DAY);
        assert_int_equal(rig_number(&rig, dead), 1);
        retain(retention, now + MSEC_DAY + 1);
        assert_int_equal(rig_number(&rig, dead), 0);
        retention_destroy(&retention);
        rig_close(&rig);
}

/* Whatever time a publisher claims, or none, a job counts as created no later than it came, and its
 * row stays after its end as long as any other. */
static void a_claimed_time_buys_nothing(void **state)
{
        static const msec claims[] = {0, 1, -1, BORN * (msec)1000, INT64_MAX};
        (void)state;
        for (int when = 0; when < CLOCK_TOLD_COUNT; when++)
                for (size_t i = 0; i < COUNT(claims) * COUNT(strangers); i++)
                        see_it_go((enum clock_told)when, strangers[i % COUNT(strangers)],
                                  claims[i / COUNT(strangers)]);
}

/* Jobs that ended long ago are deleted in steps, while others come and a reader goes page by
 * page. */
static void old_jobs_go_while_new_ones_come(void **state)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = 7 * MSEC_DAY};
        enum { OLD_ROUNDS = 15 };
        struct rig rig;
        struct err e = {0};
        msec now = BORN * (msec)1000;
        size_t came = 0;
        (void)state;
        rig_open(&rig);
        for (int i = 0; i < OLD_ROUNDS; i++)
                fill(&rig, now - 2 * MSEC_DAY - i);
        fill(&rig, now);
        for (unsigned t = 0; t < TENANTS; t++) { /* ended recently, so they stay as well */
                struct job j = job_of(t, now - 2 * MSEC_DAY);
                rig_submit(&rig, &j);
                rig_tell(&rig, &j, EVENT_COMPLETED, 1, now);
        }
        rig_commit(&rig);
        /* pending and running: they stay at any age */
        size_t open = (OLD_ROUNDS + 1) * 2 * TENANTS;
        size_t ended = 3 * TENANTS;
        AUTO(retention) retention = retention_create(rig.store, &keep);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, false);
        int more = 1;
        for (unsigned n = 0; more == 1 || !w.ended; n++) {
                if (more == 1)
                        more = retention_step(retention, now, &e);
                assert_true(more >= 0);
                if (!w.ended && n % 4 == 0)
                        next_page(&w, readers);
                struct job j = job_of(n % TENANTS, now + 1000 + n);
                rig_submit(&rig, &j);
                rig_commit(&rig);
                came++;
        }
        /* The walk has seen each job that stayed once, and some of the deleted ones. */
        assert_true(json_object_size(w.seen) >= open + ended);
        json_decref(w.seen);
        w = walk_of("*", -1, NULL, true);
        while (!w.ended)
                next_page(&w, readers);
        assert_int_equal(json_object_size(w.seen), open + ended + came);
        json_decref(w.seen);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs"), open + ended + came);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM bodies"), open + ended + came);
        assert_int_equal(rig_number(&rig, "SELECT sum(n) FROM counts WHERE tenant = 0"),
                         open + ended + came);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM counts WHERE n < 0"), 0);
        readers_destroy(&readers);
        retention_destroy(&retention);
        rig_close(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(many_tenants_are_listed_once),
                cmocka_unit_test(new_jobs_repeat_none),
                cmocka_unit_test(a_listing_holds_few_statements),
                cmocka_unit_test(old_jobs_go_while_new_ones_come),
                cmocka_unit_test(a_claimed_time_buys_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
