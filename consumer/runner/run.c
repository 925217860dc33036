/* SPDX-License-Identifier: Apache-2.0
 *
 * run.c: counts runs, tracks shortages of the system, begins and ends runs.
 */
#include "consumer/runner/run.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "consumer/runner/text.h"

enum { SHORTAGE_LOG_EVERY = 10000 /* ms */ };

/* How many attempts of a type run here. By name, so that the count survives a reload. */
struct type_load {
        char type[JOB_TYPE_SIZE];
        unsigned running;
        UT_hash_handle hh;
};

struct runs {
        struct type_load *loads;
        unsigned running;
        bool shortage; /* the last start was refused; until a run ends or the alarm rings */
        struct alarm *shortage_alarm;
        msec shortage_logged_at; /* monotonic; when it was last logged */
        struct metric *put_off;
        struct buffer text; /* borrowed by the run_end that is being reported */
};

static void on_shortage_alarm(void *owner)
{
        struct runs *all = owner;

        all->shortage = false;
}

struct runs *runs_create(uv_loop_t *loop, struct metrics *m)
{
        struct runs *all = xcalloc(1, sizeof(*all));

        all->shortage_alarm = alarm_create(loop, on_shortage_alarm, all);
        all->put_off = metric_add(
                m, &(struct metric_spec){.name = "warren_starts_put_off_total",
                                         .help = "Starts of programs and plugin hosts put off for "
                                                 "lack of descriptors, processes or memory.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"kind"}});
        metric_increment(all->put_off, 0, "exec");
        metric_increment(all->put_off, 0, "plugin");
        return all;
}

void runs_destroy(struct runs **all)
{
        if (*all == NULL)
                return;
        assert((*all)->running == 0);
        runs_forget_idle_types(*all);
        buffer_fini(&(*all)->text);
        alarm_destroy(&(*all)->shortage_alarm);
        free(*all);
        *all = NULL;
}

unsigned runs_count(const struct runs *all)
{
        return all->running;
}

static struct type_load *find_load(const struct runs *all, const char *type)
{
        struct type_load *load;

        HASH_FIND_STR(all->loads, type, load);
        return load;
}

bool runs_allow(const struct runs *all, const struct handler *h)
{
        const struct type_load *load = h->concurrency > 0 ? find_load(all, h->type) : NULL;

        return load == NULL || (int64_t)load->running < h->concurrency;
}

unsigned runs_left(const struct runs *all, const struct handler *h)
{
        const struct type_load *load = h->concurrency > 0 ? find_load(all, h->type) : NULL;
        int64_t most = h->concurrency > 0 ? h->concurrency : UINT_MAX;
        int64_t left = most - (load == NULL ? 0 : (int64_t)load->running);

        return left < 0 ? 0 : (unsigned)left;
}

void runs_forget_idle_types(struct runs *all)
{
        struct type_load *load, *next;

        HASH_ITER (hh, all->loads, load, next) {
                if (load->running > 0)
                        continue;
                HASH_DEL(all->loads, load);
                free(load);
        }
}

void runs_note_shortage(struct runs *all, const char *kind, const struct err *why)
{
        msec now = clock_mono();

        all->shortage = true;
        alarm_set(all->shortage_alarm, SHORTAGE_WAIT);
        metric_increment(all->put_off, 1, kind);
        if (all->shortage_logged_at != 0 && now - all->shortage_logged_at < SHORTAGE_LOG_EVERY)
                return;
        all->shortage_logged_at = now;
        LOG_WARN("no room to start a process; waiting jobs start when there is room",
                 log_text("kind", kind), log_int("running", all->running), log_err(why),
                 log_text("next", "raise the limit it names (files: LimitNOFILE, ulimit -Hn; "
                                  "processes: TasksMax, ulimit -u) or lower concurrency"));
}

bool runs_have_shortage(const struct runs *all)
{
        return all->shortage;
}

void run_begin(struct run *run, struct runs *all, const struct run_request *q,
               const struct run_events *on, void *owner)
{
        struct type_load *load = find_load(all, q->handler->type);

        if (load == NULL) {
                load = xcalloc(1, sizeof(*load));
                memcpy(load->type, q->handler->type, sizeof(load->type));
                HASH_ADD_STR(all->loads, type, load);
        }
        load->running++;
        all->running++;
        handlers_ref(q->handler->set);
        *run = (struct run){
                .all = all,
                .handler = q->handler,
                .on = on,
                .owner = owner,
                .load = load,
                .timeout = q->timeout,
        };
}

void run_began(struct run *run)
{
        run->on->began(run->owner);
}

void run_progress(struct run *run, double done, struct bytes text)
{
        AUTO_BUFFER fit = {0};

        if (!isfinite(done))
                return;
        text_repair(text, RUN_PROGRESS_MAX, &fit);
        done = done < 0 ? 0 : done > 1 ? 1 : done;
        run->on->progress(run->owner, done,
                          fit.length > 0 ? buffer_bytes(&fit) : bytes_of(NULL, 0));
}

void run_drop(struct run *run)
{
        struct handlers *set = run->handler->set;

        run->load->running--;
        run->all->running--;
        run->handler = NULL;
        handlers_destroy(&set);
}

void run_finish(struct run *run, const struct run_end *end)
{
        struct runs *all = run->all;
        const struct run_events *on = run->on;
        void *owner = run->owner;

        run_drop(run);
        all->shortage = false;
        on->ended(owner, end);
}

void run_put_off(struct run *run, const char *kind, const struct err *why)
{
        struct runs *all = run->all;
        const struct run_events *on = run->on;
        void *owner = run->owner;

        run_drop(run);
        runs_note_shortage(all, kind, why);
        on->put_off(owner);
}

/* A refused allocation looks like any other failure: only the handler's own words tell. */
enum error_kind run_error_kind(const struct run *run, enum error_kind kind, struct bytes said)
{
        static const char *const words[] = {"MemoryError", "bad_alloc", "out of memory",
                                            "Out of memory", "annot allocate memory"};
        const struct handler *h = run->handler;
        int64_t limit = h->kind == HANDLER_PLUGIN ? h->plugin->memory : h->memory;

        if (limit == 0 || said.length == 0)
                return kind;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (memmem(said.data, said.length, words[i], strlen(words[i])))
                        return ERROR_KIND_MEMORY;
        }
        return kind;
}

void run_fails(struct run *run, struct run_end *end, enum error_kind kind, struct bytes error)
{
        struct buffer *text = &run->all->text;

        buffer_clear(text);
        text_repair(text_trim(error), JOB_ERROR_MAX, text);
        if (text->length == 0)
                buffer_add_text(text, "failed without an error text");
        end->outcome = OUTCOME_RETRY;
        end->error_kind = kind;
        end->error = buffer_bytes(text);
}

void run_fails_saying(struct run *run, struct run_end *end, enum error_kind kind, const char *how,
                      struct bytes said)
{
        AUTO_BUFFER text = {0};

        said = text_trim(said);
        buffer_add_text(&text, how);
        if (text.length > 0 && said.length > 0)
                buffer_add_text(&text, ": ");
        text_repair_tail(said, JOB_ERROR_MAX - text.length, &text);
        run_fails(run, end, kind, buffer_bytes(&text));
}

void run_fails_by_timeout(struct run *run, struct run_end *end, struct bytes said)
{
        char how[TIME_TEXT_SIZE + 32], duration[TIME_TEXT_SIZE];

        snprintf(how, sizeof(how), "timed out after %s", duration_format(run->timeout, duration));
        run_fails_saying(run, end, ERROR_KIND_TIMEOUT, how, said);
}

void run_result(struct run *run, struct run_end *end, struct bytes output, size_t total)
{
        struct buffer *text = &run->all->text;

        buffer_clear(text);
        if (text_to_result(output, total, EVENT_RESULT_MAX, text))
                end->result = buffer_bytes(text);
}
