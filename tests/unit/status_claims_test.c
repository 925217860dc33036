/* SPDX-License-Identifier: Apache-2.0
 *
 * status_claims_test.c: claims of idempotency keys in registry.db.
 */
#include "tests/unit/claims_rig.h"

static void a_settled_claim_is_replayed_with_its_terms(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct claim_result a = claim(r, "k", '1');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_int_equal(a.taken, 0);
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
        struct claim_result a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_int_equal(a.taken, 1);
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
        assert_int_equal(a.taken, 2);
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
                struct claim_result a = claim(r, "k", '1');
                assert_int_equal(a.state, CLAIM_GRANTED);
                assert_int_equal(a.taken, 2);
        }
        end(r, "k", '1', CLAIM_RELEASE);
        assert_int_equal(count(r), 1);
        struct claim_result a = claim(r, "k", '3');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_int_equal(a.taken, 3);
        assert_id(&a, '1');
}

static void a_released_claim_is_gone(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        (void)claim(r, "k", '1');
        end(r, "k", '1', CLAIM_RELEASE);
        end(r, "k", '1', CLAIM_RELEASE);
        assert_int_equal(count(r), 0);
        struct claim_result a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_int_equal(a.taken, 0);
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
        struct claim_result a = claim(r, "k", '2');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_int_equal(a.taken, 1);
        assert_id(&a, '1');
        assert_int_equal(count(r), 1);
}

static void a_repeated_call_renews_the_lease(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        (void)claim(r, "k", '1');
        now += LEASE - 1;
        struct claim_result a = claim(r, "k", '1');
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_int_equal(a.taken, 0);
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
        struct claim_request requests[] = {
                request_for("acme", "k", '2'),     request_for("acme", "k", '3'),
                request_for("acme", "old", '4'),   request_for("nobody", "k", '5'),
                request_for("acme", "other", '6'), request_for("acme", "looked", '7')};
        static const enum claim_state want[] = {CLAIM_GRANTED,   CLAIM_IN_FLIGHT, CLAIM_GRANTED,
                                                CLAIM_NO_TENANT, CLAIM_GRANTED,   CLAIM_NONE};
        struct claim_result results[COUNT(requests)];
        memset(ended.holder, '1', sizeof(ended.holder));
        requests[5].look = true;
        (void)claim(r, "old", '1');
        struct claims_call call = {.limits = &limits,
                                   .ended = &ended,
                                   .ended_count = 1,
                                   .requests = requests,
                                   .request_count = COUNT(requests),
                                   .results = results};
        assert_int_equal(registry_claim(r, &call, &e), 0);
        for (size_t i = 0; i < COUNT(requests); i++)
                assert_int_equal(results[i].state, want[i]);
        assert_int_equal(count(r), 3);
        assert_counts(r);
}

static void a_full_table_refuses(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        const struct claim_limits few = {
                .keep = KEEP, .lease = LEASE, .max = 3, .of_tenant_max = 2};
        struct claim_request requests[] = {
                request_for("acme", "1", '1'),  request_for("acme", "2", '2'),
                request_for("acme", "3", '3'),  request_for("other", "1", '4'),
                request_for("other", "2", '5'), request_for("acme", "1", '6')};
        static const enum claim_state want[] = {CLAIM_GRANTED, CLAIM_GRANTED, CLAIM_FULL,
                                                CLAIM_GRANTED, CLAIM_FULL,    CLAIM_IN_FLIGHT};
        struct claim_result results[COUNT(requests)];
        struct err e = {0};
        add_tenant(r, "other");
        struct claims_call call = {.limits = &few,
                                   .requests = requests,
                                   .request_count = COUNT(requests),
                                   .results = results};
        assert_int_equal(registry_claim(r, &call, &e), 0);
        for (size_t i = 0; i < COUNT(requests); i++)
                assert_int_equal(results[i].state, want[i]);
        assert_int_equal(results[2].retry, CLAIM_FULL_RETRY);
        assert_counts(r);
        end(r, "1", '1', CLAIM_RELEASE);
        assert_int_equal(claim_with(r, &few, &requests[2]).state, CLAIM_GRANTED);
        assert_int_equal(claim_with(r, &few, &requests[4]).state, CLAIM_FULL);
        /* Old claims make room. */
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &few, &e), 0);
        assert_int_equal(count(r), 0);
        assert_int_equal(claim_with(r, &few, &requests[4]).state, CLAIM_GRANTED);
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
        struct claim_request request = request_for("acme", "k", '3');
        struct claim_result a = claim_with(r, &one, &request);
        assert_int_equal(a.state, CLAIM_GRANTED);
        assert_id(&a, '3');
        request = request_for("acme", "other", '4');
        assert_int_equal(claim_with(r, &one, &request).state, CLAIM_FULL);
        assert_int_equal(count(r), 2);
        assert_counts(r);
        now += KEEP - 1; /* the old tenant's claim is old */
        assert_int_equal(registry_forget_claims(r, &one, &e), 0);
        assert_int_equal(count(r), 1);
        assert_counts(r);
}

