/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_frames_fuzz.c: any input gives the same events wherever it is cut. A message is UTF-8
 * and within its bound. The first byte says who sends the frames, and where the input is cut.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "common/http/websocket_frames.h"

enum { MESSAGE_MAX = 300 };

struct events {
        uint64_t digest;
        unsigned count;
};

static bool note(struct events *events, struct frame_reader *r)
{
        struct bytes payload = {0};
        unsigned code = 0;
        enum frame_event event = frames_next(r, &payload, &code);

        if (event == FRAME_NOTHING)
                return false;
        const char kind = (char)event;
        events->count++;
        events->digest = bytes_digest(events->digest, bytes_of(&kind, 1));
        if (event != FRAME_IS_WRONG)
                events->digest = bytes_digest(events->digest, payload);
        if (event == FRAME_IS_TEXT)
                assert(payload.length <= MESSAGE_MAX && bytes_are_utf8(payload));
        if (event == FRAME_IS_PING || event == FRAME_IS_PONG)
                assert(payload.length <= FRAME_CONTROL_MAX);
        if (event == FRAME_IS_CLOSE || event == FRAME_IS_WRONG)
                assert(code >= 1000 && code < 5000);
        return event != FRAME_IS_CLOSE && event != FRAME_IS_WRONG;
}

static struct events read_all(struct bytes in, enum frame_sender sender, size_t step)
{
        struct frame_reader r = {.message_max = MESSAGE_MAX, .sender = sender};
        struct events events = {0};
        bool over = false;

        for (size_t at = 0; at < in.length && !over; at += step) {
                unsigned before = events.count;
                size_t left = in.length - at;
                frames_add(&r, bytes_of(in.data + at, left < step ? left : step));
                while (note(&events, &r))
                        before = events.count;
                over = events.count > before; /* the last event ended the connection */
        }
        frames_fini(&r);
        return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        if (length == 0)
                return 0;
        struct bytes in = bytes_of(data + 1, length - 1);
        enum frame_sender sender = data[0] < 128 ? FRAMES_OF_CLIENT : FRAMES_OF_SERVER;
        struct events whole = read_all(in, sender, length);
        struct events cut = read_all(in, sender, 1 + data[0] % 64U);

        assert(whole.count == cut.count && whole.digest == cut.digest);
        return 0;
}
