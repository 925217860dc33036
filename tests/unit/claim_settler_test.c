/* SPDX-License-Identifier: Apache-2.0
 *
 * claim_settler_test.c: the claims of published jobs are settled, and old ones are deleted.
 */
#include "tests/unit/registry_rig.h"

#include <pthread.h>

#include "status-store/provisioning/claim_settler.h"
#include "status-store/registry/registry_claims.h"
#include "status-store/registry/registry_rows.h"
#include "tests/unit/writer_rig.h"

#define DEADLINE (clock_mono() + 20 * MSEC_SECOND)

static const struct claim_limits limits = {
        .keep = MSEC_DAY, .lease = MSEC_HOUR, .max = 100000, .of_tenant_max = 100000};

static int open_with_acme(void **state)
{
        struct tenant t = tenant_named("acme");
        struct err e = {0};
        if (open_registry(state) != 0)
                return -1;
        return registry_add_tenant(((struct fixture *)*state)->registry, &t, 10, NAME_NEW, &e);
}

/* Claims keys "0", "1", … of acme; ids[i] is the job's id. */
static void claim(struct registry *r, int count, char (*ids)[UUID_SIZE])
{
        struct err e = {0};
        for (int i = 0; i < count; i++) {
                struct claim_request a = {.tenant = "acme"};
                struct claim_result result;
                struct claims_call call = {
                        .limits = &limits, .requests = &a, .request_count = 1, .results = &result};
                uuid7(ids[i]);
                snprintf(a.key, sizeof(a.key), "%d", i);
                assert_true(uuid_pack(bytes_of_text(ids[i]), a.holder));
                assert_int_equal(registry_claim(r, &call, &e), 0);
                assert_int_equal(result.state, CLAIM_GRANTED);
        }
}

static int count_where(struct registry *r, const char *sql)
{
        struct err e = {0};
        AUTO_READER *reader = registry_read(r, &e);
        assert_non_null(reader);
        AUTO_RESET *s = reader_query(reader, sql, NULL, &e);
        assert_int_equal(db_step(s, &e), 1);
        return sqlite3_column_int(s, 0);
}

static const char leased[] = "SELECT count(*) FROM claims WHERE lease IS NOT NULL";

static void await_count(struct registry *r, const char *sql, int want)
{
        msec until = DEADLINE;
        while (count_where(r, sql) != want) {
                if (clock_mono() > until)
                        fail_msg("%s: %d", sql, count_where(r, sql));
                usleep(2000);
        }
}

static void published_jobs_are_settled(void **state)
{
        enum { JOBS = 600 }; /* more than are settled at once */
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12], other[UUID_SIZE];
        AUTO_FREE char(*ids)[UUID_SIZE] = xcalloc(JOBS, sizeof(*ids));
        claim(r, JOBS, ids);
        AUTO(claim_settler) s = claim_settler_create(r, &limits, &e);
        assert_non_null(s);
        uuid7(other);
        claim_settler_add(s, "acme", "0", other); /* another job */
        claim_settler_add(s, "nobody", "0", ids[0]);
        claim_settler_add(s, "acme", "unknown", ids[0]);
        claim_settler_add(s, "acme", "1", "no uuid");
        for (int i = 2; i < JOBS; i++) {
                snprintf(key, sizeof(key), "%d", i);
                claim_settler_add(s, "acme", key, ids[i]);
        }
        await_count(r, leased, 2);
        assert_int_equal(count_where(r, "SELECT count(*) FROM claims"), JOBS);
        assert_int_equal(claim_settler_dropped(s), 0);
}

/* Another write holds the registry's writer. */
struct block {
        struct registry *registry;
        struct gate gate;
};

static int wait_at_gate(struct database *db, void *owner, struct err *e)
{
        struct block *b = owner;
        (void)db;
        return gate_pass(&b->gate, e);
}

static void *hold_writer(void *owner)
{
        struct block *b = owner;
        struct err e = {0};
        (void)!registry_write(b->registry, wait_at_gate, b, &e);
        return NULL;
}

