/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_view.c: limits as text.
 */
#include "ui/cli/limit_view.h"

#include "common/base/own.h"
#include "common/model/job.h"

static const struct {
        const char *noun, *title, *limit, *version;
} words[] = {
        [LIMIT_TENANT_SLOTS] = {"tenant", "slots queue", "max_running", "slots_version"},
        [LIMIT_TYPE_SLOTS] = {"type", "slots queue", "max_running", "slots_version"},
        [LIMIT_TYPE_RATE] = {"type", "rate queue", "max_rate", "rate_version"},
};

const char *limit_noun(enum limit_queue kind)
{
        return words[kind].noun;
}

int64_t limit_version(enum limit_queue kind, struct scan_value of)
{
        struct scan_value limit, version;

        if (!view_find(of, words[kind].limit, &limit) || limit.kind == SCAN_NULL ||
            view_is(of, words[kind].limit, "unlimited") ||
            !view_find(of, words[kind].version, &version))
                return -1;
        return version.kind == SCAN_NULL ? 0 : view_int(of, words[kind].version);
}

static void add_line(const char *title, const struct buffer *text, bool colours, struct buffer *out)
{
        view_add_title(title, colours, out);
        show_block(out, buffer_bytes(text));
        buffer_add_char(out, '\n');
}

void limit_view_queue(enum limit_queue kind, struct scan_value of, bool colours, struct buffer *out)
{
        int64_t number = limit_version(kind, of);
        char queue[LIMIT_QUEUE_SIZE], name[JOB_TYPE_SIZE];
        AUTO_BUFFER given = {0}, text = {0};

        if (number < 0 || !view_add(of, "name", &given) ||
            bytes_to_text(buffer_bytes(&given), name, sizeof(name)) < 0)
                return;
        limit_queue_name(kind, name, number, queue);
        buffer_add_text(&text, number > 0 ? queue : "not made yet: the limit is not in force");
        add_line(words[kind].title, &text, colours, out);
}

void limit_view_replaced(const char *noun, const char *name, struct scan_value answer,
                         struct buffer *out)
{
        struct scan_value of;
        bool making = view_find(answer, noun, &of) && (limit_version(LIMIT_TYPE_SLOTS, of) == 0 ||
                                                       limit_version(LIMIT_TYPE_RATE, of) == 0);

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
