/* SPDX-License-Identifier: Apache-2.0
 *
 * work_checks.h: judges whether jobs are run, by what the projection and the archive know. Pure.
 */
#pragma once

#include "common/doctor/findings.h"

/* What the projection knows. */
struct work_facts {
        msec as_of, lag;
        const char
                *unhandled; /* types that wait without a live consumer, with commas; NULL: none */
        unsigned live;      /* consumers */
        unsigned lost;      /* consumers that ended without a word */
        bool more_lost;     /* than lost_names has */
        const char *lost_names; /* some of them, with commas; NULL: none */
};

/* The projection is so far behind that nothing else can be said. */
bool work_is_behind(msec lag);
void work_checks(const struct work_facts *w, struct findings *f);
/* So many letters of the tenant will be deleted soon. */
void work_checks_letters(const char *tenant, int64_t letters, struct findings *f);
