/* SPDX-License-Identifier: Apache-2.0
 *
 * findings.h: what the checks found: the state of each, the problem, and what to do. One thread at
 * a time.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/json_scan.h"
#include "common/doctor/checks.h"
#include "common/model/job.h"

enum finding_state {
        FINDING_OK,
        FINDING_WRONG,
        FINDING_UNKNOWN, /* it could not be checked */
        FINDING_FIXED,   /* it was wrong, and whoever looked has mended it */
};

struct finding {
        enum check check;
        const char *name; /* of the check; a node's has the node's name */
        enum finding_state state;
        const char *problem, *remedy; /* NULL: none */
        char tenant[TENANT_SIZE];     /* whom alone it is about; "": the whole */
        msec since;                   /* when the check came into this state; 0: not known */
        msec looked_at;               /* 0: not known */
};

struct findings;
struct findings *findings_create(void);
void findings_destroy(struct findings **f);

/* Copies the texts. problem may be NULL with FINDING_OK. remedy: NULL when there is nothing to do.
 */
void findings_add(struct findings *f, enum check check, enum finding_state state,
                  const char *problem, const char *remedy);
/* What was added last is about this node, or about this tenant alone. */
void findings_of_node(struct findings *f, const char *node);
void findings_about(struct findings *f, const char *tenant);

size_t findings_count(const struct findings *f);
const struct finding *findings_at(const struct findings *f, size_t n);
/* As findings_add, of a finding that was made elsewhere. Copies the texts. */
void findings_put(struct findings *f, const struct finding *made);
/* How many are in this state. */
unsigned findings_in(const struct findings *f, enum finding_state state);
/* Adds copies of those of these layers, or-ed. */
void findings_copy(struct findings *to, const struct findings *from, unsigned layers);
/* Drops those of these layers, or-ed. */
void findings_drop(struct findings *f, unsigned layers);
/* All were looked at now. A check that `before` has in the same state, keeps its `since`; another
 * one gets now. before: NULL, or the findings of the look before. */
void findings_note_times(struct findings *f, const struct findings *before, msec now);

/* Of the whole. What is unknown does not change it. */
enum verdict { VERDICT_OK, VERDICT_DEGRADED, VERDICT_DOWN };
enum verdict findings_verdict(const struct findings *f);
const char *verdict_name(enum verdict v);
const char *finding_state_name(enum finding_state s);

/* Adds members `verdict`, `reasons` and `checks`. tenant: one that may see what is about itself
 * only; of the rest it sees names and states. NULL: all is seen. */
void findings_write(const struct findings *f, const char *tenant, struct buffer *out);
/* Adds member `checks` with all that there is, for findings_read. */
void findings_write_checks(const struct findings *f, struct buffer *out);
/* Adds those of such a member of the object. -1: it has none. */
int findings_read(struct findings *f, struct scan_value object, struct err *e) MUST_CHECK;
