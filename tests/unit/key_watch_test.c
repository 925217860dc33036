/* SPDX-License-Identifier: Apache-2.0
 *
 * key_watch_test.c: keys that the primary says are unusable, what it is told, and what holds while
 * it or the broker is away. A fake primary answers the calls.
 */
#include "gateway/key_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/base/condition.h"
#include "common/base/own.h"
#include "tests/unit/unit.h"

#define LAST_KEY 5999
#define LAST_KEY_ID "k0005999"
enum { PATIENCE = 20 * MSEC_SECOND, VERSION = 3 };

static atomic_bool last_is_told; /* LAST_KEY_ID */

static struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool control_up;
        int status; /* 0: no answer */
        char answer[256];
        unsigned calls;
        char told[8192]; /* the bodies of all calls */
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER};

bool __wrap_control_is_up(struct control *c);
bool __wrap_control_key(struct control *c, const char *id, struct key_record *out);
int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e);

bool __wrap_control_is_up(struct control *c)
{
        (void)c;
        pthread_mutex_lock(&world.mutex);
        bool up = world.control_up;
        pthread_mutex_unlock(&world.mutex);
        return up;
}

bool __wrap_control_key(struct control *c, const char *id, struct key_record *out)
{
        (void)c;
        *out = (struct key_record){.v = VERSION};
        return strcmp(id, "unknown1") != 0;
}

int __wrap_http_client_call(struct http_client *c, const struct http_call *call,
                            struct http_reply *reply, struct err *e)
{
        (void)c;
        assert_string_equal(call->path, "/internal/v1/keys/used");
        assert_true(call->timeout <= MSEC_SECOND);
        if (memmem(call->body.data, call->body.length, LAST_KEY_ID, strlen(LAST_KEY_ID)) != NULL)
                atomic_store(&last_is_told, true);
        pthread_mutex_lock(&world.mutex);
        reply->status = world.status;
        buffer_add_text(&reply->body, world.answer);
        size_t length = strlen(world.told);
        snprintf(world.told + length, sizeof(world.told) - length, "%.*s\n", (int)call->body.length,
                 call->body.data);
        world.calls++;
        pthread_cond_broadcast(&world.changed);
        pthread_mutex_unlock(&world.mutex);
        return reply->status != 0 ? 0 : err_set(e, ERR_UNAVAILABLE, "no answer");
}

static void set_world(bool control_up, int status, const char *answer)
{
        pthread_mutex_lock(&world.mutex);
        world.control_up = control_up;
        world.status = status;
        snprintf(world.answer, sizeof(world.answer), "%s", answer);
        world.told[0] = '\0';
        pthread_mutex_unlock(&world.mutex);
}

/* Waits until two more calls were made: the last of them began after this one. */
static void await_calls(void)
{
        const msec until = clock_mono() + PATIENCE;
        pthread_mutex_lock(&world.mutex);
        const unsigned want = world.calls + 2;
        while (world.calls < want) {
                if (!condition_wait(&world.changed, &world.mutex, until))
                        fail_msg("no calls came");
        }
        pthread_mutex_unlock(&world.mutex);
}

static bool was_told(const char *text)
{
        pthread_mutex_lock(&world.mutex);
        bool found = strstr(world.told, text) != NULL;
        pthread_mutex_unlock(&world.mutex);
        return found;
}

static int open_watch(void **state)
{
        const struct http_client_config config = {.base_url = "http://127.0.0.1:1"};
        struct err e = {0};
        set_world(true, 200, "{\"unusable\":[]}");
        *state = key_watch_create(http_client_create(&config, &e), NULL, &e);
        return *state != NULL ? 0 : -1;
}

static int close_watch(void **state)
{
        struct key_watch *w = *state;
        key_watch_destroy(&w);
        return 0;
}

static enum key_check use(struct key_watch *w, const char *id, int64_t v)
{
        struct key_record k = {.v = v};
        (void)!bytes_to_text(bytes_of_text(id), k.id, sizeof(k.id));
        return key_watch_use(w, &k, "10.0.0.7");
}

/* Returns once the check gives that. */
static void await_check(struct key_watch *w, const char *id, enum key_check want)
{
        const msec until = clock_mono() + PATIENCE;
        while (use(w, id, VERSION) != want)
                assert_true(clock_mono() < until);
}

static void uses_are_told(void **state)
{
        struct key_watch *w = *state;
        assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
        await_calls();
        assert_true(was_told("{\"used\":[{\"id\":\"k1x2y3z4\",\"at\":"));
        assert_true(was_told("\"from\":\"10.0.0.7\""));
        set_world(true, 200, "{\"unusable\":[]}");
        await_calls();
        assert_false(was_told("k1x2y3z4")); /* not used since */
}

static void uses_are_told_again_after_a_failure(void **state)
{
        struct key_watch *w = *state;
        await_calls();
        set_world(true, 503, "{}");
        assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
        await_calls();
        set_world(true, 200, "{\"unusable\":[]}");
        await_calls();
        assert_true(was_told("k1x2y3z4"));
}

