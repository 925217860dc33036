/* SPDX-License-Identifier: Apache-2.0
 *
 * status_store.h: the status-store without its command line. Main thread only.
 */
#ifndef WARREN_STATUS_STORE_STATUS_STORE_H
#define WARREN_STATUS_STORE_STATUS_STORE_H

#include "common/base/service.h"
#include "status-store/settings.h"

struct status_store;

struct status_store *status_store_create(const struct settings *s, struct service *service,
                                         struct err *e) MUST_CHECK;
/* Stops serving and following, commits what was folded, and ends the service. */
void status_store_drain(struct status_store *s);
void status_store_destroy(struct status_store **s);

#endif
