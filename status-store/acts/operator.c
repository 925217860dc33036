/* SPDX-License-Identifier: Apache-2.0
 *
 * operator.c: the links of the operator's login, and the publishes of callers that wait.
 */
#include "status-store/acts/operator.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "common/amqp/wait.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "common/model/mark.h"
#include "status-store/acts/mark_numbers.h"
#include "status-store/provisioning/stream_publish.h"

enum { WINDOW_MESSAGES = 512, WINDOW_BYTES = 4 * 1024 * 1024, NAP = 20 /* ms */ };
/* Without a confirm by then the outcome is unknown, and the caller publishes again. */
#define CONFIRM_TIMEOUT ((msec)2 * MSEC_SECOND)
#define ALL_TIMEOUT ((msec)5 * MSEC_SECOND)

struct operator
{
        struct loop_thread *loop;
        struct link *moves;        /* feeds stream `events` */
        struct link *marks;        /* feeds stream `marks` */
        pthread_mutex_t numbering; /* held while a mark message gets its number and is handed over:
                                      so numbers grow in the order of the stream */
        struct mark_numbers *numbers; /* guarded by numbering */
};

struct opening {
        struct operator* o;
        const struct link_config *config;
        struct err *e;
};

static struct link *open_link(const struct opening *o, const char *what, const char *stream)
{
        AUTO_FREE char *name = xasprintf("%s %s", o->config->name, what);
        struct link_config config = *o->config;
        config.name = name;
        config.stream = stream;
        config.confirm_timeout = CONFIRM_TIMEOUT;
        config.window_messages = WINDOW_MESSAGES;
        config.window_bytes = WINDOW_BYTES;
        return link_create(&config, NULL, NULL, loop_thread_loop(o->o->loop), o->e);
}

static void open_links(void *owner)
{
        struct opening *o = owner;
        o->o->moves = open_link(o, "moves", "events");
        if (o->o->moves != NULL)
                o->o->marks = open_link(o, "marks", "marks");
}

static void close_links(void *owner)
{
        struct operator* o = owner;
        link_destroy(&o->moves);
        link_destroy(&o->marks);
}

struct operator* operator_create(const struct link_config *link, struct registry *r, struct err *e)
{
        AUTO(operator) o = xcalloc(1, sizeof(*o));
        pthread_mutex_init(&o->numbering, NULL);
        o->numbers = mark_numbers_create(r, e);
        if (o->numbers == NULL)
                return NULL;
        o->loop = loop_thread_create(e);
        if (o->loop == NULL)
                return NULL;
        struct opening opening = {o, link, e};
        loop_thread_run(o->loop, open_links, &opening);
        return o->marks != NULL ? TAKE(o) : NULL;
}

static void stop_links(void *owner)
{
        struct operator* o = owner;
        link_stop(o->moves);
        link_stop(o->marks);
}

void operator_stop(struct operator* o)
{
        if (o != NULL)
                loop_thread_run(o->loop, stop_links, o);
}

void operator_destroy(struct operator** operator)
{
        struct operator* o = TAKE(*operator);
        if (o == NULL)
                return;
        if (o->loop != NULL) {
                loop_thread_run(o->loop, close_links, o);
                loop_thread_destroy(&o->loop);
        }
        mark_numbers_destroy(&o->numbers);
        pthread_mutex_destroy(&o->numbering);
        free(o);
}

int operator_check(const struct operator* o, struct err *e)
{
        struct err why = {0};
        if (link_is_ready(o->moves, &why) && link_is_ready(o->marks, &why))
                return 0;
        return err_set(e, ERR_UNAVAILABLE, "the broker cannot be reached for acts: %s", why.text);
}

/* Publishes of one call; `done` runs on the link's thread. */
struct batch {
        sem_t ended;
        size_t sent, waited;
        size_t confirmed; /* written before `ended` is posted */
        bool returned;
};

static void on_ended(void *owner, enum link_result result)
{
        struct batch *b = owner;
        b->confirmed += result == LINK_CONFIRMED;
        b->returned |= result == LINK_RETURNED;
        sem_post(&b->ended);
}

