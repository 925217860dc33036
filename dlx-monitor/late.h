/* SPDX-License-Identifier: Apache-2.0
 *
 * late.h: letters that were archived long after their jobs died. A job may have been forgotten
 * meanwhile, and its letter must not stay with the payload: the primary status-store is asked, and
 * letters of forgotten jobs are deleted. After a start all late letters are asked about again.
 *
 * Has a thread of its own.
 */
#pragma once

#include "common/http/client.h"
#include "dlx-monitor/archive.h"

struct late;

/* Both are borrowed. */
struct late *late_create(struct archive *archive, struct http_client *primary,
                         struct err *e) MUST_CHECK;
/* Waits for its thread: stop the client first. NULL is allowed. */
void late_destroy(struct late **l);
