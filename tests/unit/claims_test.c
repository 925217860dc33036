/* SPDX-License-Identifier: Apache-2.0
 *
 * claims_test.c: what goes into a call and who gets its answers; failed calls, the time without
 * calls after one, the limits, and the end. A fake primary takes the calls and answers when told.
 */
#include "gateway/claims.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#include "tests/unit/unit.h"

enum { WAITING_MAX = 8, PATIENCE = 20 * MSEC_SECOND };

#define GRANTED \
        "{\"state\":\"granted\",\"id\":\"0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee\"," \
        "\"submitted_at\":7,\"run_at\":8,\"expires_at\":9,\"scheduled\":true,\"taken\":2," \
        "\"retry_ms\":0}"
#define INVALID "{\"state\":\"invalid\"}"
#define IN_FLIGHT "{\"state\":\"in_flight\",\"retry_ms\":1000}"

/* The primary: a call waits in it until the test answers. */
static struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        char *body; /* of the call that waits; NULL: none does */
        unsigned calls, returned;
        bool answered, stopped;
        int status; /* 0: no answer */
        char answer[16384];
} primary = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct meters meters;

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e);
void __wrap_http_client_stop(struct http_client *c);

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e)
{
        (void)c;
        assert_string_equal(call->method, "POST");
        assert_string_equal(call->path, "/internal/v1/claims");
        pthread_mutex_lock(&primary.mutex);
        primary.body = xasprintf("%.*s", (int)call->body.length, call->body.data);
        primary.calls++;
        primary.answered = false;
        pthread_cond_broadcast(&primary.changed);
        msec until = clock_mono() + call->timeout;
        while (!primary.answered && !primary.stopped &&
               condition_wait(&primary.changed, &primary.mutex, until))
                ;
        int status = primary.answered ? primary.status : 0;
        reply->status = status;
        buffer_add_text(&reply->body, primary.answer);
        free(TAKE(primary.body));
        primary.returned++;
        pthread_cond_broadcast(&primary.changed);
        pthread_mutex_unlock(&primary.mutex);
        return status != 0 ? 0 : err_set(e, ERR_UNAVAILABLE, "no answer");
}

void __wrap_http_client_stop(struct http_client *c)
{
        (void)c;
        pthread_mutex_lock(&primary.mutex);
        primary.stopped = true;
        pthread_cond_broadcast(&primary.changed);
        pthread_mutex_unlock(&primary.mutex);
}

/* The body of the call that waits, or of the next one. The caller frees it. */
static char *next_call(void)
{
        msec until = clock_mono() + PATIENCE;

        pthread_mutex_lock(&primary.mutex);
        while (primary.body == NULL || primary.answered) {
                if (!condition_wait(&primary.changed, &primary.mutex, until))
                        fail_msg("no call came");
        }
        char *body = xstrdup(primary.body);
        pthread_mutex_unlock(&primary.mutex);
        return body;
}

/* Answers the call that waits; claims: elements of an array. Returns once it has returned. */
static void answer_call(int status, const char *claims)
{
        pthread_mutex_lock(&primary.mutex);
        unsigned before = primary.returned;
        primary.status = status;
        snprintf(primary.answer, sizeof(primary.answer), "{\"claims\":[%s],\"lease_ms\":30000}",
                 claims);
        primary.answered = true;
        pthread_cond_broadcast(&primary.changed);
        while (primary.returned == before)
                pthread_cond_wait(&primary.changed, &primary.mutex);
        pthread_mutex_unlock(&primary.mutex);
}

static unsigned calls(void)
{
        pthread_mutex_lock(&primary.mutex);
        unsigned count = primary.calls;
        pthread_mutex_unlock(&primary.mutex);
        return count;
}

/* A caller of claims_ask on a thread of its own. */
struct asker {
        struct claims *claims;
        char keys[CLAIMS_AT_ONCE][JOB_KEY_SIZE];
        struct claim_ask asks[CLAIMS_AT_ONCE];
        struct claim_answer answers[CLAIMS_AT_ONCE];
        size_t count;
        int got;
        struct err e;
        msec took;
        pthread_t thread;
};

static void *ask(void *owner)
{
        struct asker *a = owner;
        msec since = clock_mono();

        a->got = claims_ask(a->claims, a->asks, a->answers, a->count, &a->e);
        a->took = clock_mono() - since;
        return NULL;
}

static struct asker *begin_for(struct claims *c, const char *tenant, const char *name, size_t count)
{
        struct asker *a = xcalloc(1, sizeof(*a));