static void wait_for_one(struct batch *b)
{
        while (sem_wait(&b->ended) != 0)
                assert(errno == EINTR);
        b->waited++;
}

/* Other calls fill the window: nothing tells when it has room. */
static void nap(void)
{
        const struct timespec length = {.tv_nsec = NAP * 1000000L};
        nanosleep(&length, NULL);
}

/* Hands it to the link, and waits for room in the window as long as that is in time. */
static int publish_one(struct link *l, const struct message *m, struct batch *b, msec deadline,
                       struct err *e)
{
        const struct publish_wait wait = {.done = on_ended, .owner = b, .direct = true};
        struct err why = {0};
        while (link_publish(l, m, &wait, &why) != 0) {
                if (why.code != ERR_FULL || clock_mono() >= deadline)
                        return err_set(e, why.code, "%s", why.text);
                err_clear(&why);
                if (b->waited < b->sent)
                        wait_for_one(b);
                else
                        nap();
        }
        b->sent++;
        return 0;
}

int operator_publish_jobs(struct operator* o, const struct job_message *jobs, size_t count,
                          struct err *e)
{
        const msec deadline = clock_mono() + ALL_TIMEOUT;
        struct batch b = {.sent = 0};
        int done = 0;
        sem_init(&b.ended, 0, 0);
        for (size_t i = 0; i < count && done == 0; i++)
                done = publish_one(o->moves, &jobs[i].message, &b, deadline, e);
        while (b.waited < b.sent)
                wait_for_one(&b);
        sem_destroy(&b.ended);
        if (done != 0 || b.confirmed == count)
                return done;
        return err_set(e, ERR_UNAVAILABLE,
                       b.returned ? "the broker has no queues for a job of this tenant"
                                  : "the broker did not confirm all jobs");
}

int operator_publish_lines(struct operator* o, struct bytes lines, struct err *e)
{
        char id[UUID_SIZE];
        struct message m = {.content_type = bytes_of_text(EVENTS_CONTENT_TYPE), .body = lines};
        return stream_publish(o->moves, "events", &m, id, e);
}

int64_t operator_copy_number(int64_t highest)
{
        uint64_t random = 0;
        random_fill(&random, sizeof(random));
        return copy_number(clock_wall(), random, highest);
}

static int send_marks_locked(struct operator* o, struct message *m, struct batch *b,
                             int64_t *number, struct err *e)
{
        if (mark_numbers_next(o->numbers, number, e) != 0)
                return -1;
        message_add_int(m, MARK_HEADER, *number);
        return publish_one(o->marks, m, b, clock_mono(), e);
}

/* Numbers the message and hands it to the link. */
static int send_marks(struct operator* o, struct message *m, struct batch *b, int64_t *number,
                      struct err *e)
{
        pthread_mutex_lock(&o->numbering);
        int done = send_marks_locked(o, m, b, number, e);
        pthread_mutex_unlock(&o->numbering);
        return done;
}

int operator_publish_marks(struct operator* o, struct bytes lines, int64_t *number, struct err *e)
{
        char id[UUID_SIZE];
        uuid7(id);
        struct message m = {.exchange = bytes_of_text("marks"),
                            .routing_key = bytes_of_text(""),
                            .message_id = bytes_of_text(id),
                            .type = bytes_of_text(MARK_TYPE),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .timestamp = clock_wall() / MSEC_SECOND,
                            .delivery_mode = 2,
                            .mandatory = true,
                            .body = lines};
        struct batch b = {.sent = 0};
        sem_init(&b.ended, 0, 0);
        int done = send_marks(o, &m, &b, number, e);
        while (b.waited < b.sent)
                wait_for_one(&b);
        sem_destroy(&b.ended);
        if (done != 0 || b.confirmed == 1)
                return done;
        return err_set(e, ERR_UNAVAILABLE,
                       b.returned ? "stream marks is missing: run `warren topology apply`"
                                  : "the broker did not confirm marks");
}

void operator_run(struct operator* o, void (*run)(void *owner), void *owner)
{
        loop_thread_run(o->loop, run, owner);
}

uv_loop_t *operator_loop(const struct operator* o)
{
        return loop_thread_loop(o->loop);
}
