/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatch_test.c: what becomes of a job, its claim, the window and the event stream by each end of
 * its publish, and when it cannot be published. Fakes replace the link, the packer, the claims and
 * the judge.
 */
#include "gateway/dispatch.h"

#include <string.h>

#include "gateway/judge.h"

#include "tests/unit/unit.h"

#define HOLDER "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
#define TRACE "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

enum { NO_END = -1 };

/* What the fakes were told since begin_test. */
static struct {
        bool link_is_down, packer_is_down;
        unsigned published;
        struct publish_wait queue; /* of the job that is on its way */
        unsigned told;
        bool doubt;
        size_t told_bytes;
        struct told_wait stream; /* {0}: nobody waits */
        unsigned claim_ends;
        enum claim_end claim_end;
        unsigned undone; /* rate and backlog have their parts back */
        unsigned ended;
} seen;

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
bool __wrap_packer_is_ready(const struct packer *p, struct err *why);
void __wrap_packer_add(struct packer *p, const struct message *m, size_t bytes,
                       const struct told_wait *wait);
void __wrap_claims_end(struct claims *c, const char *tenant, const char *key, const char *holder,
                       enum claim_end how);
void __wrap_judge_undo(struct gateway *g, const char *tenant);

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        (void)l;
        if (seen.link_is_down)
                return err_set(e, ERR_UNAVAILABLE, "the link is down");
        assert_true(bytes_equal_text(m->routing_key, "acme.medium"));
        assert_null(message_header(m, "x-doubt"));
        seen.published++;
        seen.queue = *done;
        return 0;
}

bool __wrap_packer_is_ready(const struct packer *p, struct err *why)
{
        (void)p;
        if (seen.packer_is_down)
                err_set(why, ERR_UNAVAILABLE, "the stream is away");
        return !seen.packer_is_down;
}

void __wrap_packer_add(struct packer *p, const struct message *m, size_t bytes,
                       const struct told_wait *wait)
{
        (void)p;
        seen.told++;
        seen.doubt = message_header(m, "x-doubt") != NULL;
        seen.told_bytes = bytes;
        if (wait != NULL)
                seen.stream = *wait;
}

void __wrap_claims_end(struct claims *c, const char *tenant, const char *key, const char *holder,
                       enum claim_end how)
{
        (void)c;
        assert_string_equal(tenant, "acme");
        assert_string_equal(key, "k");
        assert_string_equal(holder, HOLDER);
        assert_int_equal(seen.ended, 0); /* the dispatch may be gone afterwards */
        seen.claim_ends++;
        seen.claim_end = how;
}

void __wrap_judge_undo(struct gateway *g, const char *tenant)
{
        (void)g;
        assert_string_equal(tenant, "acme");
        seen.undone++;
}

static void on_ended(struct dispatch *d)
{
        (void)d;
        seen.ended++;
}

struct fixture {
        struct gateway g;
        struct dispatch d;
};

enum { WINDOW_JOBS = 2, WINDOW_BYTES = 100000 };

static void begin_test(struct fixture *f, bool keyed)
{
        memset(&seen, 0, sizeof(seen));
        *f = (struct fixture){.g.in_flight = in_flight_create(WINDOW_JOBS, WINDOW_BYTES)};
        meters_init(&f->g.meters);
        f->d = (struct dispatch){.g = &f->g,
                                 .job = {.tenant = "acme",
                                         .type = "noop",
                                         .priority = PRIORITY_MEDIUM,
                                         .lane = LANE_MEDIUM,
                                         .payload = bytes_of_text("1"),
                                         .submitted_at = clock_wall()},
                                 .holder = HOLDER,
                                 .publish_by = clock_boot() + MSEC_MINUTE,
                                 .ended = on_ended};
        if (keyed)
                memcpy(f->d.job.key, "k", sizeof("k"));
        dispatch_init(&f->d, TRACE);
}

static void end_test(struct fixture *f)
{
        in_flight_destroy(&f->g.in_flight);
        metrics_destroy(&f->g.meters.metrics);
}

