/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_job.c: a job's key, and its problem in places of the user's input.
 */
#include "ui/cli/batch_job.h"

#include <string.h>

#include "common/base/json_write.h"
#include "ui/cli/view.h"

const char *batch_key_fault(const char *base)
{
        size_t length = strlen(base);

        if (length < 1 || length >= BATCH_KEY_SIZE)
                return "must have 1 to 235 characters";
        for (const char *c = base; *c != '\0'; c++) {
                if (*c < 0x20 || *c > 0x7e)
                        return "must be printable ASCII characters";
        }
        return "";
}

static void add_key_text(const char *base, uint64_t number, struct buffer *out)
{
        AUTO_BUFFER key = {0};

        buffer_printf(&key, "%s/%llu", base, (unsigned long long)number);
        buffer_add_json_string(out, buffer_bytes(&key));
}

/* Where the key belongs, and its text. False: the job gets none. */
static bool make_key(struct bytes text, const char *base, uint64_t number, struct batch_key *key,
                     struct buffer *written)
{
        struct scan_fault fault;
        struct scan_value job, own;
        struct scan_item first;

        if (scan_check(text, SCAN_DEPTH_WRAPPED, &fault) < 0)
                return false;
        job = scan_root(text);
        if (job.kind != SCAN_OBJECT)
                return false;
        if (scan_find(job, "idempotency_key", &own)) {
                if (own.kind != SCAN_NULL)
                        return false;
                *key = (struct batch_key){.at = (size_t)(own.raw.data - text.data),
                                          .replaced = own.raw.length};
                add_key_text(base, number, written);
                return true;
        }
        struct scan_cursor members = scan_items(job);
        *key = (struct batch_key){.at = (size_t)(job.raw.data - text.data) + 1};
        buffer_add_text(written, "\"idempotency_key\":");
        add_key_text(base, number, written);
        if (scan_next(&members, &first))
                buffer_add_char(written, ',');
        return true;
}

void batch_job_add(struct bytes text, const char *base, uint64_t number, struct buffer *out,
                   struct batch_key *key)
{
        AUTO_BUFFER written = {0};

        *key = (struct batch_key){0};
        if (!make_key(text, base, number, key, &written)) {
                buffer_add(out, text.data, text.length);
                return;
        }
        size_t rest = key->at + key->replaced;
        key->length = written.length;
        buffer_add(out, text.data, key->at);
        buffer_add(out, written.data, written.length);
        buffer_add(out, text.data + rest, text.length - rest);
}

/* The place in the input of a place in the request. A place in the written key becomes the place
 * where it was written. */
static void locate(const struct batch_place *p, int64_t *line, int64_t *column)
{
        unsigned key_line = 1, key_column = 1;
        int64_t written = (int64_t)p->key.length, replaced = (int64_t)p->key.replaced;

        *line -= p->sent_line - 1;
        if (*line == 1)
                *column -= p->sent_column - 1;
        if (written > 0) {
                scan_locate(p->text, p->text.data + p->key.at, &key_line, &key_column);
                if (*line == key_line && *column >= key_column + written)
                        *column -= written - replaced;
                else if (*line == key_line && *column > key_column)
                        *column = key_column;
        }
        if (*line == 1)
                *column += p->column - 1;
        *line += p->line - 1;
}

static void add_pointer(struct scan_value pointer, struct buffer *out)
{
        AUTO_BUFFER text = {0};

        if (pointer.kind != SCAN_STRING)
                return;
        scan_string(pointer, &text);
        if (text.length == 0 || text.data[0] != '/') {
                json_put_text(out, "pointer", buffer_bytes(&text));
                return;
        }
        size_t index = 1 + strcspn(text.data + 1, "/");
        json_put_text(out, "pointer", bytes_of(text.data + index, text.length - index));
}

/* A member name comes from checked JSON: it is written back as it was. */
static void add_unchanged(const struct scan_item *item, struct buffer *out)
{
        if (out->data[out->length - 1] != '{')
                buffer_add_char(out, ',');
        buffer_add_char(out, '"');
        buffer_add(out, item->key.data, item->key.length);
        buffer_add_text(out, "\":");
        buffer_add(out, item->value.raw.data, item->value.raw.length);
}

static void add_error(const struct batch_place *p, struct scan_value error, struct buffer *out)
{
        int64_t line = view_int(error, "line"), column = view_int(error, "column");
        struct scan_item item;

        json_begin_object(out, NULL);
        for (struct scan_cursor at = scan_items(error); scan_next(&at, &item);) {
                if (scan_key_is(item.key, "pointer"))
                        add_pointer(item.value, out);
                else if (!scan_key_is(item.key, "line") && !scan_key_is(item.key, "column"))
                        add_unchanged(&item, out);
        }
        if (line > 0 && column > 0) {
                locate(p, &line, &column);
                json_put_int(out, "line", line);
                json_put_int(out, "column", column);
        }
        json_end(out);
}

void batch_job_problem(const struct batch_place *p, struct scan_value problem, struct buffer *out)
{
        struct scan_item item, error;

        json_begin(out);
        for (struct scan_cursor at = scan_items(problem); scan_next(&at, &item);) {
                if (!scan_key_is(item.key, "errors") || item.value.kind != SCAN_ARRAY) {
                        add_unchanged(&item, out);
                        continue;
                }
                json_begin_array(out, "errors");
                for (struct scan_cursor e = scan_items(item.value); scan_next(&e, &error);) {
                        if (error.value.kind == SCAN_OBJECT)
                                add_error(p, error.value, out);
                }
                json_end_array(out);
        }
        json_end(out);
}

/* JSON may have line breaks between its members: the file has one line for each job. A line break
 * in JSON is white space, as a text has none. */
static void put_on_one_line(struct buffer *out, const char *name, struct bytes json)
{
        size_t begin = out->length;

        json_put_raw(out, name, json);
        for (size_t i = begin; i < out->length; i++) {
                if (out->data[i] == '\n' || out->data[i] == '\r')
                        out->data[i] = ' ';
        }
}

void batch_job_refused(const struct batch_place *p, struct bytes problem, struct buffer *out)
{
        struct scan_fault fault;

        json_begin(out);
        json_put_int(out, "line", p->line);
        if (p->in_array)
                json_put_int(out, "number", (int64_t)p->number);
        put_on_one_line(out, "problem", problem);
        if (p->text.data != NULL && scan_check(p->text, SCAN_DEPTH_WRAPPED, &fault) == 0)
                put_on_one_line(out, "job", p->text);
        else
                json_put_given(out, "text", p->text);
        json_end(out);
        buffer_add_char(out, '\n');
}
