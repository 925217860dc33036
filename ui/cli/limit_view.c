/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_view.c: limits as text.
 */
#include "ui/cli/limit_view.h"

#include "common/base/own.h"
#include "common/model/job.h"

static void add_line(const char *title, const struct buffer *text, bool colours, struct buffer *out)
{
        view_add_title(title, colours, out);
        show_block(out, buffer_bytes(text));
        buffer_add_char(out, '\n');
}

void limit_view_queue(enum limit_queue kind, struct scan_value of, const char *version,
                      bool colours, struct buffer *out)
{
        int64_t number = view_int(of, version);
        char queue[LIMIT_QUEUE_SIZE], name[JOB_TYPE_SIZE];
        AUTO_BUFFER given = {0}, text = {0};

        if (number < 0 || !view_add(of, "name", &given) ||
            bytes_to_text(buffer_bytes(&given), name, sizeof(name)) < 0)
                return;
        limit_queue_name(kind, name, number, queue);
        buffer_add_text(&text, number > 0 ? queue : "not made yet: the limit is not in force");
        add_line(kind == LIMIT_TYPE_RATE ? "rate queue" : "slots queue", &text, colours, out);
}

void limit_view_replaced(const char *noun, const char *name, struct scan_value answer,
                         struct buffer *out)
{
        struct scan_value of;
        bool making = view_find(answer, noun, &of) &&
                      (view_int(of, "slots_version") == 0 || view_int(of, "rate_version") == 0);

        buffer_printf(out, "%s ", noun);
        show_text(out, bytes_of_text(name));
        buffer_add_text(out, making ? ": new tokens are being made; see 'warren "
                                    : ": new tokens are in force\n");
        if (making) {
                buffer_printf(out, "%s show ", noun);
                show_text(out, bytes_of_text(name));
                buffer_add_text(out, "'\n");
        }
}

void limit_view_used(const char *title, int64_t used, struct scan_value of, const char *limit,
                     bool colours, struct buffer *out)
{
        AUTO_BUFFER text = {0};

        if (used < 0)
                return;
        buffer_printf(&text, "%lld", (long long)used);
        if (view_int(of, limit) >= 0)
                buffer_printf(&text, " of %lld", (long long)view_int(of, limit));
        add_line(title, &text, colours, out);
}
