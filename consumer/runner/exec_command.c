/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_command.c: builds the argument and environment lists.
 */
#include "consumer/runner/exec_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct exec_command {
        char **argv, **env;
};

/* A growing, NULL-terminated list; it owns its texts. */
struct texts {
        char **at;
        size_t count;
};

static void add(struct texts *t, char *text)
{
        t->at = xrealloc(t->at, (t->count + 2) * sizeof(*t->at));
        t->at[t->count++] = text;
        t->at[t->count] = NULL;
}

static char **make_argv(const struct handler *h, const char *launch_program, const char *as_started)
{
        struct texts t = {0};

        add(&t, xstrdup(launch_program));
        add(&t, xasprintf("%ld", (long)getpid()));
        add(&t, xstrdup(as_started));
        add(&t, xasprintf("%lld", (long long)h->memory));
        add(&t, xstrdup(h->folder));
        for (char **argument = h->exec; *argument != NULL; argument++)
                add(&t, xstrdup(*argument));
        return t.at;
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
static void add_inherited(struct texts *t, char *const *given, const char *name,
                          const char *fallback)
{
        const char *value = getenv(name);
        char *assignment = xasprintf("%s=%s", name, value != NULL ? value : fallback);

        if (is_given(given, assignment))
                free(assignment);
        else
                add(t, assignment);
}

static char **make_env(const struct run_request *q, msec deadline)
{
        const struct job *job = q->job;
        struct texts t = {0};

        add(&t, xasprintf("WARREN_JOB_ID=%s", job->id));
        add(&t, xasprintf("WARREN_JOB_TENANT=%s", job->tenant));
        add(&t, xasprintf("WARREN_JOB_TYPE=%s", job->type));
        add(&t, xasprintf("WARREN_JOB_RUN=%lld", (long long)job->run));
        add(&t, xasprintf("WARREN_JOB_ATTEMPT=%lld", (long long)job->attempt + 1));
        add(&t, xasprintf("WARREN_JOB_MAX_RETRIES=%lld", (long long)job->max_retries));
        add(&t, xasprintf("WARREN_JOB_REDELIVERED=%d", q->redelivered));
        add(&t, xasprintf("WARREN_JOB_DEADLINE_MS=%lld", (long long)deadline));
        if (job->traceparent[0] != '\0')
                add(&t, xasprintf("TRACEPARENT=%s", job->traceparent));
        add_inherited(&t, q->handler->env, "PATH", "/usr/local/bin:/usr/bin:/bin");
        add_inherited(&t, q->handler->env, "HOME", "/");
        for (char **given = q->handler->env; *given != NULL; given++)
                add(&t, xstrdup(*given));
        return t.at;
}

struct exec_command *exec_command_create(const struct run_request *q, const char *launch_program,
                                         const char *as_started, msec deadline)
{
        struct exec_command *c = xcalloc(1, sizeof(*c));

        c->argv = make_argv(q->handler, launch_program, as_started);
        c->env = make_env(q, deadline);
        return c;
}

static void free_texts(char **texts)
{
        for (char **text = texts; *text != NULL; text++)
                free(*text);
        free(texts);
}

void exec_command_destroy(struct exec_command **c)
{
        if (*c == NULL)
                return;
        free_texts((*c)->argv);
        free_texts((*c)->env);
        free(*c);
        *c = NULL;
}

char *const *exec_command_argv(const struct exec_command *c)
{
        return c->argv;
}

char *const *exec_command_env(const struct exec_command *c)
{
        return c->env;
}
