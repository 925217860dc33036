/* SPDX-License-Identifier: Apache-2.0
 *
 * parked_counts.c: rows of the registry, and a count of the broker for each.
 */
#include "status-store/parked_counts.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_pauses.h"

#define COUNT_WAIT ((msec)300)

struct reading {
        struct parked_counts *out;
        const char *tenant;
};

static int add_pause(void *owner, const struct pause_record *pause, struct err *e)
{
        const struct reading *r = owner;
        struct parked_count p = {.pause = *pause, .jobs = -1};

        (void)e;
        if (!pause_key_parse(bytes_of_text(pause->key), p.tenant, p.type))
                return 0; /* of a later version */
        if (p.tenant[0] != '\0' && strcmp(r->tenant, "*") != 0 && strcmp(r->tenant, p.tenant) != 0)
                return 0;
        r->out->list = xrealloc(r->out->list, (r->out->count + 1) * sizeof(p));
        r->out->list[r->out->count++] = p;
        return 0;
}

static void count_jobs(struct token_counts *counter, struct parked_counts *p)
{
        AUTO_FREE struct token_count *counts = xcalloc(p->count + 1, sizeof(*counts));

        for (size_t i = 0; i < p->count; i++)
                (void)parked_of_key(p->list[i].pause.key, counts[i].queue);
        token_counts_read(counter, counts, p->count, clock_mono() + COUNT_WAIT);
        for (size_t i = 0; i < p->count; i++)
                p->list[i].jobs = counts[i].ready;
}

int parked_counts_read(const struct api *a, const char *tenant, struct parked_counts *out,
                       struct err *e)
{
        struct reading r = {out, tenant};

        if (a->registry == NULL)
                return 0;
        if (registry_each_pause(a->registry, WHICH_ALL, add_pause, &r, e) != 0)
                return -1;
        out->known = true;
        if (out->count > 0)
                count_jobs(a->token_counts, out);
        return 0;
}

void parked_counts_fini(struct parked_counts *p)
{
        free(p->list);
        *p = (struct parked_counts){0};
}

int64_t parked_counts_of(const struct parked_counts *p, const char *tenant)
{
        int64_t sum = 0;

        for (size_t i = 0; i < p->count; i++) {
                if (strcmp(p->list[i].tenant, tenant) != 0)
                        continue;
                if (p->list[i].jobs < 0)
                        return -1;
                sum += p->list[i].jobs;
        }
        return p->known ? sum : -1;
}

int64_t parked_counts_of_type(const struct parked_counts *p, const char *tenant, const char *type)
{
        bool all = strcmp(tenant, "*") == 0;
        int64_t sum = 0;

        for (size_t i = 0; i < p->count; i++) {
                const struct parked_count *one = &p->list[i];
                bool of_others = !all && one->tenant[0] == '\0';
                if (strcmp(one->type, type) != 0 || (of_others && !one->pause.paused))
                        continue;
                if (of_others || one->jobs < 0)
                        return -1;
                sum += one->jobs;
        }
        return p->known ? sum : -1;
}
