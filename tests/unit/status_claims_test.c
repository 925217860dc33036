/* SPDX-License-Identifier: Apache-2.0
 *
 * status_claims_test.c: claims of idempotency keys in registry.db.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/registry_claims.h"
#include "status-store/registry_rows.h"

#define NOW ((msec)1800000000000)
#define LEASE ((msec)(30 * MSEC_SECOND))
#define KEEP ((msec)MSEC_DAY)

static msec now = NOW;

msec __wrap_clock_wall(void);
msec __wrap_clock_wall(void)
{
        return now;
}

static const struct claim_limits limits = {
        .keep = KEEP, .lease = LEASE, .max = 1000, .of_tenant_max = 1000};

static void add_tenant(struct registry *r, const char *name)
{
        struct tenant t = tenant_named(name);
        struct err e = {0};
        if (registry_add_tenant(r, &t, 10, NAME_REUSED, &e) != 0)
                fail_msg("%s", e.text);
}

static struct claim_ask ask_for(const char *tenant, const char *key, char holder)
{
        struct claim_ask a = {.terms = {.submitted_at = now, .run_at = now + 5, .scheduled = true}};
        snprintf(a.tenant, sizeof(a.tenant), "%s", tenant);
        snprintf(a.key, sizeof(a.key), "%s", key);
        memset(a.holder, holder, sizeof(a.holder));
        memset(a.hash, 'h', sizeof(a.hash));
        return a;
}

static struct claim_answer ask_with(struct registry *r, const struct claim_limits *l,
                                    const struct claim_ask *a)
{
        struct err e = {0};
        struct claim_answer answer = {.state = CLAIM_NONE};
        struct claims_call call = {.limits = l, .asks = a, .ask_count = 1, .answers = &answer};
        if (registry_claim(r, &call, &e) != 0)
                fail_msg("%s", e.text);
        return answer;
}

/* Claims key of acme. */
static struct claim_answer claim(struct registry *r, const char *key, char holder)
{
        struct claim_ask a = ask_for("acme", key, holder);
        return ask_with(r, &limits, &a);
}

static void end(struct registry *r, const char *key, char holder, enum claim_end how)
{
        struct err e = {0};
        struct claim_ended ended = {.tenant = "acme", .how = how};
        snprintf(ended.key, sizeof(ended.key), "%s", key);
        memset(ended.holder, holder, sizeof(ended.holder));
        struct claims_call call = {.limits = &limits, .ended = &ended, .ended_count = 1};
        if (registry_claim(r, &call, &e) != 0)
                fail_msg("%s", e.text);
}

static int64_t count(struct registry *r)
{
        struct err e = {0};
        int64_t n = -1;
        assert_int_equal(registry_count_claims(r, &n, &e), 0);
        return n;
}

/* What claim_counts says equals what is there. */
static void assert_counts(struct registry *r)
{
        struct err e = {0};
        int differs = registry_rows_exist(
                r,
                "SELECT tenant, made, n FROM claim_counts WHERE n <> 0 EXCEPT SELECT * FROM"
                " (SELECT tenant, made, count(*) FROM claims GROUP BY tenant, made UNION ALL"
                " SELECT '', 0, count(*) FROM claims)",
                NULL, &e);
        assert_int_equal(differs, 0);
        int missing = registry_rows_exist(
                r,
                "SELECT tenant, made, count(*) FROM claims GROUP BY tenant, made"
                " EXCEPT SELECT tenant, made, n FROM claim_counts",
                NULL, &e);
        assert_int_equal(missing, 0);
}

static void assert_id(const struct claim_answer *a, char holder)
{
        unsigned char want[UUID_BYTES];
        memset(want, holder, sizeof(want));
        assert_memory_equal(a->id, want, sizeof(want));
}

static int open_with_acme(void **state)
{
        now = NOW;
        if (open_registry(state) != 0)
                return -1;
        add_tenant(((struct fixture *)*state)->registry, "acme");
        return 0;
}

