/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_outcome.c: from an END frame, or a host's death, to an outcome.
 */
#include "consumer/runner/plugin_outcome.h"

#include <stdio.h>

#include "common/model/event.h"
#include "consumer/include/warren/handler.h"

/* The outcome that the handler returned; its timeout is not considered here. */
static void returned(struct run *run, const struct plugin_frame *said, struct run_end *out)
{
        const struct wire_end *head = &said->end;
        enum error_kind kind = run_error_kind(run, ERROR_KIND_ERROR, said->text);

        switch (head->outcome) {
        case WARREN_DONE:
                out->outcome = OUTCOME_DONE;
                return;
        case WARREN_STOPPED:
                if (run->ending != RUN_GOES_ON) {
                        out->outcome = OUTCOME_STOPPED;
                        return;
                }
                run_fails(run, out, kind,
                          bytes_of_text("the handler stopped without being asked to"));
                return;
        case WARREN_RETRY:
        case WARREN_PERMANENT:
                run_fails(run, out, kind, said->text);
                if (head->outcome == WARREN_PERMANENT)
                        out->outcome = OUTCOME_PERMANENT;
                return;
        }
        run_fails(run, out, kind, bytes_of_text("the handler returned an unknown outcome"));
}

/* After its timeout a handler that returned counts only with DONE or PERMANENT. */
void plugin_outcome(struct run *run, const struct plugin_frame *said, struct run_end *out)
{
        msec wait = said->end.retry_after;

        returned(run, said, out);
        if (run->ending == RUN_TIMED_OUT &&
            (out->outcome == OUTCOME_RETRY || out->outcome == OUTCOME_STOPPED))
                run_fails_by_timeout(run, out, said->text);
        if (out->outcome == OUTCOME_RETRY && wait > 0)
                out->retry_after = wait < RETRY_AFTER_MAX ? wait : RETRY_AFTER_MAX;
        /* Checked again: the plugin may have corrupted the host process. */
        if (out->outcome == OUTCOME_DONE && said->value.length > 0)
                run_result(run, out, said->value, said->value.length);
}

void plugin_outcome_of_death(struct run *run, struct child_end end, const struct err *fault,
                             struct run_end *out)
{
        const struct plugin *plugin = run->handler->plugin;
        char how[CHILD_END_SIZE], limit[64] = "", text[256];

        /* A crash after a refused allocation looks like any other crash. */
        if (end.killed && plugin->memory > 0 && run->ending == RUN_GOES_ON)
                snprintf(limit, sizeof(limit), " (its memory limit is %lld MiB)",
                         (long long)(plugin->memory >> 20));
        snprintf(text, sizeof(text), "plugin %.100s: %s%s", plugin->name, child_end_text(end, how),
                 limit);
        switch (run->ending) {
        case RUN_GOES_ON:
        case RUN_FLOODED:
                run_fails(run, out, ERROR_KIND_CRASH,
                          bytes_of_text(err_is_set(fault) ? fault->text : text));
                break;
        case RUN_TIMED_OUT:
                run_fails_by_timeout(run, out, bytes_of_text(text));
                break;
        case RUN_STOPPED:
                out->outcome = OUTCOME_STOPPED;
                break;
        }
}
