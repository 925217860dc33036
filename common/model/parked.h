/* SPDX-License-Identifier: Apache-2.0
 *
 * parked.h: the names that belong to a pause of a job type: its key in `control`, and the queue
 * where its jobs are parked, which has an exchange of the same name.
 *
 *      pause of                   key                     queue
 *      a type, for all tenants    type:send_email         parked.send_email
 *      a type, for one tenant     type:acme/send_email    parked-tenant.acme.send_email
 */
#pragma once

#include "common/model/job.h"

enum {
        PAUSE_KEY_SIZE = 112,
        PARKED_QUEUE_SIZE = 128,
};

/* tenant: "": for all. Valid names fit. */
void pause_key(const char *tenant, const char *type, char out[PAUSE_KEY_SIZE]);
/* False: no key of a pause. tenant is "" when the pause is for all. */
bool pause_key_parse(struct bytes key, char tenant[TENANT_SIZE], char type[JOB_TYPE_SIZE]);

/* The queue, and exchange, of that pause of a job; never PAUSE_NONE. */
void parked_of(enum pause pause, const char *tenant, const char *type, char out[PARKED_QUEUE_SIZE]);
/* Of a pause's key; false: it is none. */
bool parked_of_key(const char *key, char out[PARKED_QUEUE_SIZE]);
/* The pause whose queue this is, with its names as in pause_key_parse. PAUSE_NONE: no such queue.
 */
enum pause parked_parse(struct bytes queue, char tenant[TENANT_SIZE], char type[JOB_TYPE_SIZE]);