        a->claims = c;
        a->count = count;
        for (size_t i = 0; i < count; i++) {
                snprintf(a->keys[i], sizeof(a->keys[i]), "%s/%zu", name, i);
                a->asks[i] = (struct claim_ask){.tenant = tenant,
                                                .key = a->keys[i],
                                                .hash = "00112233445566778899aabbccddeeff",
                                                .holder = "0190aaaa-bbbb-7ccc-8ddd-000000000001",
                                                .submitted_at = 5,
                                                .run_at = 6,
                                                .known = true};
        }
        assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
        return a;
}

static struct asker *begin(struct claims *c, const char *name, size_t count)
{
        return begin_for(c, "acme", name, count);
}

static void join(struct asker *a)
{
        assert_int_equal(pthread_join(a->thread, NULL), 0);
}

static void until_waiting(struct claims *c, unsigned count)
{
        msec until = clock_mono() + PATIENCE;

        while (claims_waiting(c) != count)
                assert_true(clock_mono() < until);
}

static void check_has(const char *body, const char *want)
{
        if (strstr(body, want) == NULL)
                fail_msg("%s\nis not in\n%s", want, body);
}

static void check_has_not(const char *body, const char *text)
{
        if (strstr(body, text) != NULL)
                fail_msg("%s\nis in\n%s", text, body);
}

static int set_up(void **state)
{
        const struct claims_config config = {.waiting_max = WAITING_MAX,
                                             .waiting_each = (WAITING_MAX + 1) / 2,
                                             .confirm_timeout = 5 * MSEC_SECOND,
                                             .meters = &meters};

        condition_init(&primary.changed);
        primary.calls = 0;
        primary.stopped = primary.answered = false;
        meters_init(&meters);
        *state = claims_create(&config);
        return 0;
}

static int tear_down(void **state)
{
        struct claims *c = *state;

        claims_destroy(&c);
        metrics_destroy(&meters.metrics);
        pthread_cond_destroy(&primary.changed);
        return 0;
}

static void test_grant(void **state)
{
        struct asker *a = begin(*state, "k", 1);
        AUTO_FREE char *body = next_call();
        msec before = clock_boot();

        assert_string_equal(
                body, "{\"ended\":[],\"claims\":[{\"tenant\":\"acme\",\"key\":\"k/0\","
                      "\"hash\":\"00112233445566778899aabbccddeeff\","
                      "\"holder\":\"0190aaaa-bbbb-7ccc-8ddd-000000000001\",\"submitted_at\":5,"
                      "\"run_at\":6,\"expires_at\":0,\"scheduled\":false,\"look\":false,"
                      "\"known\":true}]}");
        answer_call(200, GRANTED);
        join(a);
        assert_int_equal(a->got, 0);
        assert_int_equal(a->answers[0].state, CLAIM_GRANTED);
        assert_string_equal(a->answers[0].id, "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee");
        assert_int_equal(a->answers[0].submitted_at, 7);
        assert_int_equal(a->answers[0].run_at, 8);
        assert_int_equal(a->answers[0].expires_at, 9);
        assert_true(a->answers[0].scheduled);
        assert_int_equal(a->answers[0].taken, 2);
        /* A third of the lease, since the call began. */
        assert_true(a->answers[0].publish_by <= before + 10 * MSEC_SECOND);
        assert_true(a->answers[0].publish_by > before + 5 * MSEC_SECOND);
        free(a);
}

/* What is asked and ended while a call is out is the next call, ends first. */
static void test_packs(void **state)
{
        struct claims *c = *state;
        struct asker *first = begin(c, "first", 1);
        free(next_call());
        struct asker *second = begin(c, "second", 2), *third = begin(c, "third", 1);

        claims_end(c, "acme", "e1", "holder-1", CLAIM_SETTLE);
        claims_end(c, "acme", "e2", "holder-2", CLAIM_RELEASE);
        claims_end(c, "acme", "e3", "holder-3", CLAIM_ABANDON);
        until_waiting(c, 3);
        answer_call(200, IN_FLIGHT);
        join(first);
        assert_int_equal(first->answers[0].state, CLAIM_IN_FLIGHT);
        assert_int_equal(first->answers[0].retry, 1000);
        AUTO_FREE char *body = next_call();
        check_has(body, "{\"ended\":[{\"tenant\":\"acme\",\"key\":\"e1\",\"holder\":\"holder-1\","
                        "\"how\":\"settled\"},");
        check_has(body, "\"e2\",\"holder\":\"holder-2\",\"how\":\"released\"},");
        check_has(body, "\"e3\",\"holder\":\"holder-3\",\"how\":\"abandoned\"}],\"claims\":[");
        check_has(body, "second/0");
        check_has(body, "second/1");
        check_has(body, "third/0");
        bool second_first = strstr(body, "second/0") < strstr(body, "third/0");
        answer_call(200, second_first ? GRANTED "," INVALID "," GRANTED
                                      : GRANTED "," GRANTED "," INVALID);
        join(second);
        join(third);
        assert_int_equal(second->answers[0].state, CLAIM_GRANTED);
        assert_int_equal(second->answers[1].state, CLAIM_INVALID);
        assert_int_equal(third->answers[0].state, CLAIM_GRANTED);
        assert_int_equal(calls(), 2);
        free(first);
        free(second);
        free(third);
}

