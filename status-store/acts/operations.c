/* SPDX-License-Identifier: Apache-2.0
 *
 * operations.c: the thread of operations.
 */
#include "status-store/acts/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/rounds.h"
#include "status-store/acts/operation_page.h"

#define CURRENT_WAIT ((msec)5 * MSEC_SECOND)
#define AGAIN_AFTER ((msec)500)        /* a page that failed */
#define LOOK_EVERY ((msec)MSEC_MINUTE) /* when nothing runs */
enum { JOBS_A_SECOND = 2000 };         /* that an operation runs now */

/* What is known of a running operation besides its row. */
struct turn {
        char id[UUID_SIZE];
        bool listed;
        msec next; /* monotonic: not before */
        char waiting[OPERATION_ERROR_SIZE];
};

struct operations {
        struct operations_config config;
        struct metric *states, *jobs;
        msec forget_at; /* the thread's, like current */
        bool current;   /* the projection has been, since this process began */
        struct rounds *rounds;
        pthread_mutex_t mutex;
        bool ending; /* guarded by mutex, like turns */
        struct turn turns[OPERATIONS_RUNNING_MAX];
        size_t turn_count;
};

static struct turn *find_turn_locked(struct operations *o, const char *id)
{
        for (size_t i = 0; i < o->turn_count; i++)
                if (strcmp(o->turns[i].id, id) == 0)
                        return &o->turns[i];
        return NULL;
}

/* The turns of the listed operations stay, the others go. */
static void keep_turns(struct operations *o, const struct operation *all, int count)
{
        pthread_mutex_lock(&o->mutex);
        for (size_t i = 0; i < o->turn_count; i++)
                o->turns[i].listed = false;
        for (int i = 0; i < count; i++) {
                struct turn *t = find_turn_locked(o, all[i].id);
                if (t != NULL)
                        t->listed = true;
        }
        size_t kept = 0;
        for (size_t i = 0; i < o->turn_count; i++)
                if (o->turns[i].listed)
                        o->turns[kept++] = o->turns[i];
        o->turn_count = kept;
        for (int i = 0; i < count && o->turn_count < OPERATIONS_RUNNING_MAX; i++) {
                if (find_turn_locked(o, all[i].id) != NULL)
                        continue;
                struct turn *t = &o->turns[o->turn_count++];
                *t = (struct turn){.next = 0};
                memcpy(t->id, all[i].id, sizeof(t->id));
        }
        pthread_mutex_unlock(&o->mutex);
}

/* waiting: "": it goes on. Returns whether it waited before. */
static bool note_turn(struct operations *o, const char *id, msec next, const char *waiting)
{
        pthread_mutex_lock(&o->mutex);
        struct turn *t = find_turn_locked(o, id);
        bool waited = t != NULL && t->waiting[0] != '\0';
        if (t != NULL) {
                t->next = next;
                snprintf(t->waiting, sizeof(t->waiting), "%s", waiting);
        }
        pthread_mutex_unlock(&o->mutex);
        return waited;
}

void operations_waiting(struct operations *o, const char *id, char out[OPERATION_ERROR_SIZE])
{
        out[0] = '\0';
        pthread_mutex_lock(&o->mutex);
        const struct turn *t = find_turn_locked(o, id);
        if (t != NULL)
                memcpy(out, t->waiting, OPERATION_ERROR_SIZE);
        pthread_mutex_unlock(&o->mutex);
}

/* Publishes the bulk marks, again after a crash. From before that on it cannot be aborted. */
static int publish_bulk(struct operations *o, const struct operation *op, int64_t *mark,
                        struct err *e)
{
        AUTO_PAGE_FILTER f = {.filter = {.tenant = op->tenant}};
        AUTO_BUFFER lines = {0};
        if (page_filter_read(&f, op, e) != 0 ||
            operation_write_marks(&f.filter, op->copy, clock_wall(), &lines, e) != 0 ||
            registry_note_bulk(o->config.registry, op->id, BULK_BEGUN, e) != 0)
                return -1;
        if (acts_publish_marks(o->config.acts, buffer_bytes(&lines), mark, e) != 0)
                return -1;
        return registry_note_bulk(o->config.registry, op->id, BULK_MARKED, e);
}

/* The thread publishes what could not be published here. */
static void mark_at_once(struct operations *o, const struct operation *op,
                         struct acts_behind *behind)
{
        struct err why = {0};
        int64_t mark = 0;
        behind->unknown = true;
        if (publish_bulk(o, op, &mark, &why) == 0)
                acts_await_seen(o->config.acts, mark, clock_mono() + SEEN_WAIT, behind);
        else
                LOG_WARN("the mark of an operation was not published; trying again",
                         log_text("operation", op->id), log_err(&why));
}

