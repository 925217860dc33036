/* SPDX-License-Identifier: Apache-2.0
 *
 * live_types.c: a table of sets, each of a few jobs.
 */
#include "gateway/live/live_types.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum { SETS = 32 * 1024, SET_SIZE = 4 };

struct place {
        uint64_t job;  /* a digest of tenant and id; 0: free */
        uint32_t used; /* when it was last heard of */
        char type[JOB_TYPE_SIZE];
};

struct live_types {
        uint32_t turn;
        struct place sets[SETS][SET_SIZE];
};

struct live_types *live_types_create(void)
{
        return xcalloc(1, sizeof(struct live_types));
}

void live_types_destroy(struct live_types **t)
{
        free(TAKE(*t));
}

static uint64_t job_of(const struct live_tags *tags)
{
        uint64_t digest = bytes_digest(1, bytes_of_text(tags->tenant));

        digest = bytes_digest(digest, bytes_of_text(tags->id));
        return digest != 0 ? digest : 1;
}

/* The job's place, or the one to be used next. */
static struct place *find(struct live_types *t, uint64_t job)
{
        struct place *set = t->sets[job % SETS];
        struct place *oldest = set;

        for (size_t i = 0; i < SET_SIZE; i++) {
                if (set[i].job == job)
                        return &set[i];
                if (t->turn - set[i].used > t->turn - oldest->used)
                        oldest = &set[i];
        }
        return oldest;
}

void live_types_complete(struct live_types *t, struct live_tags *tags)
{
        uint64_t job = job_of(tags);
        struct place *place = find(t, job);

        if (tags->type[0] != '\0') {
                place->job = job;
                memcpy(place->type, tags->type, sizeof(place->type));
        } else if (place->job == job) {
                memcpy(tags->type, place->type, sizeof(tags->type));
        } else {
                return;
        }
        place->used = ++t->turn;
}