static void a_settled_claim_is_replayed_with_its_terms(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct claim_answer a = claim(r, "k", '1');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_false(a.again);
        assert_id(&a, '1');
        end(r, "k", '1', CLAIM_SETTLE);
        now += MSEC_HOUR;
        a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_SETTLED);
        assert_id(&a, '1');
        assert_int_equal(a.terms.submitted_at, NOW);
        assert_int_equal(a.terms.run_at, NOW + 5);
        assert_int_equal(a.terms.expires_at, 0);
        assert_true(a.terms.scheduled);
        assert_int_equal(count(r), 1);
        assert_counts(r);
}

static void a_lease_that_is_over_passes_to_the_next(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        assert_int_equal(claim(r, "k", '1').state, CLAIM_GRANTED);
        now += LEASE - 1;
        assert_int_equal(claim(r, "k", '2').state, CLAIM_IN_FLIGHT);
        now += 1;
        struct claim_answer a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_true(a.again);
        assert_id(&a, '1');
        assert_int_equal(a.terms.submitted_at, NOW);
        /* The first holder has it no more. */
        end(r, "k", '1', CLAIM_SETTLE);
        end(r, "k", '1', CLAIM_RELEASE);
        end(r, "k", '1', CLAIM_ABANDON);
        assert_int_equal(claim(r, "k", '3').state, CLAIM_IN_FLIGHT);
        /* One that was taken over stays when it is released. */
        end(r, "k", '2', CLAIM_RELEASE);
        assert_int_equal(count(r), 1);
        a = claim(r, "k", '3');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_true(a.again);
        assert_id(&a, '1');
        assert_counts(r);
}

/* The follower may have published it. */
static void a_claim_that_came_back_is_not_deleted_by_its_release(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        (void)claim(r, "k", '1');
        now += LEASE;
        (void)claim(r, "k", '2');
        now += LEASE;
        for (int repeated = 0; repeated < 2; repeated++) {
                struct claim_answer a = claim(r, "k", '1');
                assert_int_equal(a.state, CLAIM_GRANTED);
                assert_true(a.again);
        }
        end(r, "k", '1', CLAIM_RELEASE);
        assert_int_equal(count(r), 1);
        struct claim_answer a = claim(r, "k", '3');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_true(a.again);
        assert_id(&a, '1');
}

static void a_released_claim_is_gone(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        (void)claim(r, "k", '1');
        end(r, "k", '1', CLAIM_RELEASE);
        end(r, "k", '1', CLAIM_RELEASE);
        assert_int_equal(count(r), 0);
        struct claim_answer a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_false(a.again);
        assert_id(&a, '2');
        end(r, "k", '2', CLAIM_SETTLE);
        end(r, "k", '2', CLAIM_RELEASE);
        end(r, "k", '2', CLAIM_ABANDON);
        assert_int_equal(claim(r, "k", '3').state, CLAIM_SETTLED);
        assert_counts(r);
}

static void an_abandoned_claim_gives_the_same_job(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        (void)claim(r, "k", '1');
        end(r, "k", '1', CLAIM_ABANDON);
        struct claim_answer a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_true(a.again);
        assert_id(&a, '1');
        assert_int_equal(count(r), 1);
}

static void a_repeated_call_renews_the_lease(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        (void)claim(r, "k", '1');
        now += LEASE - 1;
        struct claim_answer a = claim(r, "k", '1');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_false(a.again);
        now += LEASE - 1;
        assert_int_equal(claim(r, "k", '2').state, CLAIM_IN_FLIGHT);
        assert_int_equal(count(r), 1);
}

