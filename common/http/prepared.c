/* SPDX-License-Identifier: Apache-2.0
 *
 * prepared.c: an answer that another thread gives, while the handler's thread sleeps until the next
 * request.
 *
 * Waking the handler's thread for the answer, to sleep again for the next request, would be a third
 * of a submission's cost. So the other thread writes the answer, without blocking, and wakes no
 * thread. When it cannot send all of it at once, or withholds it, it shuts down the receiving side
 * of the socket. That wakes the handler's thread, which answers and ends the connection.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/http/answer.h"

/* Then the thread waits in civetweb instead: here it would delay a stop of the server, and miss a
 * pipelined request in civetweb's buffer. */
enum { NEXT_WAIT_MS = 100 };

void http_prepare(struct http_request *r, int status, const char *content_type,
                  const char *location, struct bytes body)
{
        struct prepared *p = &r->prepared;

        assert(p->status == 0);
        p->status = status;
        p->fd = connection_descriptor(r->connection);
        p->closing = answer_ends_connection(r);
        p->awaits_next = p->fd >= 0 && !p->closing && !connection_is_pipelined(r->connection);
        const struct answer_text a = {.status = status,
                                      .content_type = content_type,
                                      .location = location,
                                      .body = body,
                                      .closing = p->closing};
        p->head = answer_write(r, &a, &p->text);
        sem_init(&p->decided, 0, 0);
}

static bool is_sent(const struct prepared *p)
{
        return p->sent == p->text.length;
}

/* Gives the request back to the handler. */
static void decide(struct prepared *p, bool given)
{
        p->given = given;
        if (p->awaits_next && !is_sent(p))
                shutdown(p->fd, SHUT_RD);
        sem_post(&p->decided);
}

void http_give(struct http_request *r)
{
        struct prepared *p = &r->prepared;

        r->status = p->status;
        answer_count(r); /* before the client can ask for the metrics */
        if (p->fd >= 0 && (p->closing || !atomic_load(&r->server->closing))) {
                connection_note_answer(r->connection);
                ssize_t sent =
                        send(p->fd, p->text.data, p->text.length, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent > 0)
                        p->sent = (size_t)sent;
        }
        decide(p, true);
}

void http_withhold(struct http_request *r)
{
        decide(&r->prepared, false);
}

static bool is_decided(struct prepared *p)
{
        int decided = 0;

        sem_getvalue(&p->decided, &decided);
        return decided > 0;
}

/* Returns when the socket is readable or closed, or when the answer is decided and nothing came for
 * a while. */
static void sleep_until_next(struct http_request *r)
{
        struct prepared *p = &r->prepared;
        struct pollfd next = {.fd = p->fd, .events = POLLIN};

        while (poll(&next, 1, NEXT_WAIT_MS) <= 0) {
                if (is_decided(p))
                        return;
        }
}

/* Sends what http_give could not. */
static void send_wait(struct http_request *r)
{
        static const char close[] = "Connection: close\r\n";
        struct prepared *p = &r->prepared;
        AUTO_BUFFER rest = {0};

        r->closing = p->closing || p->awaits_next || atomic_load(&r->server->closing);
        if (r->closing)
                mg_disable_connection_keep_alive(r->civetweb);
        buffer_reserve(&rest, p->text.length + sizeof(close));
        if (p->sent == 0) {
                buffer_add(&rest, p->text.data, p->head);
                if (r->closing && !p->closing)
                        buffer_add_text(&rest, close);
                p->sent = p->head;
        }
        buffer_add(&rest, p->text.data + p->sent, p->text.length - p->sent);
        answer_send(r, buffer_bytes(&rest));
}

bool http_await(struct http_request *r)
{
        struct prepared *p = &r->prepared;

        if (p->awaits_next)
                sleep_until_next(r);
        while (sem_wait(&p->decided) != 0)
                assert(errno == EINTR);
        if (!p->given) {
                r->broken = r->broken || p->awaits_next;
                return false;
        }
        if (!is_sent(p))
                send_wait(r);
        else if (p->closing)
                mg_disable_connection_keep_alive(r->civetweb);
        return true;
}
