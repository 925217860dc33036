/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: writes the record of a worker.
 */
#include "consumer/worker.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/json_write.h"
#include "common/model/event.h"

static const char *const state_words[] = {
        [WORKER_UP] = "up",
        [WORKER_DRAINING] = "draining",
        [WORKER_GONE] = "gone",
};

static void write_running(const struct worker_view *v, struct buffer *out)
{
        unsigned count = 0;

        json_begin_array(out, "running");
        for (const struct attempt *a = v->attempts; a != NULL; a = a->hh.next) {
                if (!attempt_is_running(a))
                        continue;
                if (count++ == WORKER_RUNNING_MAX)
                        break;
                json_begin_object(out, NULL);
                json_put_string(out, "id", a->job.id);
                json_put_string(out, "tenant", a->job.tenant);
                json_put_string(out, "type", a->job.type);
                json_put_int(out, "since", a->started_at);
                json_end(out);
        }
        json_end_array(out);
}

static void write_types(const struct worker_view *v, struct buffer *out)
{
        size_t count = handlers_count(v->handlers);

        json_begin_array(out, "types");
        for (size_t i = 0; i < count && i < WORKER_TYPES_MAX; i++)
                json_put_string(out, NULL, handlers_at(v->handlers, i)->type);
        json_end_array(out);
}

void worker_write(const struct worker_view *v, struct buffer *out)
{
        json_begin(out);
        json_put_string(out, "event", "worker");
        json_put_string(out, "worker", v->worker);
        json_put_int(out, "at", v->at);
        json_put_int(out, "started", v->started);
        json_put_string(out, "version", WARREN_VERSION);
        json_put_int(out, "concurrency", v->concurrency);
        json_put_string(out, "state", state_words[v->state]);
        write_running(v, out);
        write_types(v, out);
        json_put_flag(out, "all_types", handlers_count(v->handlers) <= WORKER_TYPES_MAX);
        json_end(out);
}

void worker_name(char out[WORKER_NAME_SIZE])
{
        char host[WORKER_NAME_SIZE] = "";

        if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
                snprintf(host, sizeof(host), "localhost");
        snprintf(out, WORKER_NAME_SIZE, "%.100s/%d", host, (int)getpid());
}
