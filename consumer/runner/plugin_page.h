/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_page.h: the consumer's side of the memory page that it shares with a plugin host: cancels
 * a job, reads a job's latest progress. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_PAGE_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_PAGE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "consumer/runner/plugin_wire.h"

struct plugin_page {
        struct wire_page *shared;
        uint32_t sequence; /* of the current or last job; 0: none yet */
        uint32_t seen;     /* version of the progress read last */
};

/* fd is for the host; the caller closes it. ERR_FULL: no room now. */
int page_init(struct plugin_page *p, int *fd, struct err *e) MUST_CHECK;
void page_fini(struct plugin_page *p);

/* Begins a job; returns its sequence. */
uint32_t page_begin_job(struct plugin_page *p);
void page_cancel_job(struct plugin_page *p);

enum page_news { PAGE_NEWS, PAGE_NO_NEWS, PAGE_BUSY /* it is being written */ };
/* Reads the job's latest progress, if it is newer than at the last call. */
enum page_news page_read(struct plugin_page *p, struct wire_latest *out);
/* Makes the host send a PROGRESS frame with the next progress that it writes. */
void page_ask_notice(struct plugin_page *p);

#endif
