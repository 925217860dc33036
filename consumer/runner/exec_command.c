/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_command.c: builds the argument and environment lists.
 */
#include "consumer/runner/exec_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"

char **exec_argv(const struct handler *h, const char *launch_program, const char *as_started)
{
        char **texts = NULL;

        texts_add(&texts, xstrdup(launch_program));
        texts_add(&texts, xasprintf("%ld", (long)getpid()));
        texts_add(&texts, xstrdup(as_started));
        texts_add(&texts, xasprintf("%lld", (long long)h->memory));
        texts_add(&texts, xstrdup(h->folder));
        for (char **argument = h->exec; *argument != NULL; argument++)
                texts_add(&texts, xstrdup(*argument));
        return texts;
}

static size_t name_length(const char *assignment)
{
        return strcspn(assignment, "=") + 1;
}

static bool is_given(char *const *env, const char *assignment)
{
        for (; *env != NULL; env++) {
                if (strncmp(*env, assignment, name_length(assignment)) == 0)
                        return true;
        }
        return false;
}

/* Adds a variable of the consumer's environment, unless the handler's `env` has it. */
static void add_inherited(char ***texts, char *const *given, const char *name, const char *fallback)
{
        const char *value = getenv(name);
        char *assignment = xasprintf("%s=%s", name, value != NULL ? value : fallback);

        if (is_given(given, assignment))
                free(assignment);
        else
                texts_add(texts, assignment);
}

char **exec_env(const struct run_request *q, msec deadline)
{
        const struct job *job = q->job;
        char **texts = NULL;

        texts_add(&texts, xasprintf("WARREN_JOB_ID=%s", job->id));
        texts_add(&texts, xasprintf("WARREN_JOB_TENANT=%s", job->tenant));
        texts_add(&texts, xasprintf("WARREN_JOB_TYPE=%s", job->type));
        texts_add(&texts, xasprintf("WARREN_JOB_RUN=%lld", (long long)job->run));
        texts_add(&texts, xasprintf("WARREN_JOB_ATTEMPT=%lld", (long long)job->attempt + 1));
        texts_add(&texts, xasprintf("WARREN_JOB_MAX_RETRIES=%lld", (long long)job->max_retries));
        texts_add(&texts, xasprintf("WARREN_JOB_REDELIVERED=%d", q->redelivered));
        texts_add(&texts, xasprintf("WARREN_JOB_DEADLINE_MS=%lld", (long long)deadline));
        if (job->traceparent[0] != '\0')
                texts_add(&texts, xasprintf("TRACEPARENT=%s", job->traceparent));
        add_inherited(&texts, q->handler->env, "PATH", "/usr/local/bin:/usr/bin:/bin");
        add_inherited(&texts, q->handler->env, "HOME", "/");
        for (char **given = q->handler->env; *given != NULL; given++)
                texts_add(&texts, xstrdup(*given));
        return texts;
}
