/* SPDX-License-Identifier: Apache-2.0
 *
 * parked_counts.c: counts the queue of each pause. That of a pause which is over is counted too:
 * its jobs are on their way back.
 */
#include "status-store/parked_counts.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

#define COUNT_WAIT ((msec)300)

struct parked_queue {
        char type[JOB_TYPE_SIZE];
        bool of_others; /* it has jobs that the caller must not count */
};

static void add_pause(void *owner, const struct pause_record *record)
{
        struct parked_counts *p = owner;
        struct parked_queue one = {0};
        char tenant[TENANT_SIZE];

        if (!pause_key_parse(bytes_of_text(record->key), tenant, one.type))
                return;
        if (p->tenant[0] != '\0' && tenant[0] != '\0' && strcmp(tenant, p->tenant) != 0)
                return;
        one.of_others = p->tenant[0] != '\0' && tenant[0] == '\0';
        if (one.of_others && !record->paused)
                return;
        if (p->count == p->room) {
                p->room = p->room * 2 + 16;
                p->queues = xrealloc(p->queues, p->room * sizeof(*p->queues));
                p->counts = xrealloc(p->counts, p->room * sizeof(*p->counts));
        }
        struct token_count *count = &p->counts[p->count];
        *count = (struct token_count){.ready = -1};
        if (!one.of_others)
                (void)parked_of_key(record->key, count->queue);
        p->queues[p->count++] = one;
}

void parked_counts_read(struct parked_counts *p)
{
        control_each_pause(p->control, add_pause, p);
        if (p->count > 0)
                token_counts_read(p->tokens, p->counts, p->count, clock_mono() + COUNT_WAIT);
}

int64_t parked_counts_of(const struct parked_counts *p, const char *type)
{
        int64_t sum = 0;

        for (size_t i = 0; i < p->count; i++) {
                if (strcmp(p->queues[i].type, type) != 0)
                        continue;
                if (p->counts[i].ready < 0)
                        return -1;
                sum += p->counts[i].ready;
        }
        return sum;
}

void parked_counts_fini(struct parked_counts *p)
{
        free(p->queues);
        free(p->counts);
}