static void check_claim(bool keyed, int want_end)
{
        assert_int_equal(seen.claim_ends, keyed && want_end != NO_END ? 1 : 0);
        if (keyed && want_end != NO_END)
                assert_int_equal(seen.claim_end, want_end);
}

/* At LINK_CONFIRMED the dispatch goes on until the pack is confirmed. */
static void each_end_of_the_publish(void **state)
{
        static const struct {
                enum link_result result;
                int want_claim; /* enum claim_end, or NO_END */
                bool want_ended;
                unsigned want_in_flight;
                unsigned want_told;
                bool want_doubt;
        } cases[] = {
                {LINK_CONFIRMED, CLAIM_SETTLE, false, 1, 1, false},
                {LINK_RETURNED, CLAIM_RELEASE, true, 0, 0, false},
                {LINK_NACKED, CLAIM_ABANDON, true, 1, 1, true},
                {LINK_EXPIRED, NO_END, true, 1, 1, true},
                {LINK_CLOSED, NO_END, true, 1, 1, true},
        };

        (void)state;
        for (size_t i = 0; i < 2 * COUNT(cases); i++) {
                const bool keyed = i % 2 == 1;
                const size_t row = i / 2;
                struct refusal why = {0};
                struct fixture f;
                begin_test(&f, keyed);
                assert_true(dispatch_begin(&f.d, &why));
                assert_int_equal(seen.published, 1);
                assert_int_equal(in_flight_jobs(f.g.in_flight), 1);
                check_claim(keyed, NO_END);
                seen.queue.done(seen.queue.owner, cases[row].result);
                check_claim(keyed, cases[row].want_claim);
                assert_int_equal(seen.ended, cases[row].want_ended);
                assert_int_equal(in_flight_jobs(f.g.in_flight), cases[row].want_in_flight);
                assert_int_equal(seen.told, cases[row].want_told);
                assert_int_equal(seen.doubt, cases[row].want_doubt);
                assert_true((seen.stream.done != NULL) == !cases[row].want_ended);
                assert_int_equal(seen.undone, 0);
                if (seen.told > 0) /* as the packer does; asserts that no more leaves */
                        in_flight_leave(f.g.in_flight, 1, seen.told_bytes);
                end_test(&f);
        }
}

static void accepted_when_the_queue_has_it(void **state)
{
        (void)state;
        for (int in_time = 0; in_time < 2; in_time++) {
                struct refusal why = {0};
                struct fixture f;
                begin_test(&f, true);
                assert_true(dispatch_begin(&f.d, &why));
                seen.queue.done(seen.queue.owner, LINK_CONFIRMED);
                seen.stream.done(seen.stream.owner, in_time == 1);
                assert_int_equal(seen.ended, 1);
                assert_int_equal(seen.claim_ends, 1);
                assert_int_equal(f.d.end, in_time == 1 ? DISPATCH_TOLD : DISPATCH_TOLD_LATE);
                assert_true(dispatch_outcome(&f.d, &why));
                assert_int_equal(seen.undone, 0);
                end_test(&f);
        }
}

