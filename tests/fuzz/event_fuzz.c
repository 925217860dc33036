/* SPDX-License-Identifier: Apache-2.0
 *
 * event_fuzz.c: a line of the stream, a record of `control` or a mark that can be read can also be
 * written, and reading it again gives the same.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "common/model/event.h"
#include "common/model/fold.h"
#include "common/model/mark.h"
#include "common/model/record.h"

static void write_and_read(void *owner, const struct event *event)
{
        AUTO_BUFFER first = {0}, second = {0}, scratch = {0};
        const struct arrival place = {.offset = 1, .clock = 1};
        struct job_row *row = owner;
        struct event again;

        event_write(event, &first);
        assert(memchr(first.data, '\n', first.length) == first.data + first.length - 1);
        enum event_verdict verdict =
                event_parse(bytes_of(first.data, first.length - 1), &scratch, &again);
        assert(verdict == EVENT_IS && again.kind == event->kind);
        event_write(&again, &second);
        assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
        if (!event_is_of_job(event))
                return;
        job_row_fold(row, event, &place);
        assert(!job_row_fold(row, event, &place));
}

static void try_record(struct bytes text)
{
        AUTO_BUFFER first = {0}, second = {0};
        struct record record;

        if (record_parse(text, &record, NULL) != 0 || record.kind == RECORD_UNKNOWN)
                return;
        record_write(&record, &first);
        int status = record_parse(buffer_bytes(&first), &record, NULL);
        assert(status == 0);
        (void)status;
        record_write(&record, &second);
        assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
}

static void write_mark(void *owner, const struct mark *m)
{
        mark_write(m, owner);
}

static void try_marks(struct bytes text)
{
        AUTO_BUFFER first = {0}, second = {0};
        unsigned skipped = 0;

        if (marks_each(text, write_mark, &first, &skipped) != 0)
                return;
        int status = marks_each(buffer_bytes(&first), write_mark, &second, &skipped);
        assert(status != 0 || bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
        (void)status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        const struct job_limits limits = {.payload_max = 1024};
        struct job_row row = {0};
        uint64_t skipped = 0;
        struct message m = {.timestamp = -1};

        m.exchange = bytes_of_text("events");
        m.content_type = bytes_of_text(EVENTS_CONTENT_TYPE);
        m.body = bytes_of(data, length);
        events_of_message(&m, &limits, write_and_read, &row, &skipped);
        job_row_fini(&row);
        try_record(m.body);
        try_marks(m.body);
        return 0;
}
