/* SPDX-License-Identifier: Apache-2.0
 *
 * health_view.c: asks the status-store and the dlx-monitor for what they found.
 */
#include "gateway/health_view.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/json_path.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define ASK_TIMEOUT ((msec)3 * MSEC_SECOND)

#define AUTO_REPLY __attribute__((cleanup(http_reply_fini))) struct http_reply

struct health_view {
        unsigned waiting_max;      /* before start */
        pthread_mutex_t mutex;     /* guards the rest */
        pthread_cond_t news;       /* of `ended` */
        unsigned waiting;          /* threads in health_view_complete */
        uint64_t begun, ended;     /* rounds of questions to the services */
        struct findings *services; /* of the last round, with those about whether they answer */
        struct findings *own;      /* the last ones */
};

struct service {
        enum check check;
        struct http_client *client;
        const char *remedy; /* when it does not answer */
};

struct health_view *health_view_create(unsigned waiting_max)
{
        struct health_view *v = xcalloc(1, sizeof(*v));

        v->waiting_max = waiting_max;
        pthread_mutex_init(&v->mutex, NULL);
        pthread_cond_init(&v->news, NULL);
        v->services = findings_create();
        v->own = findings_create();
        return v;
}

void health_view_destroy(struct health_view **view)
{
        struct health_view *v = TAKE(*view);

        if (v == NULL)
                return;
        pthread_cond_destroy(&v->news);
        pthread_mutex_destroy(&v->mutex);
        findings_destroy(&v->services);
        findings_destroy(&v->own);
        free(v);
}

/* Adds what a 200 says. */
static int read_answer(const struct http_reply *reply, struct findings *f, struct err *e)
{
        struct scan_fault fault;
        AUTO_BUFFER detail = {0};

        if (scan_check(buffer_bytes(&reply->body), SCAN_DEPTH_WRAPPED, &fault) != 0)
                return err_set(e, ERR_PROTOCOL, "the answer is not JSON");
        struct scan_value answer = scan_root(buffer_bytes(&reply->body));
        if (reply->status == 200)
                return findings_read(f, answer, e);
        (void)json_path_add(answer, "detail", &detail);
        return err_set(e, ERR_UNAVAILABLE, "it answers %d: %s", reply->status,
                       detail.length > 0 ? detail.data : "without a reason");
}

/* An earlier version of the service answers 404: it is there, and tells nothing. */
static void ask(const struct service *s, struct findings *f)
{
        const struct http_call call = {
                .method = "GET", .path = "/internal/v1/health", .timeout = ASK_TIMEOUT};
        AUTO_REPLY reply = {0};
        struct err why = {0};

        if (http_client_call(s->client, &call, &reply, &why) == 0 &&
            (reply.status == 404 || read_answer(&reply, f, &why) == 0))
                findings_add(f, s->check, FINDING_OK, NULL, NULL);
        else
                findings_add(f, s->check, FINDING_WRONG, why.text, s->remedy);
}

static struct findings *ask_all(const struct health_services *s)
{
        const struct service store = {
                CHECK_STATUS_STORE, s->status_store,
                "start warren-status-store, or see the gateway's status_store_url"};
        const struct service monitor = {
                CHECK_DLX_MONITOR, s->dlx_monitor,
                "start warren-dlx-monitor, or see the gateway's dlx_monitor_url"};

        struct findings *answer = findings_create();
        ask(&store, answer);
        ask(&monitor, answer);
        return answer;
}

/* Until an answer is there that was asked for later than now. */
static void await_answer_locked(struct health_view *v, const struct health_services *s)
{
        uint64_t before = v->begun;

        while (v->ended <= before) {
                if (v->begun > v->ended) {
                        pthread_cond_wait(&v->news, &v->mutex);
                        continue;
                }
                v->begun++;
                pthread_mutex_unlock(&v->mutex);
                struct findings *answer = ask_all(s);
                pthread_mutex_lock(&v->mutex);
                findings_destroy(&v->services);
                v->services = answer;
                v->ended = v->begun;
                pthread_cond_broadcast(&v->news);
        }
}

int health_view_complete(struct health_view *v, const struct health_services *s,
                         struct findings *own, struct err *e)
{
        enum {
                TIMED_HERE = LAYER_GATEWAY | LAYER_ARCHIVE,
                TIMED_THERE = LAYER_WORK | LAYER_BROKER
        };

        pthread_mutex_lock(&v->mutex);
        if (v->waiting == v->waiting_max) {
                pthread_mutex_unlock(&v->mutex);
                return err_set(e, ERR_FULL, "too many requests for the health at once");
        }
        v->waiting++;
        await_answer_locked(v, s);
        v->waiting--;
        findings_copy(own, v->services, TIMED_HERE);
        findings_note_times(own, v->own, clock_wall());
        findings_destroy(&v->own);
        v->own = findings_create();
        findings_copy(v->own, own, TIMED_HERE);
        findings_copy(own, v->services, TIMED_THERE);
        pthread_mutex_unlock(&v->mutex);
        return 0;
}
