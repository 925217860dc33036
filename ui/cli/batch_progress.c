/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_progress.c: the progress of a batch.
 */
#include "ui/cli/batch_progress.h"

#include "ui/cli/table.h"
#include "ui/cli/view.h"

#define LEFT_AFTER ((msec)5 * MSEC_SECOND)

void batch_progress_begin(struct batch_progress *p, bool shown)
{
        *p = (struct batch_progress){.waiting = false};
        progress_begin(&p->line, shown);
}

static unsigned percent(const struct batch_counts *counts)
{
        return counts->read >= counts->size ? 100 : (unsigned)(counts->read * 100 / counts->size);
}

/* By the bytes that this run has done. */
static void add_time_left(const struct batch_counts *counts, msec elapsed, struct buffer *out)
{
        if (elapsed < LEFT_AFTER || counts->read <= counts->begun || counts->read >= counts->size)
                return;
        double part =
                (double)(counts->size - counts->read) / (double)(counts->read - counts->begun);
        view_add_span((msec)(part * (double)elapsed), out);
        buffer_add_text(out, " left  ");
}

void batch_progress_render(const struct batch_counts *counts, msec elapsed, const char *wait,
                           unsigned width, struct buffer *out)
{
        AUTO_BUFFER text = {0};
        uint64_t ms = elapsed > 0 ? (uint64_t)elapsed : 1;

        if (counts->size > 0)
                buffer_printf(&text, "%3u %%  ", percent(counts));
        buffer_printf(&text, "%llu accepted, %llu refused  ", (unsigned long long)counts->accepted,
                      (unsigned long long)counts->refused);
        add_time_left(counts, elapsed, &text);
        if (wait != NULL)
                show_text(&text, bytes_of_text(wait));
        else
                buffer_printf(&text, "%llu jobs/s",
                              (unsigned long long)(counts->answered * MSEC_SECOND / ms));
        if (counts->size > 0)
                progress_add_bar(percent(counts), text.length, width, out);
        buffer_add(out, text.data, text.length);
}

void batch_progress_show(struct batch_progress *p, const struct batch_counts *counts,
                         const char *wait)
{
        bool begins_to_wait = wait != NULL && !p->waiting;
        AUTO_BUFFER line = {0};

        if (!progress_is_due(&p->line, begins_to_wait))
                return;
        p->waiting = wait != NULL;
        batch_progress_render(counts, clock_mono() - p->line.began, wait, progress_room(&p->line),
                              &line);
        progress_show(&p->line, &line);
}

void batch_progress_clear(struct batch_progress *p)
{
        progress_clear(&p->line);
}
