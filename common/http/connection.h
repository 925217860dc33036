/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.h: the inside of common/http: what is known of a connection from one request to the
 * next, and writing to it. On the thread that serves it, unless something else is said.
 */
#ifndef WARREN_HTTP_CONNECTION_H
#define WARREN_HTTP_CONNECTION_H

#include <civetweb.h>
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/http/admission.h"
#include "common/http/civetweb_quirks.h"
#include "common/http/watch.h"

/* Those of one server. */
struct connections {
        struct quirk_listener listener; /* its port is set when it listens */
        struct watch *watch;
        struct admission admission;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        struct connection *known; /* whose socket was looked for */
        struct taken_socket *taken;
};

struct connection;

int connections_init(struct connections *all, struct in_addr address, unsigned seats,
                     struct err *e) MUST_CHECK;
void connections_fini(struct connections *all);

/* For civetweb's init_connection and connection_close. 1.15 has forgotten the data when it calls
 * connection_closed. */
struct connection *connection_create(struct connections *all);
void connection_destroy(struct connection **k);

/* Its socket, from the first request on; -1 when it is not certain which it is: then it is used
 * through civetweb only. */
int connection_descriptor(const struct connection *k);

/* A request begins: the connection has a seat from then on, or is refused one. */
bool connection_begin(struct connection *k, const struct mg_request_info *info,
                      bool *first_refusal) MUST_CHECK;
/* civetweb has refused what the client sent: nothing of the connection is looked at any more. */
void connection_end(struct connection *k, const struct mg_request_info *info);
bool connection_is_over(const struct connection *k);
/* An answer is about to be written. Any thread. */
void connection_answers(struct connection *k);
/* The connection ends with what was written. Closed with unread input it would be reset, and the
 * client could lose answers: so what it goes on to send is taken, a second at most. */
void connection_linger(struct connection *k);
/* The answer is written, and the next request is awaited. */
void connection_rest(struct connection *k);

/* The client has sent requests before it had the answers of those before: they can be in civetweb's
 * buffer, and then nobody sees them at the socket. */
bool connection_is_pipelined(const struct connection *k);
/* It has sent as many of them as it may, or others wait for its seat. */
bool connection_must_yield(const struct connection *k);

/* Whole within `limit` ms, or the connection is cut: the peer cannot take a part for the whole. */
int connection_write(struct connection *k, struct mg_connection *c, struct bytes text, msec limit);

/* What is still to be sent is dropped, and the peer gets a reset. */
void connection_cut(const struct connection *k, struct mg_connection *c);
/* Will the peer send nothing more? A close looks like that: nobody can tell the two apart before
 * something is sent. False when the socket is not known. */
bool connection_is_gone(const struct connection *k);

/* A connection that goes on without civetweb. Its descriptor stays known to the server: it is no
 * fresh connection that may be ended for room. */
struct taken_socket;

/* The end of this connection for the thread that serves it: nothing is to be done with it but to
 * destroy it. connections_fini comes after taken_socket_close. */
struct taken_socket *connection_take(struct connection *k, struct err *e) MUST_CHECK;
int taken_socket_descriptor(const struct taken_socket *t);
/* Any thread. Takes t and clears it. */
void taken_socket_close(struct taken_socket **t);

#endif
