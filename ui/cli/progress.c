/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.c: a line of progress on standard error.
 */
#include "ui/cli/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/cli/table.h"

enum { BAR_MOST = 40, BAR_LEAST = 10, REDRAW_MS = 200, WIDTH_DEFAULT = 80, CUT_WIDTH = 3 };
#define LINE_PAUSE ((msec)10 * MSEC_SECOND)
#define CLEAR_LINE "\r\x1b[K"

void progress_begin(struct progress *p, bool shown)
{
        struct winsize size = {0};

        *p = (struct progress){.shown = shown, .width = WIDTH_DEFAULT};
        p->terminal = isatty(STDERR_FILENO) == 1;
        if (p->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                p->width = size.ws_col;
        p->began = p->last = clock_mono();
}

bool progress_is_due(struct progress *p, bool at_once)
{
        msec now = clock_mono();
        msec pause = p->terminal ? (msec)REDRAW_MS : LINE_PAUSE;

        if (at_once)
                pause = 0;
        if (!p->shown || now - p->last < pause)
                return false;
        p->last = now;
        return true;
}

unsigned progress_room(const struct progress *p)
{
        return p->terminal ? p->width : 0;
}

/* The bar's frame takes three columns; the last column of a terminal stays free. */
void progress_add_bar(unsigned percent, size_t text, unsigned width, struct buffer *out)
{
        if (width < text + BAR_LEAST + 4)
                return;
        unsigned room = width - (unsigned)text - 4;
        unsigned cells = room < BAR_MOST ? room : BAR_MOST;
        buffer_add_char(out, '[');
        for (unsigned i = 0; i < cells; i++)
                buffer_add_char(out, i * 100 < percent * cells ? '=' : ' ');
        buffer_add_text(out, "] ");
}

static void draw(struct progress *p, struct buffer *line)
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

void progress_show(struct progress *p, struct buffer *line)
{
        if (p->terminal)
                draw(p, line);
        else
                fprintf(stderr, "%s\n", line->data);
}

void progress_clear(struct progress *p)
{
        if (!p->drawn)
                return;
        fputs(CLEAR_LINE, stderr);
        fflush(stderr);
        p->drawn = false;
}