/* The same key twice, and an end before a claim. */
static void a_call_is_judged_in_its_order(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct claim_ended ended = {.tenant = "acme", .key = "old", .how = CLAIM_RELEASE};
        struct claim_ask asks[] = {ask_for("acme", "k", '2'),     ask_for("acme", "k", '3'),
                                   ask_for("acme", "old", '4'),   ask_for("nobody", "k", '5'),
                                   ask_for("acme", "other", '6'), ask_for("acme", "looked", '7')};
        static const enum claim_state want[] = {CLAIM_GRANTED,   CLAIM_IN_FLIGHT, CLAIM_GRANTED,
                                                CLAIM_NO_TENANT, CLAIM_GRANTED,   CLAIM_NONE};
        struct claim_answer answers[COUNT(asks)];
        memset(ended.holder, '1', sizeof(ended.holder));
        asks[5].look = true;
        (void)claim(r, "old", '1');
        struct claims_call call = {.limits = &limits,
                                   .ended = &ended,
                                   .ended_count = 1,
                                   .asks = asks,
                                   .ask_count = COUNT(asks),
                                   .answers = answers};
        assert_int_equal(registry_claim(r, &call, &e), 0);
        for (size_t i = 0; i < COUNT(asks); i++)
                assert_int_equal(answers[i].state, want[i]);
        assert_int_equal(count(r), 3);
        assert_counts(r);
}

static void a_full_table_refuses(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        const struct claim_limits few = {
                .keep = KEEP, .lease = LEASE, .max = 3, .of_tenant_max = 2};
        struct claim_ask asks[] = {ask_for("acme", "1", '1'),  ask_for("acme", "2", '2'),
                                   ask_for("acme", "3", '3'),  ask_for("other", "1", '4'),
                                   ask_for("other", "2", '5'), ask_for("acme", "1", '6')};
        static const enum claim_state want[] = {CLAIM_GRANTED, CLAIM_GRANTED, CLAIM_FULL,
                                                CLAIM_GRANTED, CLAIM_FULL,    CLAIM_IN_FLIGHT};
        struct claim_answer answers[COUNT(asks)];
        struct err e = {0};
        add_tenant(r, "other");
        struct claims_call call = {
                .limits = &few, .asks = asks, .ask_count = COUNT(asks), .answers = answers};
        assert_int_equal(registry_claim(r, &call, &e), 0);
        for (size_t i = 0; i < COUNT(asks); i++)
                assert_int_equal(answers[i].state, want[i]);
        assert_int_equal(answers[2].retry, CLAIM_FULL_RETRY);
        assert_counts(r);
        end(r, "1", '1', CLAIM_RELEASE);
        assert_int_equal(ask_with(r, &few, &asks[2]).state, CLAIM_GRANTED);
        assert_int_equal(ask_with(r, &few, &asks[4]).state, CLAIM_FULL);
        /* Old claims make room. */
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &few, &e), 0);
        assert_int_equal(count(r), 0);
        assert_int_equal(ask_with(r, &few, &asks[4]).state, CLAIM_GRANTED);
        assert_counts(r);
}

/* Neither the claims nor their number. */
static void a_new_tenant_has_none_of_the_old_ones(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        const struct claim_limits one = {
                .keep = KEEP, .lease = LEASE, .max = 9, .of_tenant_max = 1};
        struct err e = {0};
        (void)claim(r, "k", '1');
        end(r, "k", '1', CLAIM_SETTLE);
        assert_int_equal(registry_delete_tenant(r, "acme", now, &e), 0);
        assert_int_equal(claim(r, "k", '2').state, CLAIM_NO_TENANT);
        assert_int_equal(registry_drop_tenant(r, "acme", &e), 0);
        assert_int_equal(claim(r, "k", '2').state, CLAIM_NO_TENANT);
        end(r, "k", '1', CLAIM_RELEASE);
        now++;
        add_tenant(r, "acme");
        struct claim_ask ask = ask_for("acme", "k", '3');
        struct claim_answer a = ask_with(r, &one, &ask);
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_id(&a, '3');
        ask = ask_for("acme", "other", '4');
        assert_int_equal(ask_with(r, &one, &ask).state, CLAIM_FULL);
        assert_int_equal(count(r), 2);
        assert_counts(r);
        now += KEEP - 1; /* the old tenant's claim is old */
        assert_int_equal(registry_forget_claims(r, &one, &e), 0);
        assert_int_equal(count(r), 1);
        assert_counts(r);
}

