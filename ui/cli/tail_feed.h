/* SPDX-License-Identifier: Apache-2.0
 *
 * tail_feed.h: takes the messages of the live feed (docs/http.md) over several connections, one
 * after the other: what they say becomes text, and what is missing between them is told. Pure.
 */
#pragma once

#include "ui/cli/tail_view.h"

/* Starts as {0} but for look, json, offset and mark; ends with tail_feed_fini. */
struct tail_feed {
        struct tail_look look;
        bool json;      /* lines of JSON; else text for people */
        int64_t offset; /* the next connection goes on after it; -1: none is known */
        int64_t mark;   /* of the message at that offset; -1: not known */
        bool began;     /* a feed has greeted, on this connection or before */
        bool greeted;   /* on this connection */
        /* To be taken by the caller after each call. */
        struct buffer out;   /* for standard output */
        struct buffer notes; /* for standard error: a line each */
        /* private */
        bool again;         /* this connection is not the first */
        int64_t asked;      /* the offset that it asked to go on after */
        bool owes;          /* it does not go on where the one before ended, and no gap was told */
        bool stale;         /* the counts are */
        struct buffer last; /* the counts that were shown last */
};

void tail_feed_fini(struct tail_feed *f);
/* A connection begins: it asked for what comes after f->offset and f->mark. */
void tail_feed_connect(struct tail_feed *f);
/* ERR_PROTOCOL: it is no message of a feed. */
int tail_feed_take(struct tail_feed *f, struct bytes message, msec now, struct err *e) MUST_CHECK;
/* No message has come for a while, or none will: what is owed is told. */
void tail_feed_rest(struct tail_feed *f);
/* Adds a note: as it is, or with JSON as {"note": …}. */
void tail_feed_note(struct tail_feed *f, const char *format, ...) PRINTF_LIKE(2, 3);
