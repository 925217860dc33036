/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_progress.c: the progress of a batch.
 */
#include "ui/cli/batch_progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/cli/table.h"
#include "ui/cli/view.h"

enum { BAR_MOST = 40, BAR_LEAST = 10, REDRAW_MS = 200, WIDTH_DEFAULT = 80, CUT_WIDTH = 3 };
#define LEFT_AFTER ((msec)5 * MSEC_SECOND)
#define LINE_PAUSE ((msec)10 * MSEC_SECOND)
#define CLEAR_LINE "\r\x1b[K"

void batch_progress_begin(struct batch_progress *p, bool shown)
{
        struct winsize size = {0};

        *p = (struct batch_progress){.shown = shown, .width = WIDTH_DEFAULT};
        p->terminal = isatty(STDERR_FILENO) == 1;
        if (p->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                p->width = size.ws_col;
        p->began = p->last = clock_mono();
}

static unsigned percent(const struct batch_counts *counts)
{
        return counts->read >= counts->size ? 100 : (unsigned)(counts->read * 100 / counts->size);
}

static void add_bar(unsigned done, unsigned room, struct buffer *out)
{
        unsigned cells = room < BAR_MOST ? room : BAR_MOST;

        buffer_add_char(out, '[');
        for (unsigned i = 0; i < cells; i++)
                buffer_add_char(out, i * 100 < done * cells ? '=' : ' ');
        buffer_add_text(out, "] ");
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
        /* The bar's frame takes three columns; the last column of a terminal stays free. */
        if (counts->size > 0 && width >= text.length + BAR_LEAST + 4)
                add_bar(percent(counts), width - (unsigned)text.length - 4, out);
        buffer_add(out, text.data, text.length);
}

/* The bar may not wrap: its text, which is ASCII but for a wait's, is cut, which "..." shows. */
static void draw(struct batch_progress *p, struct buffer *line)
{
        bool cut = show_width(buffer_bytes(line)) >= p->width;
        unsigned room = cut && p->width > CUT_WIDTH ? p->width - CUT_WIDTH : p->width;

        while (line->length > 0 && show_width(buffer_bytes(line)) >= room) {
                do
                        line->length--;
                while (line->length > 0 &&
                       ((unsigned char)line->data[line->length] & 0xc0) == 0x80);
        }
        fprintf(stderr, CLEAR_LINE "%.*s%s", (int)line->length, line->data,
                room < p->width ? "..." : "");
        fflush(stderr);
        p->drawn = true;
}

void batch_progress_show(struct batch_progress *p, const struct batch_counts *counts,
                         const char *wait)
{
        msec now = clock_mono();
        AUTO_BUFFER line = {0};

        msec pause = p->terminal ? (msec)REDRAW_MS : LINE_PAUSE;

        if (wait != NULL && !p->waiting)
                pause = 0;
        if (!p->shown || now - p->last < pause)
                return;
        p->last = now;
        p->waiting = wait != NULL;
        batch_progress_render(counts, now - p->began, wait, p->terminal ? p->width : 0, &line);
        if (p->terminal)
                draw(p, &line);
        else
                fprintf(stderr, "%s\n", line.data);
}

void batch_progress_clear(struct batch_progress *p)
{
        if (!p->drawn)
                return;
        fputs(CLEAR_LINE, stderr);
        fflush(stderr);
        p->drawn = false;
}
