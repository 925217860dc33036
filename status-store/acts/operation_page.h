/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_page.h: the next jobs of an operation, and the acts on them.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/acts/acts.h"
#include "status-store/acts/registry_operations.h"
#include "status-store/jobs/list_walk.h"

/* The filter of an operation's pages: as given, and nothing that came after the preview. Set the
 * tenant first; the text is borrowed from `text`. */
struct page_filter {
        struct job_filter filter;
        struct buffer text;
};
int page_filter_read(struct page_filter *f, const struct operation *o, struct err *e) MUST_CHECK;
void page_filter_fini(struct page_filter *f);
#define AUTO_PAGE_FILTER __attribute__((cleanup(page_filter_fini))) struct page_filter

/* Large: not for a stack. */
struct operation_page {
        struct acts_page acts;
        struct act all[ACTS_PAGE_MAX];
        struct job_filter filter; /* without its text */
        struct operation_step step;
        char cursor[CURSOR_SIZE];
        bool is_last;  /* no job was found, and none is left */
        bool is_noted; /* filled by operation_page_apply: the operation's row has it */
};

/* Who acts: "operation <id>". */
void operation_by(const struct operation *o, char out[ACT_BY_SIZE]);
/* Finds the jobs behind the operation's cursor; for a page zeroed before. It may hold none and not
 * be the last, because a search for a text is bounded. The page borrows the operation. */
int operation_page_fill(struct operation_page *p, struct readers *readers,
                        const struct operation *o, struct err *e) MUST_CHECK;
/* As acts_apply_page. ERR_CONFLICT: the operation does not run any more; nothing was done. */
int operation_page_apply(struct operation_page *p, struct acts *acts, struct registry *registry,
                         struct err *e) MUST_CHECK;