static void refused_or_unknown_otherwise(void **state)
{
        static const struct {
                enum link_result result;
                bool keyed;
                enum refusal_reason want_reason;
                unsigned want_undone;
                const char *want;
        } cases[] = {
                {LINK_RETURNED, false, REFUSED_BROKER, 1, "the broker has no queue for this job"},
                {LINK_RETURNED, true, REFUSED_BROKER, 1, "the broker has no queue for this job"},
                {LINK_NACKED, false, REFUSED_UNKNOWN, 0, "the broker did not take the job: the"},
                {LINK_NACKED, true, REFUSED_UNKNOWN, 0, "the same idempotency key again makes"},
                {LINK_EXPIRED, false, REFUSED_UNKNOWN, 0, "did not confirm in time: the job may"},
                {LINK_EXPIRED, true, REFUSED_UNKNOWN, 0, "the same idempotency key again makes"},
                {LINK_CLOSED, false, REFUSED_UNKNOWN, 0, "to the broker was lost: the job may"},
                {LINK_CLOSED, true, REFUSED_UNKNOWN, 0, "the same idempotency key again makes"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct refusal why = {0};
                struct fixture f;
                begin_test(&f, cases[i].keyed);
                assert_true(dispatch_begin(&f.d, &why));
                seen.queue.done(seen.queue.owner, cases[i].result);
                assert_false(dispatch_outcome(&f.d, &why));
                assert_int_equal(why.status, 503);
                assert_int_equal(why.reason, cases[i].want_reason);
                assert_non_null(strstr(why.detail, cases[i].want));
                assert_string_equal(why.id,
                                    cases[i].want_reason == REFUSED_UNKNOWN ? f.d.job.id : "");
                assert_int_equal(seen.undone, cases[i].want_undone);
                end_test(&f);
        }
}

enum obstacle { NOTHING, PACKER_DOWN, WINDOW_FULL, HALF_FULL, LINK_DOWN, CLAIM_OLD };

static void hinder(struct fixture *f, enum obstacle what)
{
        struct err e = {0};

        seen.packer_is_down = what == PACKER_DOWN;
        seen.link_is_down = what == LINK_DOWN;
        for (int i = 0; i < WINDOW_JOBS && what == WINDOW_FULL; i++)
                assert_int_equal(in_flight_enter(f->g.in_flight, 1, &e), 0);
        if (what == HALF_FULL) {
                assert_int_equal(in_flight_enter(f->g.in_flight, 1, &e), 0);
                f->d.room_until = 1; /* it is a batch's */
        }
        if (what == CLAIM_OLD)
                f->d.publish_by = clock_boot() - 1;
}

static void what_is_not_published_takes_nothing(void **state)
{
        static const struct {
                enum obstacle what;
                bool keyed;
                bool want_published;
                enum refusal_reason want_reason;
                const char *want;
        } cases[] = {
                {NOTHING, true, true, 0, NULL},
                {PACKER_DOWN, false, false, REFUSED_BROKER, "the stream is away"},
                {PACKER_DOWN, true, false, REFUSED_BROKER, "the stream is away"},
                {WINDOW_FULL, false, false, REFUSED_WINDOW, "2 submissions are not confirmed yet"},
                {WINDOW_FULL, true, false, REFUSED_WINDOW, "2 submissions are not confirmed yet"},
                {HALF_FULL, false, false, REFUSED_WINDOW, "1 submissions are not confirmed yet"},
                {HALF_FULL, true, false, REFUSED_WINDOW, "1 submissions are not confirmed yet"},
                {LINK_DOWN, false, false, REFUSED_BROKER, "the link is down"},
                {LINK_DOWN, true, false, REFUSED_BROKER, "the link is down"},
                {CLAIM_OLD, false, true, 0, NULL},
                {CLAIM_OLD, true, false, REFUSED_BROKER, "is too old"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct refusal why = {0};
                struct fixture f;
                begin_test(&f, cases[i].keyed);
                hinder(&f, cases[i].what);
                unsigned before = in_flight_jobs(f.g.in_flight);
                bool published = dispatch_begin(&f.d, &why);
                assert_int_equal(published, cases[i].want_published);
                assert_int_equal(seen.published, published);
                assert_int_equal(in_flight_jobs(f.g.in_flight), before + published);
                assert_int_equal(seen.undone, !published);
                check_claim(cases[i].keyed, published ? NO_END : CLAIM_RELEASE);
                assert_int_equal(seen.told, 0);
                assert_int_equal(seen.ended, 0);
                if (!published) {
                        assert_int_equal(why.status, 503);
                        assert_int_equal(why.reason, cases[i].want_reason);
                        assert_non_null(strstr(why.detail, cases[i].want));
                }
                end_test(&f);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_end_of_the_publish),
                cmocka_unit_test(accepted_when_the_queue_has_it),
                cmocka_unit_test(refused_or_unknown_otherwise),
                cmocka_unit_test(what_is_not_published_takes_nothing),
        };

        return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
