/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_line.h: the two lines of an administrative act in stream `events` (docs/amqp.md). Pure.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/json_mask.h"
#include "common/base/uuid.h"
#include "common/model/job.h"

enum {
        AUDIT_DETAIL_MAX = 1024,
        AUDIT_TARGET_SIZE = 128,
        AUDIT_FIELD_MAX = 128, /* bytes of each other text; what is longer is cut */
};

/* Texts are borrowed; "" or NULL: none. */
struct audit_act {
        char id[UUID_SIZE];
        msec at;
        const char *by, *key_tenant; /* "key k1x2y3z4" */
        const char *what;            /* "tenant.change" */
        const char *target, *tenant;
        const char *origin, *gateway, *traceparent;
        struct bytes query; /* as it stands behind the "?" */
        struct bytes body;
        bool names_only; /* of the body's members, not their values */
};

/* Appends the line, at most AUDIT_LINE_MAX bytes. Its detail is left out when it is longer than
 * AUDIT_DETAIL_MAX or the body is no JSON. `words` are masked in it. */
void audit_line_begin(const struct audit_act *a, const struct mask_words *words,
                      struct buffer *out);

/* What the answer to an act says; "": nothing. */
struct audit_outcome {
        char made[AUDIT_TARGET_SIZE]; /* "key/k1x2y3z4", "operation/0198…" */
        char tenant[TENANT_SIZE];     /* of what was acted on */
};
/* answer: the body of an answer to the act `what`; anything. */
void audit_outcome_read(const char *what, struct bytes answer, struct audit_outcome *out);
/* o: NULL: nothing is known. */
void audit_line_end(const struct audit_act *a, msec at, int status, const struct audit_outcome *o,
                    struct buffer *out);

/* What a path is about: "tenant/acme", of the last parameter in the pattern; "jobs" when there is
 * none. value: of that parameter; NULL: not one that could be a name or an id, then "" is written.
 * An {id} is written as services write it: in lower case. */
void audit_target(const char *pattern, const char *value, char out[AUDIT_TARGET_SIZE]);
