/* SPDX-License-Identifier: Apache-2.0
 *
 * live_client.h: one client of the feed: where it is, and what is to be told to it. Loop's thread
 * only.
 */
#pragma once

#include "common/http/websocket.h"
#include "common/model/record.h"
#include "gateway/live/live_feed.h"
#include "gateway/live/live_frames.h"

enum live_close {
        LIVE_CLOSE_KEY = 4001,  /* the key is revoked or has expired, or the session has ended */
        LIVE_CLOSE_SLOW = 4008, /* it took too little for 10 s */
        LIVE_CLOSE_MESSAGES = 4029, /* it sent too many messages */
};

/* Who looks. */
struct live_viewer {
        char key[KEY_ID_SIZE];
        char tenant[TENANT_SIZE]; /* "": an admin key */
        bool masked;              /* does not see payloads whole */
        msec session_ends;        /* clock_wall; 0: it is no session */
        char from[46];            /* its address */
};

/* What it asked for when it came. */
struct live_asked {
        struct live_viewer viewer;
        struct live_filter filter; /* of a tenant's key: with that tenant */
        bool resumes;
        int64_t offset, mark; /* resumes: behind this; mark 0: not said */
};

struct live_client;

/* Takes the filter. */
struct live_client *live_client_create(struct live_asked *asked, struct websockets *pool,
                                       const struct live_meters *meters);
void live_client_destroy(struct live_client **c);
void live_client_open(struct live_client *c, uint64_t socket, msec now);

const struct live_viewer *live_client_viewer(const struct live_client *c);
bool live_client_wants_events(const struct live_client *c);
/* The filter, while it wants counts; NULL: it wants events, or is not greeted yet. */
const struct live_filter *live_client_counts(const struct live_client *c);

/* From the feed. */
void live_client_gap(struct live_client *c, enum live_gap why, const struct live_ring *ring);
void live_client_begun(struct live_client *c, const struct live_feed *feed);
void live_client_dropped(struct live_client *c, uint64_t seq, const struct live_entry *e);

/* The event that it is told next; UINT64_MAX: none, yet or any more. */
uint64_t live_client_next(const struct live_client *c);

/* A message of the client's. */
void live_client_hear(struct live_client *c, struct bytes text, const struct live_ring *ring);
/* Call it every 100 ms: tells it what is due. */
void live_client_tick(struct live_client *c, const struct live_feed *feed,
                      struct live_frames *frames, msec now);
/* Sends a text that may be left out when it is too slow. */
void live_client_say(struct live_client *c, struct bytes text, msec now);
/* Nothing is sent while it holds: the key cannot be checked. */
void live_client_hold(struct live_client *c, bool hold);
/* Its key may not read any more. */
void live_client_end(struct live_client *c);