int operations_start(struct operations *o, struct operation *op, enum operation_start *out,
                     struct acts_behind *behind, struct err *e)
{
        *behind = (struct acts_behind){.count = 0};
        op->copy = operator_copy_number(0);
        if (registry_start_operation(o->config.registry, op, clock_wall(), out, e) != 0)
                return -1;
        if (*out != START_DONE)
                return 0;
        LOG_INFO("an operation was started", log_text("operation", op->id),
                 log_text("kind", operation_kind_name(op->kind)), log_text("by", op->by),
                 log_int("jobs", op->expected));
        if (op->bulk == BULK_WANTED)
                mark_at_once(o, op, behind);
        rounds_wake(o->rounds);
        return 0;
}

static void count_outcomes(struct operations *o, enum operation_kind kind,
                           const struct acts_page *p)
{
        const char *name = operation_kind_name(kind);
        metric_increment(o->jobs, (double)p->done, name, "done");
        metric_increment(o->jobs, (double)p->skipped, name, "skipped");
        metric_increment(o->jobs, (double)p->failed, name, "failed");
}

/* Who has read a message without marks has read all that were published before it. It is a blank
 * line: a message without a body is a link's probe, which nobody counts. */
static int await_marks(struct operations *o, const struct operation *op, char *error, struct err *e)
{
        struct acts_behind behind;
        int64_t mark = 0;
        if (op->kind != OPERATION_CANCEL)
                return 0;
        if (acts_publish_marks(o->config.acts, bytes_of("\n", 1), &mark, e) != 0)
                return -1;
        acts_await_seen(o->config.acts, mark, clock_mono() + SEEN_WAIT, &behind);
        if (behind.unknown || behind.count > 0)
                snprintf(error, OPERATION_ERROR_SIZE,
                         "not every consumer told that it had read the marks%s%s: it may start "
                         "what was cancelled until it has",
                         behind.count > 0 ? ", such as " : "",
                         behind.count > 0 ? behind.workers[0] : "");
        return 0;
}

/* All jobs were met. 0: it has ended; -1: not yet. */
static int finish(struct operations *o, const struct operation *op, struct err *e)
{
        char by[ACT_BY_SIZE];
        char error[OPERATION_ERROR_SIZE] = "";
        operation_by(op, by);
        int open = registry_has_acts_by(o->config.registry, by, e);
        if (open != 0)
                return open < 0 ? -1
                                : err_set(e, ERR_UNAVAILABLE,
                                          "acts that were interrupted are "
                                          "being done again");
        if (await_marks(o, op, error, e) != 0 ||
            registry_end_operation(o->config.registry, op->id, OPERATION_DONE, error, e) != 0)
                return -1;
        LOG_INFO("an operation has ended", log_text("operation", op->id), log_int("done", op->done),
                 log_int("skipped", op->skipped), log_int("failed", op->failed));
        return 0;
}

/* A projection that is rebuilt does not have all rows yet: a walk would pass over jobs, or end. */
static int await_current(struct operations *o, struct err *e)
{
        if (o->current)
                return 0;
        int current = acts_become_current(o->config.acts, clock_mono() + CURRENT_WAIT, e);
        o->current = current == 1;
        if (current == 0)
                return err_set(e, ERR_UNAVAILABLE, "the status is behind the events");
        return current < 0 ? -1 : 0;
}

/* *next: when its turn comes again. */
static int step(struct operations *o, const struct operation *op, msec *next, struct err *e)
{
        const msec began = clock_mono();
        AUTO_FREE struct operation_page *page = xcalloc(1, sizeof(*page));
        int64_t mark = 0;
        if ((op->bulk == BULK_WANTED || op->bulk == BULK_BEGUN) &&
            publish_bulk(o, op, &mark, e) != 0)
                return -1;
        if (await_current(o, e) != 0 || operation_page_fill(page, o->config.readers, op, e) != 0)
                return -1;
        if (page->is_last)
                return finish(o, op, e);
        int done = operation_page_apply(page, o->config.acts, o->config.registry, e);
        if (page->is_noted)
                count_outcomes(o, op->kind, &page->acts);
        if (op->kind == OPERATION_RUN_NOW)
                *next = began + (msec)page->acts.done * MSEC_SECOND / JOBS_A_SECOND;
        return done;
}

/* A filter that cannot be read again never can. */
static void give_up(struct operations *o, const struct operation *op, const struct err *why)
{
        struct err e = {0};
        LOG_ERROR("an operation failed", log_text("operation", op->id), log_err(why));
        if (registry_end_operation(o->config.registry, op->id, OPERATION_FAILED, why->text, &e) !=
            0)
                LOG_WARN("its end was not noted; trying again", log_err(&e));
}