/* The primary may have granted what a failed call asked for. Those behind it fail too, and have
 * nothing to release. Meanwhile the primary is not asked. */
static void test_failure(void **state)
{
        struct claims *c = *state;
        struct asker *sent = begin(c, "sent", 2);
        sent->asks[1].look = true;
        free(next_call());
        struct asker *behind = begin(c, "behind", 1);

        until_waiting(c, 2);
        claims_end(c, "acme", "end", "holder", CLAIM_SETTLE);
        msec failed_at = clock_mono();
        answer_call(0, "");
        join(sent);
        join(behind);
        assert_int_equal(sent->got, -1);
        assert_int_equal(sent->e.code, ERR_UNAVAILABLE);
        assert_int_equal(behind->got, -1);
        struct asker *refused = begin(c, "refused", 1);
        join(refused);
        assert_int_equal(refused->e.code, ERR_UNAVAILABLE);
        assert_true(refused->took < 900);
        AUTO_FREE char *body = next_call();
        assert_true(clock_mono() - failed_at >= MSEC_SECOND);
        check_has(body, "\"end\",\"holder\":\"holder\",\"how\":\"settled\"}");
        check_has(body, "\"sent/0\",\"holder\":\"0190aaaa-bbbb-7ccc-8ddd-000000000001\","
                        "\"how\":\"released\"}");
        check_has_not(body, "sent/1");
        check_has_not(body, "behind");
        check_has_not(body, "refused");
        answer_call(200, "");
        struct asker *after = begin(c, "after", 1);
        AUTO_FREE char *clean = next_call();
        check_has(clean, "{\"ended\":[],");
        answer_call(200, GRANTED);
        join(after);
        assert_int_equal(after->got, 0);
        free(sent);
        free(behind);
        free(refused);
        free(after);
}

/* Ends of a failed call are sent again, whatever its status, in their order, before those that came
 * meanwhile. */
static void test_ends_are_sent_again(void **state)
{
        struct claims *c = *state;
        static const int statuses[] = {0, 503, 404, 401, 400, 413, 422};

        for (size_t i = 0; i < COUNT(statuses); i++) {
                claims_end(c, "acme", "one", "h", CLAIM_SETTLE);
                AUTO_FREE char *first = next_call();
                claims_end(c, "acme", "two", "h", CLAIM_SETTLE);
                answer_call(statuses[i], "");
                AUTO_FREE char *second = next_call();
                const char *one = strstr(second, "\"one\""), *two = strstr(second, "\"two\"");
                assert_true(one != NULL && two != NULL && one < two);
                answer_call(200, "");
        }
}

static void test_answers_that_are_none(void **state)
{
        struct claims *c = *state;
        static const char *const answers[] = {
                "",
                GRANTED "," GRANTED,
                "{\"state\":\"granted\"}",
                "{\"state\":\"settled\",\"id\":null}",
                "{\"state\":\"lent\"}",
                "{\"id\":\"0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee\"}",
                "7",
                "]",
        };

        for (size_t i = 0; i < COUNT(answers); i++) {
                struct asker *a = begin(c, "k", 1);
                free(next_call());
                answer_call(200, answers[i]);
                join(a);
                if (a->got == 0)
                        fail_msg("taken: %s", answers[i]);
                assert_int_equal(a->e.code, ERR_UNAVAILABLE);
                AUTO_FREE char *body = next_call();
                check_has(body, "\"released\"");
                answer_call(200, "");
                free(a);
        }
}

static void check_full(struct claims *c, const char *tenant, const char *why)
{
        struct asker *refused = begin_for(c, tenant, "refused", 1);

        join(refused);
        assert_int_equal(refused->e.code, ERR_FULL);
        check_has(refused->e.text, why);
        free(refused);
}

