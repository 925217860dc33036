/* SPDX-License-Identifier: Apache-2.0
 *
 * websockets_test.c: what a client that does not read costs the pool. Clients are the other ends of
 * socket pairs.
 */
#include "common/http/websockets.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/websocket_frames.h"
#include "tests/unit/unit.h"

enum { PATIENCE = 20 * MSEC_SECOND, LITTLE = 8 * 1024, UNSENT = 1024 * 1024 };

struct known_socket {
        int fd;
};

int __wrap_known_socket_descriptor(const struct known_socket *s);
void __wrap_known_socket_close(struct known_socket *s);

int __wrap_known_socket_descriptor(const struct known_socket *s)
{
        return s->fd;
}

void __wrap_known_socket_close(struct known_socket *s)
{
        close(s->fd);
        free(s);
}

static atomic_size_t freed; /* the size of the largest buffer so far */

void __real_buffer_fini(struct buffer *b);
void __wrap_buffer_fini(struct buffer *b);

void __wrap_buffer_fini(struct buffer *b)
{
        if (b->size > freed)
                freed = b->size;
        __real_buffer_fini(b);
}

static struct websockets *pool;

/* A client that has read the answer to its handshake. */
struct client {
        int fd;
        _Atomic uint64_t socket; /* 0: not opened yet */
        struct buffer in;        /* what it has read and not looked at */
};

static void on_opened(void *user, uint64_t socket)
{
        ((struct client *)user)->socket = socket;
}

static void on_message(void *user, uint64_t socket, struct bytes text)
{
        (void)user;
        (void)socket;
        (void)text;
}

/* Nothing is sent while it runs, since it is called on the pool's thread. */
static void on_message_end(void *user, uint64_t socket, struct bytes text)
{
        struct err e = {0};

        (void)user;
        assert_int_equal(websockets_send(pool, socket, text, &e), 0);
        websockets_abandon(pool, socket, 4001);
}

static void on_closed(void *user, uint64_t socket)
{
        (void)user;
        (void)socket;
}

static const struct websocket_events plain = {on_opened, on_message, on_closed};
static const struct websocket_events ending = {on_opened, on_message_end, on_closed};

static void read_some(struct client *c)
{
        char piece[16 * 1024];
        struct pollfd p = {.fd = c->fd, .events = POLLIN};

        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        ssize_t got = read(c->fd, piece, sizeof(piece));
        assert_true(got > 0);
        buffer_add(&c->in, piece, (size_t)got);
}

static void open_client(struct client *c, const struct websocket_events *on)
{
        int fds[2];
        struct known_socket *s = xcalloc(1, sizeof(*s));
        AUTO_BUFFER answer = {0};

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        *c = (struct client){.fd = fds[0]};
        s->fd = fds[1];
        buffer_add_text(&answer, "101\n");
        assert_true(websockets_reserve(pool));
        websockets_add(pool, s, &answer, on, c);
        while (c->in.length < 4)
                read_some(c);
        buffer_drop(&c->in, 4);
        assert_int_not_equal(c->socket, 0);
}

static void end_client(struct client *c)
{
        close(c->fd);
        buffer_fini(&c->in);
}

static void send_frame(const struct client *c, enum frame_opcode opcode, const char *payload)
{
        AUTO_BUFFER f = {0};

        frame_write(&f, opcode, bytes_of_text(payload));
        f.data[1] |= (char)0x80;
        buffer_add(&f, payload, strlen(payload)); /* room for the mask, which is 0 */
        memset(f.data + 2, 0, 4);
        memcpy(f.data + 6, payload, strlen(payload));
        f.length = 6 + strlen(payload);
        for (size_t sent = 0; sent < f.length;) {
                ssize_t part = write(c->fd, f.data + sent, f.length - sent);
                assert_true(part > 0);
                sent += (size_t)part;
        }
}

/* The next frame's opcode; its payload goes into `payload`. */
static enum frame_opcode hear(struct client *c, struct buffer *payload)
{
        while (c->in.length < 10 && (c->in.length < 2 || c->in.length < frame_length(c->in.data)))
                read_some(c);
        size_t length = frame_length(c->in.data);
        while (c->in.length < length)
                read_some(c);
        unsigned char second = (unsigned char)c->in.data[1];
        size_t head = second == 127 ? 10 : second == 126 ? 4 : 2;
        enum frame_opcode opcode = (enum frame_opcode)(c->in.data[0] & 15);
        buffer_set(payload, bytes_of(c->in.data + head, length - head));
        buffer_drop(&c->in, length);
        return opcode;
}

static void begin(size_t kernel_max, msec silence)
{
        struct err e = {0};

        pool = websockets_create(&(struct websockets_config){.max = 4,
                                                             .silence_max = silence,
                                                             .unsent_max = UNSENT,
                                                             .kernel_max = kernel_max},
                                 &e);
        assert_non_null(pool);
}