static void a_damaged_claim_is_answered_alone(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        struct claim_request requests[] = {request_for("acme", "k", '2'),
                                           request_for("acme", "other", '3')};
        struct claim_result results[COUNT(requests)];
        struct claims_call call = {.limits = &limits,
                                   .requests = requests,
                                   .request_count = COUNT(requests),
                                   .results = results};
        (void)claim(r, "k", '1');
        assert_int_equal(registry_rows_change(r, "UPDATE claims SET hash = x'00'", NULL, &e), 1);
        assert_int_equal(registry_claim(r, &call, &e), 0);
        assert_int_equal(results[0].state, CLAIM_IN_FLIGHT);
        assert_int_equal(results[1].state, CLAIM_GRANTED);
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(claim(r, "k", '2').state, CLAIM_GRANTED);
        assert_counts(r);
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
        struct claim_request look = request_for("acme", "k", '2');
        look.look = true;
        struct claim_request known = request_for("acme", "k", '2');
        known.known = true;
        memset(job.id, '1', UUID_BYTES);
        (void)claim(r, "k", '1');
        end(r, "k", '1', CLAIM_SETTLE);
        int before = changes(r);
        assert_int_equal(claim(r, "k", '2').state, CLAIM_SETTLED);
        assert_int_equal(claim_with(r, &limits, &look).state, CLAIM_SETTLED);
        end(r, "k", '1', CLAIM_SETTLE);
        assert_int_equal(registry_settle_published(r, &job, 1, &e), 0);
        now += KEEP;
        assert_int_equal(claim_with(r, &limits, &look).state, CLAIM_NONE);
        assert_int_equal(claim_with(r, &limits, &known).state, CLAIM_NONE);
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
        enum { REQUESTS = CLAIMS_AT_ONCE };
        char few[] = "PRAGMA max_page_count = 18", many[] = "PRAGMA max_page_count = 100000";
        AUTO_FREE struct claim_request *requests = xcalloc(REQUESTS, sizeof(*requests));
        AUTO_FREE struct claim_result *results = xcalloc(REQUESTS, sizeof(*results));
        struct err e = {0};
        char key[12];
        for (int i = 0; i < REQUESTS; i++) {
                snprintf(key, sizeof(key), "%d", i);
                requests[i] = request_for("acme", key, 'a');
        }
        struct claims_call call = {.limits = &limits,
                                   .requests = requests,
                                   .request_count = REQUESTS,
                                   .results = results};
        assert_int_equal(registry_write(r, set_pages_max, few, &e), 0);
        assert_int_equal(registry_claim(r, &call, &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_int_equal(count(r), 0);
        assert_counts(r);
        err_clear(&e);
        assert_int_equal(registry_write(r, set_pages_max, many, &e), 0);
        assert_int_equal(registry_claim(r, &call, &e), 0);
        assert_int_equal(count(r), REQUESTS);
        assert_counts(r);
}

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
                WITH_ACME(a_damaged_claim_is_answered_alone),
                WITH_ACME(what_the_projection_has_seen_is_settled),
                WITH_ACME(what_is_settled_or_looked_at_writes_nothing),
                WITH_ACME(a_full_disk_undoes_the_whole_call),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
