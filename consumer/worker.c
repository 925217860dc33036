/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: writes the record of a worker.
 */
#include "consumer/worker.h"

#include <stdio.h>
#include <unistd.h>

#include "common/model/event.h"

static const char *const state_words[] = {
        [WORKER_UP] = "up",
        [WORKER_DRAINING] = "draining",
        [WORKER_GONE] = "gone",
};

static void write_running(const struct worker_view *v, struct buffer *out)
{
        unsigned count = 0;

        for (const struct attempt *a = v->attempts; a != NULL; a = a->hh.next) {
                if (!attempt_is_running(a))
                        continue;
                if (count == WORKER_RUNNING_MAX)
                        break;
                buffer_printf(out,
                              "%s{\"id\":\"%s\",\"tenant\":\"%s\",\"type\":\"%s\",\"since\":%lld}",
                              count++ == 0 ? "" : ",", a->job.id, a->job.tenant, a->job.type,
                              (long long)a->started_at);
        }
}

static void write_types(const struct worker_view *v, struct buffer *out)
{
        size_t count = handlers_count(v->handlers);

        for (size_t i = 0; i < count && i < WORKER_TYPES_MAX; i++)
                buffer_printf(out, "%s\"%s\"", i == 0 ? "" : ",",
                              handlers_at(v->handlers, i)->type);
}

void worker_write(const struct worker_view *v, struct buffer *out)
{
        buffer_add_text(out, "{\"event\":\"worker\",\"worker\":");
        buffer_add_json_string(out, bytes_of_text(v->worker));
        buffer_printf(out,
                      ",\"at\":%lld,\"started\":%lld,\"version\":\"" WARREN_VERSION
                      "\",\"concurrency\":%u,\"state\":\"%s\",\"running\":[",
                      (long long)v->at, (long long)v->started, v->concurrency,
                      state_words[v->state]);
        write_running(v, out);
        buffer_add_text(out, "],\"types\":[");
        write_types(v, out);
        buffer_printf(out, "],\"all_types\":%s}",
                      handlers_count(v->handlers) > WORKER_TYPES_MAX ? "false" : "true");
}

void worker_name(char out[WORKER_NAME_SIZE])
{
        char host[WORKER_NAME_SIZE] = "";

        if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
                snprintf(host, sizeof(host), "localhost");
        snprintf(out, WORKER_NAME_SIZE, "%.100s/%d", host, (int)getpid());
}