/* One tenant leaves half of the places to others. */
static void test_limits(void **state)
{
        struct claims *c = *state;
        struct asker *askers[WAITING_MAX];
        enum { ENDS = 8192 };
        char key[32];

        for (unsigned i = 0; i < WAITING_MAX / 2; i++)
                askers[i] = begin(c, "k", 1);
        free(next_call());
        until_waiting(c, WAITING_MAX / 2);
        check_full(c, "acme", "too many submissions with a key of this tenant at once");
        for (unsigned i = WAITING_MAX / 2; i < WAITING_MAX; i++)
                askers[i] = begin_for(c, "other", "k", 1);
        until_waiting(c, WAITING_MAX);
        check_full(c, "third", "too many submissions with a key at once");
        for (unsigned i = 0; i <= ENDS; i++) {
                snprintf(key, sizeof(key), "end-%u", i);
                claims_end(c, "acme", key, "h", CLAIM_SETTLE);
        }
        answer_call(0, "");
        for (unsigned i = 0; i < WAITING_MAX; i++) {
                join(askers[i]);
                free(askers[i]);
        }
        assert_int_equal(claims_waiting(c), 0);
        AUTO_FREE char *body = next_call();
        check_has_not(body, "\"end-0\"");
        check_has_not(body, "\"end-1300\"");
        unsigned count = 0;
        for (const char *at = body; (at = strstr(at, "\"how\"")) != NULL; at++)
                count++;
        assert_int_equal(count, 1024);
}

/* A call has at most 256 claims; a caller's stay together. */
static void test_call_is_bounded(void **state)
{
        struct claims *c = *state;
        struct asker *out = begin(c, "out", 1);
        free(next_call());
        struct asker *one = begin(c, "one", 200);
        until_waiting(c, 2);
        struct asker *two = begin(c, "two", 100);
        until_waiting(c, 3);

        answer_call(200, IN_FLIGHT);
        AUTO_FREE char *second = next_call();
        check_has(second, "one/199");
        check_has_not(second, "two/");
        AUTO_BUFFER answers = {0};
        for (int i = 0; i < 200; i++)
                buffer_printf(&answers, "%s" IN_FLIGHT, i == 0 ? "" : ",");
        answer_call(200, answers.data);
        AUTO_FREE char *third = next_call();
        check_has(third, "two/99");
        answer_call(503, "");
        join(out);
        join(one);
        join(two);
        assert_int_equal(one->got, 0);
        assert_int_equal(one->answers[199].state, CLAIM_IN_FLIGHT);
        assert_int_equal(two->got, -1);
        free(out);
        free(one);
        free(two);
}

static void *finish(void *owner)
{
        claims_finish(owner, 5 * MSEC_SECOND);
        return NULL;
}

static void test_finish_sends_the_ends(void **state)
{
        struct claims *c = *state;
        pthread_t thread;

        claims_end(c, "acme", "one", "h", CLAIM_SETTLE);
        free(next_call());
        claims_end(c, "acme", "two", "h", CLAIM_SETTLE);
        assert_int_equal(pthread_create(&thread, NULL, finish, c), 0);
        answer_call(200, "");
        AUTO_FREE char *body = next_call();
        check_has(body, "\"two\"");
        answer_call(200, "");
        pthread_join(thread, NULL);
        assert_int_equal(calls(), 2);
        struct asker *late = begin(c, "late", 1);
        join(late);
        assert_int_equal(late->e.code, ERR_UNAVAILABLE);
        free(late);
}

static void test_finish_has_a_limit(void **state)
{
        struct claims *c = *state;
        msec since = clock_mono();

        claims_end(c, "acme", "one", "h", CLAIM_SETTLE);
        free(next_call());
        claims_finish(c, 50);
        assert_true(clock_mono() - since < 2 * MSEC_SECOND);
}

int main(void)
{
#define CLAIMS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CLAIMS_TEST(test_grant),
                CLAIMS_TEST(test_packs),
                CLAIMS_TEST(test_failure),
                CLAIMS_TEST(test_ends_are_sent_again),
                CLAIMS_TEST(test_answers_that_are_none),
                CLAIMS_TEST(test_limits),
                CLAIMS_TEST(test_call_is_bounded),
                CLAIMS_TEST(test_finish_sends_the_ends),
                CLAIMS_TEST(test_finish_has_a_limit),
        };
        return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
