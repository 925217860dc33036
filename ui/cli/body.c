/* SPDX-License-Identifier: Apache-2.0
 *
 * body.c: request bodies.
 */
#include "ui/cli/body.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_scan.h"
#include "common/base/json_write.h"
#include "common/base/own.h"

enum { INPUT_MAX = 16 << 20, READ_SIZE = 64 << 10 };

static void add_option(struct buffer *body, const struct option *o, struct bytes value)
{
        struct scan_fault fault;

        if (o->value == NULL)
                json_put_flag(body, o->member, true);
        else if (o->number && scan_check(value, 1, &fault) == 0 &&
                 scan_root(value).kind == SCAN_NUMBER)
                json_put_raw(body, o->member, scan_root(value).raw);
        else
                json_put_text(body, o->member, value);
}

void body_add_options(struct buffer *body, const struct arguments *a)
{
        for (int i = 0; i < a->given_count; i++) {
                if (a->given[i].option->member != NULL)
                        add_option(body, a->given[i].option, bytes_of_text(a->given[i].value));
        }
}

static int read_all(FILE *file, struct buffer *out, struct err *e)
{
        while (!feof(file)) {
                buffer_reserve(out, READ_SIZE);
                size_t got = fread(out->data + out->length, 1, READ_SIZE, file);
                out->length += got;
                if (ferror(file))
                        return err_set_errno(e, "cannot be read");
                if (out->length > INPUT_MAX)
                        return err_set(e, ERR_TOO_LARGE, "more than 16 MiB");
        }
        return 0;
}

static int read_argument(const char *argument, struct buffer *out, struct err *e)
{
        if (strcmp(argument, "-") == 0)
                return read_all(stdin, out, e) < 0 ? err_wrap(e, "standard input") : 0;
        if (argument[0] != '@') {
                buffer_add_text(out, argument);
                return 0;
        }
        AUTO_FCLOSE FILE *file = fopen(argument + 1, "re");
        if (file == NULL)
                return err_set_errno(e, "%s", argument + 1);
        return read_all(file, out, e) < 0 ? err_wrap(e, "%s", argument + 1) : 0;
}

int body_add_payload(struct buffer *body, const char *argument, struct err *e)
{
        AUTO_BUFFER payload = {0};
        struct scan_fault f;

        if (argument == NULL)
                return 0;
        if (read_argument(argument, &payload, e) < 0)
                return -1;
        if (scan_check(buffer_bytes(&payload), SCAN_DEPTH_MAX, &f) < 0)
                return err_set(e, ERR_INVALID, "the payload is not JSON: line %u, column %u: %s",
                               f.line, f.column, f.detail);
        json_put_raw(body, "payload", buffer_bytes(&payload));
        return 0;
}
