/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_fuzz.c: any body of a pack. Its entries lie within it, and a pack that is made of them again
 * is the same.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "common/amqp/pack.h"
#include "common/model/fold.h"

#define NOW ((msec)1732250000000)

static const struct job_limits limits = {.payload_max = 4096};

struct reading {
        struct bytes body;
        unsigned count;
        uint64_t skipped;
        bool full; /* the pack that is made again */
        struct buffer again;
};

static void fold_it(void *owner, const struct event *event)
{
        job_row_fold(owner, event, &(struct arrival){.offset = 1, .clock = NOW});
}

static bool is_within(const struct reading *r, struct bytes part)
{
        return part.data >= r->body.data &&
               part.data + part.length <= r->body.data + r->body.length;
}

static void read_entry(void *owner, const struct message *m)
{
        struct reading *r = owner;
        struct job_row row = {0};
        uint64_t skipped = 0;

        r->count++;
        assert(r->count <= PACK_JOBS_MAX);
        assert(bytes_equal_text(m->user_id, "warren-gateway"));
        assert(is_within(r, m->exchange) && is_within(r, m->routing_key));
        assert(is_within(r, m->properties) && is_within(r, m->body));
        for (size_t i = 0; i < m->header_count; i++)
                assert(is_within(r, m->headers[i].name));
        events_of_message(m, &limits, fold_it, &row, &skipped);
        job_row_fini(&row);
        struct err e = {0};
        if (!r->full && pack_add(&r->again, m, &e) != 0) {
                assert(e.code == ERR_FULL);
                r->full = true;
        }
}

static void read_pack(struct reading *r)
{
        const struct message m = {
                .exchange = bytes_of_text("events"),
                .content_type = bytes_of_text(PACK_CONTENT_TYPE),
                .user_id = bytes_of_text("warren-gateway"),
                .timestamp = -1,
                .body = r->body,
        };

        pack_each(&m, read_entry, r, &r->skipped);
        assert(r->count > 0 || r->skipped > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct reading first = {.body = bytes_of(data, length)};

        read_pack(&first);
        if (first.count > 0 && !first.full) {
                struct reading second = {.body = buffer_bytes(&first.again)};
                read_pack(&second);
                assert(second.count == first.count && second.skipped == 0);
                assert(bytes_equal(buffer_bytes(&second.again), second.body));
                assert(first.skipped > 0 || bytes_equal(second.body, first.body));
                buffer_fini(&second.again);
        }
        buffer_fini(&first.again);
        return 0;
}
