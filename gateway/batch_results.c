/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_results.c: the text of each entry.
 */
#include "gateway/batch_results.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"

struct batch_results {
        struct buffer entries[BATCH_JOBS_MAX];
        size_t count; /* of entries */
        unsigned accepted, refused, unknown;
        struct buffer cut; /* empty: the whole body was read */
};

struct batch_results *batch_results_create(void)
{
        return xcalloc(1, sizeof(struct batch_results));
}

void batch_results_destroy(struct batch_results **results)
{
        struct batch_results *r = TAKE(*results);

        if (r == NULL)
                return;
        for (size_t i = 0; i < r->count; i++)
                buffer_fini(&r->entries[i]);
        buffer_fini(&r->cut);
        free(r);
}

static struct buffer *entry_at(struct batch_results *r, size_t index)
{
        assert(index < BATCH_JOBS_MAX && r->entries[index].length == 0);
        if (index >= r->count)
                r->count = index + 1;
        return &r->entries[index];
}

struct buffer *batch_results_accept(struct batch_results *r, size_t index)
{
        r->accepted++;
        return entry_at(r, index);
}

void batch_results_refuse(struct batch_results *r, size_t index, const struct refusal *why)
{
        if (why->reason == REFUSED_UNKNOWN)
                r->unknown++;
        else
                r->refused++;
        refusal_write(why, entry_at(r, index));
}

void batch_results_cut(struct batch_results *r, const struct refusal *why)
{
        assert(r->cut.length == 0);
        refusal_write(why, &r->cut);
}

static size_t length_of(const struct batch_results *r)
{
        size_t length = 256 + r->cut.length;

        for (size_t i = 0; i < r->count; i++)
                length += r->entries[i].length + 1;
        return length;
}

void batch_results_write(const struct batch_results *r, struct buffer *out)
{
        assert(r->accepted + r->refused + r->unknown == r->count);
        buffer_reserve(out, length_of(r));
        json_begin(out);
        json_put_int(out, "accepted", r->accepted);
        json_put_int(out, "refused", r->refused);
        json_put_int(out, "unknown", r->unknown);
        json_put_flag(out, "complete", r->cut.length == 0);
        json_begin_array(out, "jobs");
        for (size_t i = 0; i < r->count; i++)
                json_put_raw(out, NULL, buffer_bytes(&r->entries[i]));
        if (r->cut.length > 0)
                json_put_raw(out, NULL, buffer_bytes(&r->cut));
        json_end_array(out);
}