static void old_claims_are_deleted_but_not_leased_ones(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12];
        for (int i = 0; i <= CLAIMS_FORGOTTEN_AT_ONCE; i++) {
                snprintf(key, sizeof(key), "%d", i);
                (void)claim(r, key, 'a');
                end(r, key, 'a', CLAIM_SETTLE);
        }
        now += KEEP - 1;
        (void)claim(r, "young", 'b');
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), CLAIMS_FORGOTTEN_AT_ONCE + 2);
        now++;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 1);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 1);
        assert_counts(r);
        const struct claim_limits brief = {.keep = 1, .lease = LEASE};
        now += 5;
        assert_int_equal(registry_forget_claims(r, &brief, &e), 0);
        assert_int_equal(count(r), 1);
        now += LEASE;
        assert_int_equal(registry_forget_claims(r, &brief, &e), 0);
        assert_int_equal(count(r), 0);
        assert_int_equal(registry_rows_exist(r, "SELECT 1 FROM claim_counts", NULL, &e), 0);
}

/* Others are deleted past it at once, not after a minute. */
static void a_leased_claim_does_not_slow_the_deletion(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12];
        for (int i = 0; i <= CLAIMS_FORGOTTEN_AT_ONCE; i++) {
                snprintf(key, sizeof(key), "%d", i);
                (void)claim(r, key, 'a');
        }
        now += KEEP - 1;
        (void)claim(r, "1", 'b');
        now++;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 1);
        assert_int_equal(count(r), 2);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 1);
        assert_counts(r);
        /* Nothing but leased ones: it waits until they are over. */
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
}

static void a_damaged_claim_is_answered_alone(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct claim_ask asks[] = {ask_for("acme", "k", '2'), ask_for("acme", "other", '3')};
        struct claim_answer answers[COUNT(asks)];
        struct claims_call call = {
                .limits = &limits, .asks = asks, .ask_count = COUNT(asks), .answers = answers};
        (void)claim(r, "k", '1');
        assert_int_equal(registry_rows_change(r, "UPDATE claims SET hash = x'00'", NULL, &e), 1);
        assert_int_equal(registry_claim(r, &call, &e), 0);
        assert_int_equal(answers[0].state, CLAIM_IN_FLIGHT);
        assert_int_equal(answers[1].state, CLAIM_GRANTED);
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(claim(r, "k", '2').state, CLAIM_GRANTED);
        assert_counts(r);
}

/* A clock that was ahead for a while. */
static void claims_of_the_future_do_not_stay_for_good(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        now = NOW + 365 * (msec)MSEC_DAY;
        (void)claim(r, "future", '1');
        end(r, "future", '1', CLAIM_SETTLE);
        now = NOW;
        (void)claim(r, "after", '2');
        end(r, "after", '2', CLAIM_SETTLE);
        assert_int_equal(claim(r, "future", '3').state, CLAIM_SETTLED);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 2);
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 0);
}

static void what_the_projection_has_seen_is_settled(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct claim_published jobs[] = {{"acme", "k", {0}},
                                         {"acme", "other", {0}},
                                         {"nobody", "k", {0}},
                                         {"acme", "k", {0}}};
        memset(jobs[0].id, '1', UUID_BYTES);
        memset(jobs[1].id, '9', UUID_BYTES); /* another job than the claim's */
        memset(jobs[2].id, '1', UUID_BYTES);
        memset(jobs[3].id, '1', UUID_BYTES);
        (void)claim(r, "k", '1');
        (void)claim(r, "other", '2');
        now += LEASE;
        (void)claim(r, "k", '3'); /* taken over: its job's id is the first holder's */
        assert_int_equal(registry_settle_published(r, jobs, COUNT(jobs), &e), 0);
        assert_int_equal(claim(r, "k", '4').state, CLAIM_SETTLED);
        assert_int_equal(claim(r, "other", '4').state, CLAIM_GRANTED);
        assert_int_equal(registry_settle_published(r, jobs, 0, &e), 0);
}