static void a_client_that_pings_without_reading(void **state)
{
        enum { PINGS = 100000, PONGS = 20000 };
        AUTO_BUFFER payload = {0};
        struct client c;
        unsigned pongs = 0;

        (void)state;
        begin(LITTLE, 0);
        open_client(&c, &plain);
        for (unsigned i = 0; i < PINGS; i++)
                send_frame(&c, FRAME_PING, "");
        send_frame(&c, FRAME_PING, "last");
        for (; !bytes_equal_text(buffer_bytes(&payload), "last"); pongs++)
                assert_int_equal(hear(&c, &payload), FRAME_PONG);
        assert_true(pongs < PONGS);
        send_frame(&c, FRAME_PING, "again");
        assert_int_equal(hear(&c, &payload), FRAME_PONG);
        assert_string_equal(payload.data, "again");
        end_client(&c);
        websockets_destroy(&pool);
}

static void many_small_messages_delay_nobody(void **state)
{
        AUTO_BUFFER payload = {0};
        struct client slow, other;
        struct err e = {0};
        size_t count = 0, bytes = 0;

        (void)state;
        begin(0, 0);
        open_client(&slow, &plain);
        open_client(&other, &plain);
        while (websockets_send(pool, slow.socket, bytes_of("", 0), &e) == 0)
                count++;
        assert_int_equal(e.code, ERR_FULL);
        msec at = clock_mono();
        while (bytes < 2 * count) {
                read_some(&slow);
                bytes += slow.in.length;
                buffer_clear(&slow.in);
                send_frame(&other, FRAME_PING, "?");
                assert_int_equal(hear(&other, &payload), FRAME_PONG);
        }
        assert_true(clock_mono() - at < 5 * MSEC_SECOND);
        end_client(&slow);
        end_client(&other);
        websockets_destroy(&pool);
}

static void hear_close(struct client *c, unsigned code)
{
        AUTO_BUFFER payload = {0};

        assert_int_equal(hear(c, &payload), FRAME_CLOSE);
        assert_int_equal((unsigned char)payload.data[0] << 8 | (unsigned char)payload.data[1],
                         code);
}

static void what_waits_is_dropped_but_for_a_message_that_was_sent_in_part(void **state)
{
        enum { LONG = 300 * 1024 };
        AUTO_BUFFER text = {0};
        AUTO_BUFFER payload = {0};
        struct client slow, other;
        struct err e = {0};

        (void)state;
        begin(LITTLE, 0);
        open_client(&slow, &plain);
        buffer_reserve(&text, LONG);
        memset(text.data, 'x', LONG);
        text.length = LONG;
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(websockets_send(pool, slow.socket, buffer_bytes(&text), &e), 0);
        read_some(&slow);
        websockets_abandon(pool, slow.socket, 4001);
        assert_int_equal(hear(&slow, &payload), FRAME_TEXT);
        assert_int_equal(payload.length, LONG);
        hear_close(&slow, 4001);

        open_client(&other, &ending);
        send_frame(&other, FRAME_TEXT, "secret");
        hear_close(&other, 4001);
        end_client(&slow);
        end_client(&other);
        websockets_destroy(&pool);
}

static void memory_is_given_back_when_nothing_waits(void **state)
{
        AUTO_BUFFER payload = {0};
        struct client c;
        struct err e = {0};

        (void)state;
        begin(LITTLE, 0);
        open_client(&c, &plain);
        buffer_reserve(&payload, UNSENT);
        payload.length = UNSENT;
        memset(payload.data, 'x', UNSENT);
        freed = 0;
        assert_true(websockets_has_room(pool, c.socket, UNSENT));
        assert_false(websockets_has_room(pool, c.socket, UNSENT + 1));
        assert_int_equal(websockets_send(pool, c.socket, buffer_bytes(&payload), &e), 0);
        assert_false(websockets_has_room(pool, c.socket, UNSENT / 2));
        assert_int_equal(hear(&c, &payload), FRAME_TEXT);
        send_frame(&c, FRAME_PING, ""); /* it is answered after that */
        assert_int_equal(hear(&c, &payload), FRAME_PONG);
        assert_true(freed >= UNSENT);
        end_client(&c);
        websockets_destroy(&pool);
}

static void a_silent_client_learns_why_it_is_ended(void **state)
{
        AUTO_BUFFER payload = {0};
        struct client c;
        struct err e = {0};

        (void)state;
        begin(LITTLE, 300);
        open_client(&c, &plain);
        assert_int_equal(hear(&c, &payload), FRAME_PING);
        hear_close(&c, CLOSE_POLICY);
        end_client(&c);

        open_client(&c, &plain);
        buffer_reserve(&payload, UNSENT);
        payload.length = UNSENT;
        memset(payload.data, 'x', UNSENT);
        assert_int_equal(websockets_send(pool, c.socket, buffer_bytes(&payload), &e), 0);
        while (websockets_send(pool, c.socket, bytes_of("", 0), &e) == 0 || e.code == ERR_FULL) {
                send_frame(&c, FRAME_PONG, ""); /* it sends, and takes nothing */
                e = (struct err){0};
        }
        assert_int_equal(hear(&c, &payload), FRAME_TEXT);
        hear_close(&c, CLOSE_POLICY);
        end_client(&c);
        websockets_destroy(&pool);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_client_that_pings_without_reading),
                cmocka_unit_test(many_small_messages_delay_nobody),
                cmocka_unit_test(what_waits_is_dropped_but_for_a_message_that_was_sent_in_part),
                cmocka_unit_test(memory_is_given_back_when_nothing_waits),
                cmocka_unit_test(a_silent_client_learns_why_it_is_ended),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
