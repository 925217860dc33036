/* SPDX-License-Identifier: Apache-2.0
 *
 * broker.h: an admin's connections to the broker: its management API, and an AMQP link for
 * declaring.
 */
#pragma once

#include "common/amqp/wait.h"
#include "common/http/client.h"
#include "ui/cli/cli.h"

/* A client of WARREN_MANAGEMENT_URL. ERR_INVALID when it is not set. */
struct http_client *broker_management(const struct cli *c, struct err *e) MUST_CHECK;
/* Warren's vhost: the one in WARREN_ADMIN_AMQP_URL, else "warren". Owned. */
char *broker_vhost(const struct cli *c);

/* An admin's link with a loop and thread of its own. */
struct broker_link;
struct broker_link *broker_link_create(const struct cli *c, struct err *e) MUST_CHECK;
void broker_link_destroy(struct broker_link **l);
struct link *broker_link_get(struct broker_link *l);
/* If e is ERR_UNAVAILABLE, replaces its text by why the last connect failed. Returns -1. */
int broker_link_explain(struct broker_link *l, struct err *e);
