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

void body_add_number_or_text(struct buffer *body, const char *name, const char *value)
{
        struct scan_fault fault;
        struct bytes text = bytes_of_text(value);

        if (value == NULL)
                return;
        if (scan_check(text, 1, &fault) == 0 && scan_root(text).kind == SCAN_NUMBER)
                json_put_raw(body, name, scan_root(text).raw);
        else
                json_put_text(body, name, text);
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

int json_argument(const char *argument, struct buffer *out, struct err *e)
{
        struct scan_fault f;

        if (read_argument(argument, out, e) < 0)
                return -1;
        if (scan_check(buffer_bytes(out), SCAN_DEPTH_MAX, &f) < 0)
                return err_set(e, ERR_INVALID, "the payload is not JSON: line %u, column %u: %s",
                               f.line, f.column, f.detail);
        return 0;
}
