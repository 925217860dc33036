/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_page.h: the consumer's side of the page that it shares with a plugin host: cancelling a
 * job, and the latest progress of one. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_PAGE_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_PAGE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "consumer/runner/plugin_wire.h"

struct plugin_page {
        struct wire_page *shared;
        uint32_t sequence; /* of the job it has or had; 0: none yet */
        uint32_t heard;    /* version of the progress read last */
};

/* fd is for the host, and the caller's to close. ERR_FULL: no room now. */
int page_init(struct plugin_page *p, int *fd, struct err *e) MUST_CHECK;
void page_fini(struct plugin_page *p);

/* A new job; returns its sequence. */
uint32_t page_begin_job(struct plugin_page *p);
void page_cancel_job(struct plugin_page *p);

enum page_news { PAGE_NEWS, PAGE_NO_NEWS, PAGE_BUSY /* it is being written */ };
/* The job's progress since the last call, if there is any. */
enum page_news page_read(struct plugin_page *p, struct wire_latest *out);
/* Has the host tell, by a PROGRESS frame, of what it writes from now on. */
void page_ask_to_tell(struct plugin_page *p);

#endif