/* The list is bounded, adding never waits for the disk, and what waited is settled then. */
static void too_many_are_dropped(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct block block = {.registry = r, .gate = GATE};
        struct err e = {0};
        char longest[JOB_KEY_SIZE] = "";
        char ids[2][UUID_SIZE];
        pthread_t thread;
        memset(longest, 'k', sizeof(longest) - 1);
        claim(r, 2, ids);
        assert_int_equal(pthread_create(&thread, NULL, hold_writer, &block), 0);
        assert_true(gate_wait(&block.gate, &block.gate.reached));
        AUTO(claim_settler) s = claim_settler_create(r, &limits, &e);
        assert_non_null(s);
        claim_settler_add(s, "acme", "0", ids[0]);
        int64_t fits = CLAIM_SETTLER_BYTES / (5 + JOB_KEY_SIZE + UUID_BYTES);
        for (int64_t i = 0; i < fits + 10; i++)
                claim_settler_add(s, "acme", longest, ids[0]);
        assert_int_in_range(claim_settler_dropped(s), 10, 11);
        gate_set(&block.gate, &block.gate.open);
        pthread_join(thread, NULL);
        await_count(r, leased, 1);
        msec until = DEADLINE;
        while (count_where(r, leased) != 0 && clock_mono() < until) {
                claim_settler_add(s, "acme", "1", ids[1]); /* dropped until there is room */
                usleep(2000);
        }
        assert_int_equal(count_where(r, leased), 0);
}

static void *open_gate(void *owner)
{
        struct block *b = owner;
        usleep(100 * 1000); /* the stop has begun, or else the test shows less */
        gate_set(&b->gate, &b->gate.open);
        return NULL;
}

/* The projection names them once. */
static void jobs_that_wait_at_the_stop_are_settled(void **state)
{
        enum { JOBS = 600 }; /* more than are settled at once */
        struct registry *r = ((struct fixture *)*state)->registry;
        struct block block = {.registry = r, .gate = GATE};
        struct err e = {0};
        char key[12];
        pthread_t holder, opener;
        AUTO_FREE char(*ids)[UUID_SIZE] = xcalloc(JOBS, sizeof(*ids));
        claim(r, JOBS, ids);
        assert_int_equal(pthread_create(&holder, NULL, hold_writer, &block), 0);
        assert_true(gate_wait(&block.gate, &block.gate.reached));
        struct claim_settler *s = claim_settler_create(r, &limits, &e);
        assert_non_null(s);
        for (int i = 0; i < JOBS; i++) {
                snprintf(key, sizeof(key), "%d", i);
                claim_settler_add(s, "acme", key, ids[i]);
        }
        assert_int_equal(pthread_create(&opener, NULL, open_gate, &block), 0);
        claim_settler_destroy(&s);
        assert_int_equal(count_where(r, leased), 0);
        pthread_join(opener, NULL);
        pthread_join(holder, NULL);
}

static int count_changes(struct database *db, void *owner, struct err *e)
{
        (void)e;
        *(int *)owner = sqlite3_total_changes(database_handle(db));
        return 0;
}

/* Rows changed since the registry was opened. */
static int changes(struct registry *r)
{
        struct err e = {0};
        int n = -1;
        assert_int_equal(registry_write(r, count_changes, &n, &e), 0);
        return n;
}

static void settled_claims_are_only_read(void **state)
{
        enum { JOBS = 300 };
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12];
        AUTO_FREE char(*ids)[UUID_SIZE] = xcalloc(JOBS, sizeof(*ids));
        claim(r, JOBS, ids);
        assert_int_equal(
                registry_rows_change(r, "UPDATE claims SET lease = NULL WHERE seq < 300", NULL, &e),
                1);
        int before = changes(r);
        AUTO(claim_settler) s = claim_settler_create(r, &limits, &e);
        assert_non_null(s);
        for (int i = 0; i < JOBS; i++) {
                snprintf(key, sizeof(key), "%d", i);
                claim_settler_add(s, "acme", key, ids[i]);
        }
        await_count(r, leased, 0);
        assert_int_equal(changes(r), before + 1);
}

static void old_claims_are_deleted(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        enum { JOBS = 2 * CLAIMS_FORGOTTEN_AT_ONCE + 1 };
        AUTO_FREE char(*ids)[UUID_SIZE] = xcalloc(JOBS, sizeof(*ids));
        claim(r, JOBS, ids);
        assert_true(registry_rows_change(r, "UPDATE claims SET lease = NULL, at = at - 86400000",
                                         NULL, &e) == 1);
        AUTO(claim_settler) s = claim_settler_create(r, &limits, &e);
        assert_non_null(s);
        await_count(r, "SELECT count(*) FROM claims", 0);
}

#define WITH_ACME(test) cmocka_unit_test_setup_teardown(test, open_with_acme, close_registry)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_ACME(published_jobs_are_settled),
                WITH_ACME(too_many_are_dropped),
                WITH_ACME(jobs_that_wait_at_the_stop_are_settled),
                WITH_ACME(settled_claims_are_only_read),
                WITH_ACME(old_claims_are_deleted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
