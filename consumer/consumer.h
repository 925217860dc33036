/* SPDX-License-Identifier: Apache-2.0
 *
 * consumer.h: the program: takes jobs from every tenant's queues, runs them, publishes each
 * outcome, and acknowledges a job only once its outcome is confirmed. Loop thread only.
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
/* Ends at once: kills running handlers; deliveries not yet acked are redelivered by the broker. */
void consumer_destroy(struct consumer **c);
/* Takes no more jobs, requeues those not started, lets the rest end, then ends the service. */
void consumer_drain(struct consumer *c);
/* Reads handlers.json again; when it is invalid the old handlers stay in force. */
void consumer_reload(struct consumer *c);

#endif
