/* SPDX-License-Identifier: Apache-2.0
 *
 * tail_feed_fuzz.c: whatever a feed sends, nothing that controls a terminal is shown. Messages are
 * lines; an empty one is a new connection. The first byte says how they are shown.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "ui/cli/tail_feed.h"

static void check_shown(struct buffer *shown)
{
        for (size_t i = 0; i < shown->length; i++)
                assert((unsigned char)shown->data[i] >= ' ' || shown->data[i] == '\n');
        assert(bytes_are_utf8(buffer_bytes(shown)));
        assert(shown->length == 0 || shown->data[shown->length - 1] == '\n');
        buffer_clear(shown);
}

static void take_line(struct tail_feed *f, struct bytes line)
{
        struct err e = {0};

        if (line.length == 0)
                tail_feed_connect(f);
        else if (tail_feed_take(f, line, 1000000, &e) < 0)
                assert(e.code == ERR_PROTOCOL);
        if (line.length % 3 == 0)
                tail_feed_rest(f);
        check_shown(&f->out);
        check_shown(&f->notes);
        assert(f->offset >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        if (length == 0)
                return 0;
        struct tail_feed f = {
                .json = (data[0] & 1) != 0,
                .mark = -1,
                .offset = (data[0] & 2) != 0 ? 7 : -1,
                .look = {.width = data[0] / 4},
        };
        struct bytes in = bytes_of(data + 1, length - 1);

        tail_feed_connect(&f);
        while (in.length > 0) {
                const char *end = memchr(in.data, '\n', in.length);
                size_t line = end != NULL ? (size_t)(end - in.data) : in.length;
                take_line(&f, bytes_of(in.data, line));
                line += end != NULL;
                in = bytes_of(in.data + line, in.length - line);
        }
        tail_feed_fini(&f);
        return 0;
}
