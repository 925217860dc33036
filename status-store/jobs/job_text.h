/* SPDX-License-Identifier: Apache-2.0
 *
 * job_text.h: whether a text occurs in a job's payload or error.
 */
#pragma once

#include "common/base/json_mask.h"
#include "common/db/readers.h"
#include "status-store/projection/schema.h"

struct text_search {
        const char *text;
        /* Whoever does not see a masked value must not find it either, or a search for one text
         * after the other would read it. NULL, or without words: nothing is masked. */
        const struct mask_words *mask;
        size_t searched; /* grows by the bytes looked at */
};

/* 1, 0; -1: failed. */
int job_text_holds(struct text_search *search, struct reader *r, const struct stored_job *job,
                   struct err *e) MUST_CHECK;
