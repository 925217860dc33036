/* SPDX-License-Identifier: Apache-2.0
 *
 * live_message_fuzz.c: what a client of the live feed sends. A filter that was read is written as
 * it is read, and a ping is the JSON that it was.
 */
#include <assert.h>

#include "common/base/json_scan.h"
#include "gateway/live/live_filter.h"
#include "tests/fuzz/fuzz.h"

static void check_filter(const struct live_filter *f)
{
        AUTO_BUFFER text = {0};
        struct live_message again;
        struct err why = {0};

        assert(f->types.count <= LIVE_VALUES_MAX && f->jobs.count <= LIVE_VALUES_MAX);
        buffer_add_char(&text, '{');
        live_filter_write(f, "filter", &text);
        buffer_add_char(&text, '}');
        int read = live_message_parse(buffer_bytes(&text), &again, &why);
        assert(read == 0 && live_filter_equal(f, &again.filter));
        (void)read;
        live_filter_fini(&again.filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct live_message m;
        struct err why = {0};
        struct scan_fault fault;

        if (live_message_parse(bytes_of(data, length), &m, &why) != 0)
                assert(why.code == ERR_INVALID);
        else if (m.has_filter)
                check_filter(&m.filter);
        else
                assert(scan_check(m.ping, LIVE_MESSAGE_DEPTH, &fault) == 0);
        live_filter_fini(&m.filter);
        return 0;
}
