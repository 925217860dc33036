/* SPDX-License-Identifier: Apache-2.0
 *
 * declared.h: what the files of common/topology share: declarations as JSON, and one call of the
 * management API.
 */
#ifndef WARREN_TOPOLOGY_DECLARED_H
#define WARREN_TOPOLOGY_DECLARED_H

#include "common/topology/topology.h"

/* A declaration's arguments as the management API shows them. New reference. */
json_t *declared_arguments(const struct declaration *d);

/* Takes the reference of body (NULL: none). -1 unless the answer is a 2xx; http_reply_fini always.
 */
int management_call(struct http_client *management, const char *method, const char *path,
                    json_t *body, struct http_reply *reply, struct err *e) MUST_CHECK;

#endif