static int count_write(struct database *db, void *owner, struct err *e)
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
        assert_int_equal(registry_write(r, count_write, &n, &e), 0);
        return n;
}

static void what_is_settled_or_looked_at_writes_nothing(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct claim_published job = {.tenant = "acme", .key = "k"};
        struct claim_ask look = ask_for("acme", "k", '2');
        look.look = true;
        memset(job.id, '1', UUID_BYTES);
        (void)claim(r, "k", '1');
        end(r, "k", '1', CLAIM_SETTLE);
        int before = changes(r);
        assert_int_equal(claim(r, "k", '2').state, CLAIM_SETTLED);
        assert_int_equal(ask_with(r, &limits, &look).state, CLAIM_SETTLED);
        end(r, "k", '1', CLAIM_SETTLE);
        assert_int_equal(registry_settle_published(r, &job, 1, &e), 0);
        now += KEEP;
        assert_int_equal(ask_with(r, &limits, &look).state, CLAIM_NONE);
        assert_int_equal(changes(r), before);
}

static int set_pages_max(struct database *db, void *owner, struct err *e)
{
        return db_exec(database_handle(db), owner, e);
}

/* A call that fails leaves no part of itself. */
static void a_full_disk_undoes_the_whole_call(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        enum { ASKS = CLAIMS_AT_ONCE };
        char few[] = "PRAGMA max_page_count = 18", many[] = "PRAGMA max_page_count = 100000";
        AUTO_FREE struct claim_ask *asks = xcalloc(ASKS, sizeof(*asks));
        AUTO_FREE struct claim_answer *answers = xcalloc(ASKS, sizeof(*answers));
        struct err e = {0};
        char key[12];
        for (int i = 0; i < ASKS; i++) {
                snprintf(key, sizeof(key), "%d", i);
                asks[i] = ask_for("acme", key, 'a');
        }
        struct claims_call call = {
                .limits = &limits, .asks = asks, .ask_count = ASKS, .answers = answers};
        assert_int_equal(registry_write(r, set_pages_max, few, &e), 0);
        assert_int_equal(registry_claim(r, &call, &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_int_equal(count(r), 0);
        assert_counts(r);
        err_clear(&e);
        assert_int_equal(registry_write(r, set_pages_max, many, &e), 0);
        assert_int_equal(registry_claim(r, &call, &e), 0);
        assert_int_equal(count(r), ASKS);
        assert_counts(r);
}

#define WITH_ACME(test) cmocka_unit_test_setup_teardown(test, open_with_acme, close_registry)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_ACME(a_settled_claim_is_replayed_with_its_terms),
                WITH_ACME(a_lease_that_is_over_passes_to_the_next),
                WITH_ACME(a_claim_that_came_back_is_not_deleted_by_its_release),
                WITH_ACME(a_released_claim_is_gone),
                WITH_ACME(an_abandoned_claim_gives_the_same_job),
                WITH_ACME(a_repeated_call_renews_the_lease),
                WITH_ACME(a_call_is_judged_in_its_order),
                WITH_ACME(a_full_table_refuses),
                WITH_ACME(a_new_tenant_has_none_of_the_old_ones),
                WITH_ACME(old_claims_are_deleted_but_not_leased_ones),
                WITH_ACME(a_leased_claim_does_not_slow_the_deletion),
                WITH_ACME(a_damaged_claim_is_answered_alone),
                WITH_ACME(claims_of_the_future_do_not_stay_for_good),
                WITH_ACME(what_the_projection_has_seen_is_settled),
                WITH_ACME(what_is_settled_or_looked_at_writes_nothing),
                WITH_ACME(a_full_disk_undoes_the_whole_call),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
