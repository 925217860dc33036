/* SPDX-License-Identifier: Apache-2.0
 *
 * consumer.h: the program: takes jobs from every tenant's queues, runs them, publishes what became
 * of them, and only then acknowledges them. Loop thread only.
 */
#ifndef WARREN_CONSUMER_CONSUMER_H
#define WARREN_CONSUMER_CONSUMER_H

#include "common/base/err.h"
#include "common/base/service.h"
#include "consumer/settings.h"

struct consumer;

/* Settings are borrowed. Loads the handlers, listens on the health port, begins to connect. */
struct consumer *consumer_create(const struct consumer_settings *s, struct service *service,
                                 struct err *e) MUST_CHECK;
/* Ends at once: kills what runs; what was not acked is delivered again. */
void consumer_destroy(struct consumer **c);
/* Takes no more, gives back what has not started, lets the rest end, and ends the service. */
void consumer_drain(struct consumer *c);
/* Reads the handlers again; a broken file leaves the old ones in force. */
void consumer_reload(struct consumer *c);

#endif
