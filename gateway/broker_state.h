/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_state.h: whether the broker takes what the gateway publishes, and since when not.
 *
 * RabbitMQ tells a connection that it is blocked when that one publishes. So that an idle gateway
 * knows it too, whoever looks has a probe published, at most one in a second. Any thread, but for
 * create and destroy.
 */
#pragma once

#include <stdbool.h>

#include "common/amqp/link.h"
#include "common/base/clock.h"

struct broker_state;

/* The gateway's publishing links. */
enum broker_link { BROKER_QUEUES, BROKER_PACKS };
enum { BROKER_LINKS = 2 };

struct broker_state *broker_state_create(void);
/* After its links were destroyed. */
void broker_state_destroy(struct broker_state **s);

/* For the events of the links. */
void broker_state_up(struct broker_state *s, enum broker_link link);
void broker_state_down(struct broker_state *s, enum broker_link link);
void broker_state_blocked(struct broker_state *s, enum broker_link link, bool blocked);

enum broker_verdict { BROKER_UP, BROKER_BLOCKED, BROKER_DOWN };
const char *broker_verdict_name(enum broker_verdict v);

struct broker_seen {
        enum broker_verdict verdict;
        msec since; /* wall clock; 0 for BROKER_UP */
};
/* packs: the link BROKER_PACKS, for the probe. Waits 300 ms at most. */
struct broker_seen broker_state_look(struct broker_state *s, struct link *packs);
