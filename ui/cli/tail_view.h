/* SPDX-License-Identifier: Apache-2.0
 *
 * tail_view.h: what the live feed sends, as text for people. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/json_scan.h"

struct tail_look {
        bool terminal; /* standard output is one: short times */
        bool colours;
        bool tenants;                      /* all are followed: show each event's */
        bool filtered;                     /* only some events are asked for */
        unsigned width;                    /* an event takes at most two rows of it; 0: no limit */
        unsigned height;                   /* of the terminal, which a table fits; 0: no limit */
        unsigned type_width, tenant_width; /* of what was shown; start as 0 */
};

/* Adds an event's line: time, kind, tenant, type, id, and what there is to say. */
void tail_add_event(struct tail_look *look, struct scan_value event, msec now, struct buffer *out);
/* Adds an event as a line of JSON. Its first member is `offset`; offset < 0: none. */
void tail_add_json(struct scan_value event, int64_t offset, struct buffer *out);
/* Adds "missed about 12 events: the gateway was restarted", or, where only some of the stream's
 * events are followed, "may have missed events (offsets 3 to 15): …". */
void tail_add_gap(const struct tail_look *look, struct scan_value gap, struct buffer *out);
/* Adds how many jobs have which status, of all and of each tenant, as far as there is room. */
void tail_add_table(const struct tail_look *look, struct scan_value counts, struct buffer *out);
/* Adds a line of how many jobs have which status, of all tenants; nothing when it is not said. */
void tail_add_line(struct scan_value counts, struct buffer *out);
/* What the feed's end with this code means (docs/http.md). ERR_FORBIDDEN: another connection would
 * be refused; ERR_UNAVAILABLE. */
void tail_judge_close(unsigned code, struct bytes reason, struct err *e);
