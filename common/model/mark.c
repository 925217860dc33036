/* SPDX-License-Identifier: Apache-2.0
 *
 * mark.c: marks as lines of JSON, and what they cover.
 */
#include "common/model/mark.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/model/job_members.h"

enum { COPIES_PER_MS = 1024 };

static const char *const whys[] = {
#define X(code, word) [code] = word,
        MARK_WHYS(X)
#undef X
};

const char *mark_why_word(enum mark_why why)
{
        return whys[why];
}

bool mark_ends_the_job(const struct mark *m)
{
        return m->why == MARK_FOR_CANCEL || m->why == MARK_FOR_FORGET;
}

bool mark_covers(struct mark_place mark, struct mark_place message)
{
        if (message.run != mark.run)
                return message.run < mark.run;
        if (message.attempt != mark.attempt)
                return message.attempt < mark.attempt;
        return message.copy < mark.copy;
}

static bool is_of(const char *wanted, const char *name)
{
        return wanted[0] == '\0' || strcmp(wanted, name) == 0;
}

bool mark_covers_bulk(const struct mark *m, const struct job *job)
{
        return is_of(m->tenant, job->tenant) && is_of(m->type, job->type) &&
               job->submitted_at > 0 && job->submitted_at < m->before && job->copy < m->copy;
}

int64_t copy_number(msec now, uint64_t random, int64_t highest)
{
        int64_t copy = now * COPIES_PER_MS + (int64_t)(random % COPIES_PER_MS);

        return copy > highest ? copy : highest + 1;
}

static int read_why(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[16] = "";

        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        if (!json_copy_text(p->value, word, sizeof(word)) ||
            !bytes_find(bytes_of_text(word), whys, MARK_FOR_OTHER, out))
                *(enum mark_why *)out = MARK_FOR_OTHER;
        return 0;
}

/* clang-format off */
#define MEMBER(field, fn, ...) {#field, fn, JSON_AT(struct mark, field), __VA_ARGS__}
#define COUNTER(field, ...) MEMBER(field, json_read_int, .least = 1, .most = JOB_COUNTER_MAX, __VA_ARGS__)

static const struct json_member members[] = {
        MEMBER(tenant, job_read_tenant),
        MEMBER(id, json_read_uuid),
        MEMBER(type, job_read_type),
        COUNTER(run),
        COUNTER(attempt),
        COUNTER(copy, .flags = JSON_REQUIRED),
        COUNTER(before),
        COUNTER(at, .flags = JSON_REQUIRED),
        MEMBER(why, read_why, .flags = JSON_REQUIRED),
        {0},
};
/* clang-format on */

static bool is_mark(const struct mark *m)
{
        if (m->id[0] == '\0')
                return m->before > 0 && m->why != MARK_FOR_OTHER;
        return m->tenant[0] != '\0' && m->run > 0 && m->attempt > 0;
}

static bool parse(struct bytes line, struct mark *m)
{
        struct json_reader r = {.lenient = true};
        struct json_place root;

        memset(m, 0, sizeof(*m));
        return json_read_open(&r, line, SCAN_DEPTH_MAX, &root) == 0 &&
               json_read_members(&r, &root, members, m) == 0 && is_mark(m);
}

static struct bytes take_line(struct bytes *body)
{
        const char *end = memchr(body->data, '\n', body->length);
        size_t length = end == NULL ? body->length : (size_t)(end - body->data);
        size_t used = end == NULL ? length : length + 1;
        struct bytes line = bytes_of(body->data, length);

        *body = bytes_of(body->data + used, body->length - used);
        return line;
}

static unsigned count_lines(struct bytes body)
{
        unsigned count = 0;

        while (body.length > 0)
                count += take_line(&body).length > 0;
        return count;
}

int marks_each(struct bytes body, mark_fn *each, void *owner, unsigned *skipped)
{
        if (body.length > MARK_MESSAGE_MAX || count_lines(body) > MARK_LINES_MAX)
                return -1;
        while (body.length > 0) {
                struct bytes line = take_line(&body);
                struct mark m;
                if (line.length == 0)
                        continue;
                if (parse(line, &m))
                        each(owner, &m);
                else
                        (*skipped)++;
        }
        return 0;
}

void mark_write(const struct mark *m, struct buffer *out)
{
        json_begin(out);
        if (m->tenant[0] != '\0')
                json_put_string(out, "tenant", m->tenant);
        if (m->id[0] != '\0') {
                json_put_string(out, "id", m->id);
                json_put_int(out, "run", m->run);
                json_put_int(out, "attempt", m->attempt);
        } else {
                if (m->type[0] != '\0')
                        json_put_string(out, "type", m->type);
                json_put_int(out, "before", m->before);
        }
        json_put_int(out, "copy", m->copy);
        json_put_string(out, "why", mark_why_word(m->why));
        json_put_int(out, "at", m->at);
        json_end(out);
        buffer_add_char(out, '\n');
}
