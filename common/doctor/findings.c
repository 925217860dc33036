/* SPDX-License-Identifier: Apache-2.0
 *
 * findings.c: a list of findings.
 */
#include "common/doctor/findings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct findings {
        struct finding *list;
        size_t count;
};

struct findings *findings_create(void)
{
        return xcalloc(1, sizeof(struct findings));
}

static void finding_fini(struct finding *f)
{
        free((char *)f->name);
        free((char *)f->problem);
        free((char *)f->remedy);
}

void findings_destroy(struct findings **f)
{
        struct findings *old = TAKE(*f);

        if (old == NULL)
                return;
        for (size_t i = 0; i < old->count; i++)
                finding_fini(&old->list[i]);
        free(old->list);
        free(old);
}

static char *copy_text(const char *text)
{
        return text == NULL ? NULL : xstrdup(text);
}

static struct finding *last_of(struct findings *f)
{
        assert(f->count > 0);
        return &f->list[f->count - 1];
}

void findings_put(struct findings *f, const struct finding *made)
{
        f->list = xrealloc(f->list, (f->count + 1) * sizeof(*f->list));
        struct finding *copy = &f->list[f->count++];
        *copy = *made;
        copy->name = xstrdup(made->name);
        copy->problem = copy_text(made->problem);
        copy->remedy = copy_text(made->remedy);
}

void findings_add(struct findings *f, enum check check, enum finding_state state,
                  const char *problem, const char *remedy)
{
        const struct finding made = {.check = check,
                                     .name = check_kinds[check].name,
                                     .state = state,
                                     .problem = problem,
                                     .remedy = remedy};

        findings_put(f, &made);
}

void findings_of_node(struct findings *f, const char *node)
{
        struct finding *last = last_of(f);

        free((char *)last->name);
        last->name = xasprintf("%s %s", check_kinds[last->check].name, node);
}

void findings_about(struct findings *f, const char *tenant)
{
        struct finding *last = last_of(f);

        snprintf(last->tenant, sizeof(last->tenant), "%s", tenant);
}

size_t findings_count(const struct findings *f)
{
        return f->count;
}

const struct finding *findings_at(const struct findings *f, size_t n)
{
        assert(n < f->count);
        return &f->list[n];
}

unsigned findings_in(const struct findings *f, enum finding_state state)
{
        unsigned count = 0;

        for (size_t i = 0; i < f->count; i++)
                count += f->list[i].state == state;
        return count;
}

static bool is_of(const struct finding *f, unsigned layers)
{
        return (check_kinds[f->check].layer & layers) != 0;
}

void findings_copy(struct findings *to, const struct findings *from, unsigned layers)
{
        for (size_t i = 0; i < from->count; i++) {
                if (is_of(&from->list[i], layers))
                        findings_put(to, &from->list[i]);
        }
}

void findings_drop(struct findings *f, unsigned layers)
{
        size_t kept = 0;

        for (size_t i = 0; i < f->count; i++) {
                if (is_of(&f->list[i], layers))
                        finding_fini(&f->list[i]);
                else
                        f->list[kept++] = f->list[i];
        }
        f->count = kept;
}

/* When the check came into this state; 0: it was in another. */
static msec known_since(const struct findings *before, const struct finding *f)
{
        if (before == NULL)
                return 0;
        for (size_t i = 0; i < before->count; i++) {
                const struct finding *b = &before->list[i];
                if (b->state == f->state && strcmp(b->name, f->name) == 0 &&
                    strcmp(b->tenant, f->tenant) == 0)
                        return b->since;
        }
        return 0;
}

void findings_note_times(struct findings *f, const struct findings *before, msec now)
{
        for (size_t i = 0; i < f->count; i++) {
                msec since = known_since(before, &f->list[i]);
                f->list[i].since = since > 0 ? since : now;
                f->list[i].looked_at = now;
        }
}

enum verdict findings_verdict(const struct findings *f)
{
        enum verdict verdict = VERDICT_OK;

        for (size_t i = 0; i < f->count; i++) {
                if (f->list[i].state != FINDING_WRONG)
                        continue;
                if (check_kinds[f->list[i].check].severity == SEVERITY_DOWN)
                        return VERDICT_DOWN;
                verdict = VERDICT_DEGRADED;
        }
        return verdict;
}

const char *verdict_name(enum verdict v)
{
        switch (v) {
        case VERDICT_OK:
                return "ok";
        case VERDICT_DEGRADED:
                return "degraded";
        case VERDICT_DOWN:
                return "down";
        }
        return NULL;
}

const char *finding_state_name(enum finding_state s)
{
        switch (s) {
        case FINDING_OK:
                return "ok";
        case FINDING_WRONG:
                return "wrong";
        case FINDING_UNKNOWN:
                return "unknown";
        case FINDING_FIXED:
                return "fixed";
        }
        return NULL;
}