static void the_last_use_is_told_at_the_end(void **state)
{
        struct key_watch *w = *state;
        await_calls();
        set_world(true, 200, "{\"unusable\":[]}");
        assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
        key_watch_destroy(&w);
        *state = NULL;
        assert_true(was_told("k1x2y3z4"));
}

/* More keys are used all the time than one call takes: the last ones have their turn too. */
static void all_of_many_uses_are_told(void **state)
{
        const msec until = clock_mono() + PATIENCE;
        struct key_watch *w = *state;
        char id[16];
        while (!atomic_load(&last_is_told)) {
                assert_true(clock_mono() < until);
                for (int i = 0; i <= LAST_KEY; i++) {
                        snprintf(id, sizeof(id), "k%07d", i);
                        assert_int_equal(use(w, id, VERSION), KEY_CHECKED);
                }
        }
}

static void unusable_keys_are_refused(void **state)
{
        struct key_watch *w = *state;
        assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
        set_world(true, 200, "{\"unusable\":[\"k1x2y3z4\",\"notused1\",\"unknown1\"],\"later\":1}");
        await_calls();
        await_check(w, "k1x2y3z4", KEY_UNUSABLE);
        assert_int_equal(use(w, "notused1", VERSION), KEY_UNUSABLE);
        assert_int_equal(use(w, "another1", VERSION), KEY_CHECKED);
        assert_int_equal(use(w, "unknown1", 1), KEY_CHECKED);
        /* a later version of the record says by itself what the key may do */
        assert_int_equal(use(w, "k1x2y3z4", VERSION + 1), KEY_CHECKED);
}

static void one_way_is_enough(void **state)
{
        struct key_watch *w = *state;
        set_world(false, 200, "{\"unusable\":[]}");
        for (int i = 0; i < 3; i++) {
                await_calls();
                assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
        }
        set_world(true, 0, "");
        for (int i = 0; i < 3; i++) {
                await_calls();
                assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
        }
}

static void without_both_nobody_is_let_in(void **state)
{
        static const struct {
                int status;
                const char *answer;
        } failures[] = {{0, ""}, {503, "{}"}, {404, "{}"}, {200, "nonsense"}, {200, "{}"}};
        struct key_watch *w = *state;
        for (size_t i = 0; i < COUNT(failures); i++) {
                set_world(false, failures[i].status, failures[i].answer);
                const msec began = clock_mono();
                await_check(w, "k1x2y3z4", KEY_UNCHECKED);
                assert_true(clock_mono() - began <= 2 * MSEC_SECOND);
                set_world(false, 200, "{\"unusable\":[]}");
                await_check(w, "k1x2y3z4", KEY_CHECKED);
        }
        set_world(false, 0, "");
        await_check(w, "k1x2y3z4", KEY_UNCHECKED);
        set_world(true, 0, "");
        assert_int_equal(use(w, "k1x2y3z4", VERSION), KEY_CHECKED);
}

/* Longer than the primary is sure to remember. It answers as if it had forgotten the revocation of
 * a key that was not used: the key is asked about first. */
static void after_a_cut_each_key_is_asked_about(void **state)
{
        struct key_watch *w = *state;
        set_world(false, 0, "");
        await_check(w, "k1x2y3z4", KEY_UNCHECKED);
        const msec until = clock_mono() + 2500;
        while (clock_mono() < until)
                await_calls();
        set_world(false, 200, "{\"unusable\":[]}");
        await_calls();
        assert_int_equal(use(w, "revoked1", VERSION), KEY_UNCHECKED);
        await_calls();
        assert_true(was_told("{\"id\":\"revoked1\",\"at\":0,"));
        await_check(w, "revoked1", KEY_CHECKED);
        /* control knows all */
        assert_int_equal(use(w, "another1", VERSION), KEY_UNCHECKED);
        set_world(true, 200, "{\"unusable\":[]}");
        assert_int_equal(use(w, "another1", VERSION), KEY_CHECKED);
        set_world(false, 200, "{\"unusable\":[]}");
        await_calls();
        await_calls();
        assert_int_equal(use(w, "another2", VERSION), KEY_CHECKED);
}

#define WITH_WATCH(test) cmocka_unit_test_setup_teardown(test, open_watch, close_watch)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_WATCH(uses_are_told),
                WITH_WATCH(uses_are_told_again_after_a_failure),
                WITH_WATCH(the_last_use_is_told_at_the_end),
                WITH_WATCH(unusable_keys_are_refused),
                WITH_WATCH(one_way_is_enough),
                WITH_WATCH(without_both_nobody_is_let_in),
                WITH_WATCH(after_a_cut_each_key_is_asked_about),
                WITH_WATCH(all_of_many_uses_are_told),
        };
        condition_init(&world.changed);
        http_client_global_init();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