static void take_turn(struct operations *o, const struct operation *op)
{
        struct err why = {0};
        msec next = 0;
        if (step(o, op, &next, &why) == 0) {
                (void)note_turn(o, op->id, next, "");
                return;
        }
        if (why.code == ERR_CORRUPT || why.code == ERR_INVALID)
                give_up(o, op, &why);
        bool waited = note_turn(o, op->id, clock_mono() + AGAIN_AFTER, why.text);
        if (!waited && why.code != ERR_CONFLICT) /* aborted meanwhile */
                LOG_WARN("an operation waits", log_text("operation", op->id), log_err(&why));
}

static bool is_due(struct operations *o, const char *id)
{
        pthread_mutex_lock(&o->mutex);
        const struct turn *t = find_turn_locked(o, id);
        bool due = !o->ending && t != NULL && t->next <= clock_mono();
        pthread_mutex_unlock(&o->mutex);
        return due;
}

/* A page of each that is due. -1: they cannot be read. */
static int take_turns(struct operations *o)
{
        const struct operations_asked running = {
                .tenant = "*", .states = 1u << OPERATION_RUNNING, .limit = OPERATIONS_RUNNING_MAX};
        AUTO_FREE struct operation *all = xcalloc(OPERATIONS_RUNNING_MAX, sizeof(*all));
        struct err why = {0};
        int count = registry_operations(o->config.registry, &running, all, &why);
        if (count < 0) {
                LOG_WARN("operations cannot be read", log_err(&why));
                return -1;
        }
        keep_turns(o, all, count);
        for (int i = 0; i < count; i++) {
                if (is_due(o, all[i].id))
                        take_turn(o, &all[i]);
                operation_fini(&all[i]);
        }
        return 0;
}

static void forget_old(struct operations *o)
{
        struct err why = {0};
        if (clock_mono() < o->forget_at)
                return;
        o->forget_at = clock_mono() + LOOK_EVERY;
        if (registry_forget_operations(o->config.registry, clock_wall(), &why) != 0)
                LOG_WARN("old operations cannot be deleted; trying again", log_err(&why));
}

static msec rest_after(struct operations *o, bool failed)
{
        if (failed)
                return AGAIN_AFTER;
        const msec now = clock_mono();
        msec rest = LOOK_EVERY;
        pthread_mutex_lock(&o->mutex);
        for (size_t i = 0; i < o->turn_count; i++)
                rest = o->turns[i].next - now < rest ? o->turns[i].next - now : rest;
        pthread_mutex_unlock(&o->mutex);
        return rest;
}

static msec round_of(void *owner)
{
        struct operations *o = owner;
        bool failed = take_turns(o) != 0;
        forget_old(o);
        return rest_after(o, failed);
}

static void collect(void *owner)
{
        struct operations *o = owner;
        int64_t counts[OPERATION_STATES];
        struct err why = {0};
        if (registry_count_operations(o->config.registry, counts, &why) != 0) {
                LOG_WARN("metrics not filled", log_err(&why));
                return;
        }
        for (int i = 0; i < OPERATION_STATES; i++)
                metric_set(o->states, (double)counts[i],
                           operation_state_name((enum operation_state)i));
}

struct operations *operations_create(const struct operations_config *c, struct err *e)
{
        AUTO(operations) o = xcalloc(1, sizeof(*o));
        o->config = *c;
        o->states = metric_add(c->metrics,
                               &(struct metric_spec){.name = "warren_operations",
                                                     .help = "Operations on many jobs that are "
                                                             "kept, and previews.",
                                                     .kind = METRIC_GAUGE,
                                                     .labels = {"state"}});
        o->jobs = metric_add(c->metrics,
                             &(struct metric_spec){.name = "warren_operation_jobs_total",
                                                   .help = "Jobs that operations acted on.",
                                                   .kind = METRIC_COUNTER,
                                                   .labels = {"kind", "outcome"}});
        for (int i = 0; i < OPERATION_KINDS; i++) /* each series is there from the start */
                count_outcomes(o, (enum operation_kind)i, &(struct acts_page){.count = 0});
        pthread_mutex_init(&o->mutex, NULL);
        o->rounds = rounds_start("operations", 0, round_of, o, e);
        if (o->rounds == NULL)
                return NULL;
        metrics_on_collect(c->metrics, collect, o);
        return TAKE(o);
}

void operations_destroy(struct operations **operations)
{
        struct operations *o = TAKE(*operations);
        if (o == NULL)
                return;
        pthread_mutex_lock(&o->mutex);
        o->ending = true;
        pthread_mutex_unlock(&o->mutex);
        rounds_end(&o->rounds);
        pthread_mutex_destroy(&o->mutex);
        free(o);
}
