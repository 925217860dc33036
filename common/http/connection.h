/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.h: a connection's state between requests, and writing to it, for the files of
 * common/http. Call these on the thread that serves the connection, unless stated otherwise.
 */
#pragma once

#include <civetweb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/http/civetweb_quirks.h"
#include "common/http/watch.h"

/* The connections of one server, which serves as many at once as it has seats. It has a few threads
 * more than seats: their connections wait for a seat, or are refused. */
struct connections {
        struct quirk_listener listener; /* the server sets its port */
        struct watch *watch;
        unsigned seats;
        atomic_uint open;    /* connections that have a thread */
        atomic_uint waiting; /* of these, without a seat */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t seat_left;
        unsigned taken;             /* seats */
        msec changed_at;            /* a seat was last taken or left */
        msec refused_at;            /* a connection was last refused a seat */
        struct known_socket *known; /* of connections that have had a request, and taken ones */
};

struct connection;

int connections_init(struct connections *all, struct in_addr address, unsigned seats,
                     struct err *e) MUST_CHECK;
void connections_fini(struct connections *all);

/* For civetweb's init_connection and connection_close; not connection_closed, when 1.15 has cleared
 * the pointer already. */
struct connection *connection_create(struct connections *all);
void connection_destroy(struct connection **k);

/* Its socket, from the first request on; -1: not found, so use it only through civetweb. */
int connection_descriptor(const struct connection *k);

/* A request begins. True: the connection has a seat, until it ends. False: it was refused one after
 * up to 5 s, or 1 s without any seat taken or left. */
bool connection_begin(struct connection *k, const struct mg_request_info *info) MUST_CHECK;
/* civetweb has refused the client's input: the connection's requests are ignored from now on. */
void connection_end(struct connection *k, const struct mg_request_info *info);
bool connection_is_over(const struct connection *k);
/* Call before an answer is written. Any thread. */
void connection_note_answer(struct connection *k);
/* Call when the connection ends after an answer: reads and drops further input for up to 1 s. A
 * close with unread input would reset the connection, and the client could lose the answer. */
void connection_linger(struct connection *k);
/* Call after an answer: limits the wait for the next request. */
void connection_await_request(struct connection *k);

/* The client has sent requests before the answer to an earlier one: more may be in civetweb's
 * buffer, where polling the socket does not show them. */
bool connection_is_pipelined(const struct connection *k);
/* It has sent 256 pipelined requests in a row, or other connections wait for a seat. */
bool connection_must_yield(const struct connection *k);

/* Writes everything within `limit` ms; else cuts the connection, so that the peer does not take a
 * part for the whole. */
int connection_write(struct connection *k, struct mg_connection *c, struct bytes text, msec limit);

/* Drops unsent data and resets the connection. */
void connection_cut(const struct connection *k, struct mg_connection *c);
/* The peer has closed the connection, or only its sending side: the two look alike until something
 * is sent. False when the socket was not found. */
bool connection_is_gone(const struct connection *k);

/* A socket that the server does not end as a new connection without a request. */
struct known_socket;

/* Takes the socket, to be used further without civetweb. Afterwards only destroy k. Call
 * known_socket_close before connections_fini. */
struct known_socket *connection_take(struct connection *k, struct err *e) MUST_CHECK;
int known_socket_descriptor(const struct known_socket *s);
/* Any thread. Frees s. */
void known_socket_close(struct known_socket *s);
