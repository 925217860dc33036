/* SPDX-License-Identifier: Apache-2.0
 *
 * senders.h: the gateways that publish on stream `admits`: the last record of each, so that none is
 * counted twice, and how far its clock is from ours. At most SENDERS_MAX, the last that told
 * something. No network here.
 */
#pragma once

#include <stdbool.h>

#include "gateway/admit_record.h"

enum { SENDERS_MAX = 4096 }; /* 1 MB; more than start within the stream's hour */

struct senders;

struct senders *senders_create(void);
void senders_destroy(struct senders **s);
/* False: this record, or a later one of its gateway, came before. *age: how long ago it was told,
 * never below zero. live: the record came from the stream as it was published, so its time and
 * `now`, of the wall clock, show the difference of the two clocks; else they are taken to agree. */
bool senders_accept(struct senders *s, const struct admit_record *r, msec now, bool live,
                    msec *age);
