/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_frames_test.c: frames of a client and of a server become the same events wherever they
 * are cut, and are written in their shortest form.
 */
#include "common/http/websocket_frames.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { MESSAGE_MAX = 1000, BYTES_MAX = 64 };

#define MASK "\0\0\0\0"
#define BYTES(text) \
        { \
                text, sizeof(text) - 1 \
        }

struct frame_case {
        struct {
                const char *data;
                size_t length;
        } in;
        enum frame_event want;
        const char *want_payload; /* or NULL */
        unsigned want_code;
};

static const struct frame_case of_client[] = {
        {BYTES("\x81\x82" MASK "hi"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x81\x82\x01\x02\x01\x02ik"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x81\x80" MASK), FRAME_IS_TEXT, "", 0},
        {BYTES("\x81\xfe\x00\x02" MASK "hi"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x81\xff\0\0\0\0\0\0\0\x02" MASK "hi"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x01\x81" MASK "h\x80\x81" MASK "i"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x01\x81" MASK "h\x00\x80" MASK "\x80\x81" MASK "i"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x01\x81" MASK "h\x89\x81" MASK "?"), FRAME_IS_PING, "?", 0},
        {BYTES("\x8a\x80" MASK), FRAME_IS_PONG, "", 0},
        {BYTES("\x88\x80" MASK), FRAME_IS_CLOSE, NULL, CLOSE_NONE},
        {BYTES("\x88\x82" MASK "\x03\xe8"), FRAME_IS_CLOSE, NULL, 1000},
        {BYTES("\x88\x84" MASK "\x0f\xa0ok"), FRAME_IS_CLOSE, NULL, 4000},
        {BYTES("\x88\x81" MASK "\x03"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},
        {BYTES("\x88\x82" MASK "\x03\xee"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR}, /* 1006 */
        {BYTES("\x88\x83" MASK "\x03\xe8\xff"), FRAME_IS_WRONG, NULL, CLOSE_NOT_UTF8},
        {BYTES("\x81\x02hi"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR}, /* not masked */
        {BYTES("\xc1\x80"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},   /* reserved bit */
        {BYTES("\x83\x80"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},   /* unknown opcode */
        {BYTES("\x80\x80"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},   /* continues nothing */
        {BYTES("\x01\x81" MASK "h\x81\x81"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},
        {BYTES("\x09\x80"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR}, /* ping fragment */
        {BYTES("\x89\xfe"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR}, /* ping too long */
        {BYTES("\x82\x81" MASK "b"), FRAME_IS_WRONG, NULL, CLOSE_UNSUPPORTED},
        {BYTES("\x81\x81" MASK "\xff"), FRAME_IS_WRONG, NULL, CLOSE_NOT_UTF8},
        {BYTES("\x81\xfe\x03\xe9" MASK), FRAME_IS_WRONG, NULL, CLOSE_TOO_BIG},
        {BYTES("\x01\x81" MASK "h\x80\xfe\x03\xe8" MASK), FRAME_IS_WRONG, NULL, CLOSE_TOO_BIG},
        {BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" MASK), FRAME_IS_WRONG, NULL,
         CLOSE_TOO_BIG},
        {BYTES("\x81\x82" MASK "h"), FRAME_NOTHING, NULL, 0},
        {BYTES("\x01\x82" MASK "hi"), FRAME_NOTHING, NULL, 0},
};

static const struct frame_case of_server[] = {
        {BYTES("\x81\x02hi"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x81\x00"), FRAME_IS_TEXT, "", 0},
        {BYTES("\x81\x7e\x00\x02hi"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x81\x7f\0\0\0\0\0\0\0\x02hi"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x01\x01h\x00\x00\x80\x01i"), FRAME_IS_TEXT, "hi", 0},
        {BYTES("\x01\x01h\x89\x01?"), FRAME_IS_PING, "?", 0},
        {BYTES("\x8a\x00"), FRAME_IS_PONG, "", 0},
        {BYTES("\x88\x00"), FRAME_IS_CLOSE, NULL, CLOSE_NONE},
        {BYTES("\x88\x04\x0f\xa8no"), FRAME_IS_CLOSE, NULL, 4008},
        {BYTES("\x88\x01\x03"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},
        {BYTES("\x81\x82" MASK "hi"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR}, /* masked */
        {BYTES("\x91\x02hi"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR}, /* reserved bit */
        {BYTES("\x80\x00"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},
        {BYTES("\x89\x7e"), FRAME_IS_WRONG, NULL, CLOSE_PROTOCOL_ERROR},
        {BYTES("\x82\x01\x62"), FRAME_IS_WRONG, NULL, CLOSE_UNSUPPORTED},
        {BYTES("\x81\x01\xff"), FRAME_IS_WRONG, NULL, CLOSE_NOT_UTF8},
        {BYTES("\x81\x7e\x03\xe9"), FRAME_IS_WRONG, NULL, CLOSE_TOO_BIG},
        {BYTES("\x01\x01h\x80\x7e\x03\xe8"), FRAME_IS_WRONG, NULL, CLOSE_TOO_BIG},
        {BYTES("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), FRAME_IS_WRONG, NULL, CLOSE_TOO_BIG},
        {BYTES("\x81\x02h"), FRAME_NOTHING, NULL, 0},
        {BYTES("\x81"), FRAME_NOTHING, NULL, 0},
};

static void check(const struct frame_case *c, enum frame_sender sender, size_t step)
{
        struct frame_reader r = {.message_max = MESSAGE_MAX, .sender = sender};
        struct bytes payload = {0};
        enum frame_event event = FRAME_NOTHING;
        unsigned code = 0;

        for (size_t at = 0; at < c->in.length && event == FRAME_NOTHING; at += step) {
                size_t left = c->in.length - at;
                frames_add(&r, bytes_of(c->in.data + at, left < step ? left : step));
                event = frames_next(&r, &payload, &code);
        }
        assert_int_equal(event, c->want);
        if (c->want_payload != NULL)
                assert_true(bytes_equal_text(payload, c->want_payload));
        if (event == FRAME_IS_CLOSE || event == FRAME_IS_WRONG)
                assert_int_equal(code, c->want_code);
        frames_fini(&r);
}

static void test_events(void **state)
{
        (void)state;
        static const size_t steps[] = {1, 3, BYTES_MAX};

        for (size_t step = 0; step < COUNT(steps); step++) {
                for (size_t i = 0; i < COUNT(of_client); i++)
                        check(&of_client[i], FRAMES_OF_CLIENT, steps[step]);
                for (size_t i = 0; i < COUNT(of_server); i++)
                        check(&of_server[i], FRAMES_OF_SERVER, steps[step]);
        }
}

static void test_several_at_once(void **state)
{
        (void)state;
        static const char in[] = "\x81\x81" MASK "a\x89\x80" MASK "\x81\x81" MASK "b\x81";
        struct frame_reader r = {.message_max = MESSAGE_MAX};
        struct bytes payload = {0};
        unsigned code = 0;

        frames_add(&r, bytes_of(in, sizeof(in) - 1));
        assert_int_equal(frames_next(&r, &payload, &code), FRAME_IS_TEXT);
        assert_true(bytes_equal_text(payload, "a"));
        assert_int_equal(frames_next(&r, &payload, &code), FRAME_IS_PING);
        assert_int_equal(frames_next(&r, &payload, &code), FRAME_IS_TEXT);
        assert_true(bytes_equal_text(payload, "b"));
        assert_int_equal(frames_next(&r, &payload, &code), FRAME_NOTHING);
        frames_fini(&r);
}

static void test_writing(void **state)
{
        (void)state;
        static const struct {
                size_t length;
                const char *want;
                size_t want_length;
        } writes[] = {
                {0, "\x81\x00", 2},
                {125, "\x81\x7d", 2},
                {126, "\x81\x7e\x00\x7e", 4},
                {65535, "\x81\x7e\xff\xff", 4},
                {65536, "\x81\x7f\0\0\0\0\0\x01\0\0", 10},
        };
        static const char text[65536];

        for (size_t i = 0; i < COUNT(writes); i++) {
                AUTO_BUFFER out = {0};
                frame_write(&out, FRAME_TEXT, bytes_of(text, writes[i].length));
                assert_int_equal(out.length, writes[i].want_length + writes[i].length);
                assert_memory_equal(out.data, writes[i].want, writes[i].want_length);
                assert_int_equal(frame_length(out.data), out.length);
        }
        AUTO_BUFFER out = {0};
        frame_write_close(&out, CLOSE_GOING_AWAY);
        frame_write_close(&out, CLOSE_NONE);
        assert_int_equal(out.length, 6);
        assert_memory_equal(out.data, "\x88\x02\x03\xe9\x88\x00", 6);
}

static void test_writing_masked(void **state)
{
        (void)state;
        static const size_t lengths[] = {0, 1, 125, 126, 1000};
        static const unsigned char mask[FRAME_MASK_SIZE] = {0x01, 0x80, 0xff, 0x20};
        char text[1000];

        memset(text, 'a', sizeof(text));
        for (size_t i = 0; i < COUNT(lengths); i++) {
                struct frame_reader r = {.message_max = MESSAGE_MAX};
                struct bytes payload = {0};
                unsigned code = 0;
                AUTO_BUFFER out = {0};

                frame_write_masked(&out, FRAME_TEXT, bytes_of(text, lengths[i]), mask);
                frames_add(&r, buffer_bytes(&out));
                assert_int_equal(frames_next(&r, &payload, &code), FRAME_IS_TEXT);
                assert_true(bytes_equal(payload, bytes_of(text, lengths[i])));
                assert_int_equal(frames_next(&r, &payload, &code), FRAME_NOTHING);
                frames_fini(&r);
        }
        AUTO_BUFFER out = {0};
        frame_write_masked(&out, FRAME_PONG, bytes_of_text("aaaaa"), mask);
        assert_int_equal(out.length, 11);
        assert_memory_equal(out.data, "\x8a\x85\x01\x80\xff\x20\x60\xe1\x9e\x41\x60", 11);
}

/* What a peer announces is not held before it has come, and what came is held once. */
static void test_memory_is_bounded(void **state)
{
        (void)state;
        static const char piece[100];
        struct frame_reader r = {.message_max = MESSAGE_MAX, .sender = FRAMES_OF_SERVER};
        struct bytes payload = {0};
        unsigned code = 0;

        frames_add(&r, bytes_of("\x01\x7e\x03\xe8", 4));
        assert_int_equal(frames_next(&r, &payload, &code), FRAME_NOTHING);
        for (int i = 0; i < 10; i++) {
                assert_int_equal(frames_next(&r, &payload, &code), FRAME_NOTHING);
                frames_add(&r, bytes_of(piece, sizeof(piece)));
        }
        for (int i = 0; i < 10000; i++) {
                frames_add(&r, bytes_of("\x00\x00\x8a\x00", 4));
                assert_int_equal(frames_next(&r, &payload, &code), FRAME_IS_PONG);
        }
        assert_true(r.in.size + r.message.size < 5 * MESSAGE_MAX);
        frames_add(&r, bytes_of("\x00\x01", 2));
        assert_int_equal(frames_next(&r, &payload, &code), FRAME_IS_WRONG);
        assert_int_equal(code, CLOSE_TOO_BIG);
        frames_fini(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_events),
                cmocka_unit_test(test_several_at_once),
                cmocka_unit_test(test_writing),
                cmocka_unit_test(test_writing_masked),
                cmocka_unit_test(test_memory_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
