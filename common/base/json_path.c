/* SPDX-License-Identifier: Apache-2.0
 *
 * json_path.c: finds members of a document by path.
 */
#include "common/base/json_path.h"

#include <string.h>

#include "common/base/own.h"

enum { NAME_SIZE = 64 };

bool json_path_find(struct scan_value object, const char *path, struct scan_value *out)
{
        char name[NAME_SIZE];

        *out = object;
        for (const char *at = path; *at != '\0';) {
                size_t length = strcspn(at, ".");
                if (bytes_to_text(bytes_of(at, length), name, sizeof(name)) < 0 ||
                    !scan_find(*out, name, out))
                        return false;
                at += length;
                at += *at == '.';
        }
        return true;
}

bool json_path_add(struct scan_value object, const char *path, struct buffer *out)
{
        struct scan_value v;

        if (!json_path_find(object, path, &v) || v.kind == SCAN_NULL)
                return false;
        if (v.kind == SCAN_STRING)
                scan_string(v, out);
        else
                buffer_add(out, v.raw.data, v.raw.length);
        return true;
}

int64_t json_path_int(struct scan_value object, const char *path)
{
        struct scan_value v;
        int64_t value;

        if (!json_path_find(object, path, &v) || !scan_int(v, &value))
                return -1;
        return value;
}

bool json_path_is(struct scan_value object, const char *path, const char *text)
{
        AUTO_BUFFER value = {0};

        return json_path_add(object, path, &value) && bytes_equal_text(buffer_bytes(&value), text);
}

bool json_path_is_true(struct scan_value object, const char *path)
{
        struct scan_value v;

        return json_path_find(object, path, &v) && v.kind == SCAN_TRUE;
}
