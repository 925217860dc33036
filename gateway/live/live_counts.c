/* SPDX-License-Identifier: Apache-2.0
 *
 * live_counts.c: the thread that asks, and its last answer.
 */
#include "gateway/live/live_counts.h"

#include <jansson.h>
#include <pthread.h>
#include <string.h>

#include "common/base/condition.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/status.h"

enum {
        ASK_EVERY = 1000,    /* ms */
        CALL_TIMEOUT = 3000, /* ms */
        TENANTS_MAX = 1000,  /* in one text, so that it fits what may wait for a client */
};

struct live_counts {
        struct http_client *client;
        pthread_t thread;
        bool has_thread;
        bool failing; /* the thread's: the last call failed, which was logged */
        pthread_mutex_t mutex;
        pthread_cond_t wake;
        /* guarded by mutex */
        bool wanted, ending;
        bool fresh; /* there was an answer, or a failure, since they are wanted */
        uint64_t version;
        json_t *answer; /* NULL: failed */
        struct err why;
};

static json_t *ask(struct live_counts *c, struct err *e)
{
        struct http_reply reply = {0};
        const struct http_call call = {
                .method = "GET", .path = "/internal/v1/counts?tenant=*", .timeout = CALL_TIMEOUT};
        json_t *answer = NULL;

        if (http_client_call(c->client, &call, &reply, e) == 0) {
                struct bytes body = buffer_bytes(&reply.body);
                if (reply.status != 200)
                        (void)err_set(e, ERR_UNAVAILABLE, "status %d", reply.status);
                else if (body.length > 0)
                        answer = json_loadb(body.data, body.length, 0, NULL);
                if (reply.status == 200 && !json_is_object(json_object_get(answer, "tenants")))
                        (void)err_set(e, ERR_PROTOCOL, "its answer cannot be read");
        }
        http_reply_fini(&reply);
        if (!err_is_set(e))
                return answer;
        json_decref(answer);
        return NULL;
}

static void log_change(struct live_counts *c, bool failed, const struct err *why)
{
        if (failed && !c->failing)
                LOG_WARN("the status-store does not tell the live feed its counts", log_err(why));
        else if (!failed && c->failing)
                LOG_INFO("the status-store tells the live feed its counts again");
        c->failing = failed;
}

static void look(struct live_counts *c)
{
        struct err why = {0};
        json_t *answer = ask(c, &why);

        log_change(c, answer == NULL, &why);
        pthread_mutex_lock(&c->mutex);
        json_t *before = c->answer;
        c->answer = answer;
        c->why = why;
        c->version++;
        c->fresh = true;
        pthread_mutex_unlock(&c->mutex);
        json_decref(before);
}

/* False: the thread is to end. */
static bool wait_for_turn(struct live_counts *c, msec until)
{
        pthread_mutex_lock(&c->mutex);
        while (!c->ending && !c->wanted)
                pthread_cond_wait(&c->wake, &c->mutex);
        while (!c->ending && condition_wait(&c->wake, &c->mutex, until))
                continue;
        bool goes_on = !c->ending;
        pthread_mutex_unlock(&c->mutex);
        return goes_on;
}

static void *run(void *owner)
{
        struct live_counts *c = owner;

        for (msec next = clock_mono(); wait_for_turn(c, next); next = clock_mono() + ASK_EVERY)
                look(c);
        return NULL;
}

struct live_counts *live_counts_create(struct http_client *client, struct err *e)
{
        AUTO(live_counts) c = xcalloc(1, sizeof(*c));

        c->client = client;
        pthread_mutex_init(&c->mutex, NULL);
        condition_init(&c->wake);
        if (pthread_create(&c->thread, NULL, run, c) != 0) {
                (void)err_set(e, ERR_SYSTEM, "cannot start the thread that asks for counts");
                return NULL;
        }
        c->has_thread = true;
        return TAKE(c);
}

void live_counts_destroy(struct live_counts **counts)
{
        struct live_counts *c = TAKE(*counts);

        if (c == NULL)
                return;
        pthread_mutex_lock(&c->mutex);
        c->ending = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->mutex);
        if (c->has_thread)
                pthread_join(c->thread, NULL);
        json_decref(c->answer);
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->mutex);
        free(c);
}

void live_counts_want(struct live_counts *c, bool wanted)
{
        pthread_mutex_lock(&c->mutex);
        if (wanted && !c->wanted) {
                c->fresh = false;
                pthread_cond_signal(&c->wake);
        }
        c->wanted = wanted;
        pthread_mutex_unlock(&c->mutex);
}

uint64_t live_counts_version(struct live_counts *c)
{
        pthread_mutex_lock(&c->mutex);
        uint64_t version = c->fresh ? c->version : 0;
        pthread_mutex_unlock(&c->mutex);
        return version;
}

static void write_statuses(const char *name, const int64_t *counts, struct buffer *out)
{
        json_begin_object(out, name);
        for (unsigned s = 0; s < STATUS_COUNT; s++)
                json_put_int(out, status_name((enum status)s), counts[s]);
        json_end(out);
}

/* "statuses" of all the tenants, and those of each of the first. */
static void write_tenants(json_t *tenants, const char *tenant, struct buffer *out)
{
        int64_t sums[STATUS_COUNT] = {0};
        unsigned count = 0;
        const char *name;
        json_t *counts;

        json_begin_object(out, "tenants");
        json_object_foreach(tenants, name, counts)
        {
                int64_t of_one[STATUS_COUNT];

                if (tenant[0] != '*' && strcmp(name, tenant) != 0)
                        continue;
                for (unsigned s = 0; s < STATUS_COUNT; s++) {
                        const char *status = status_name((enum status)s);
                        of_one[s] = json_integer_value(json_object_get(counts, status));
                        sums[s] += of_one[s];
                }
                if (count++ < TENANTS_MAX)
                        write_statuses(name, of_one, out);
        }
        json_end(out);
        if (count > TENANTS_MAX)
                json_put_int(out, "more", count - TENANTS_MAX);
        write_statuses("statuses", sums, out);
}

static void write_failure(const struct live_counts *c, struct buffer *out)
{
        char detail[sizeof(c->why.text) + 32];

        snprintf(detail, sizeof(detail), "status-store: %s", c->why.text);
        json_put_null(out, "counts");
        json_put_flag(out, "stale", true);
        json_put_string(out, "detail", detail);
}

void live_counts_write(struct live_counts *c, const char *tenant, struct buffer *out)
{
        json_begin(out);
        pthread_mutex_lock(&c->mutex);
        if (c->answer == NULL) {
                write_failure(c, out);
        } else {
                json_begin_object(out, "counts");
                json_put_string(out, "as_of",
                                json_string_value(json_object_get(c->answer, "as_of")));
                json_put_int(out, "lag_ms",
                             json_integer_value(json_object_get(c->answer, "lag_ms")));
                write_tenants(json_object_get(c->answer, "tenants"), tenant, out);
                json_end(out);
        }
        pthread_mutex_unlock(&c->mutex);
        json_end(out);
}
