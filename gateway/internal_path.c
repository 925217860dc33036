/* SPDX-License-Identifier: Apache-2.0
 *
 * internal_path.c: writes the internal path and query.
 */
#include "gateway/internal_path.h"

#include <assert.h>
#include <string.h>

#include "common/base/uuid.h"
#include "common/http/client.h"
#include "common/model/record.h"

static const char public_prefix[] = "/api/v1";
static const char internal_prefix[] = "/internal/v1";

/* Copies the name of the {name} that begins at `at`; returns what follows its brace. */
static const char *param_name(const char *at, char out[16])
{
        const char *end = strchr(at, '}');
        size_t length = (size_t)(end - at) - 1;

        assert(length < 16);
        memcpy(out, at + 1, length);
        out[length] = '\0';
        return end + 1;
}

void internal_path_write(const struct http_request *r, const char *tenant, struct buffer *out)
{
        const char *at = http_matched(r)->pattern;
        char name[16];

        assert(strncmp(at, public_prefix, sizeof(public_prefix) - 1) == 0);
        at += sizeof(public_prefix) - 1;
        buffer_add_text(out, internal_prefix);
        while (*at != '\0') {
                if (*at != '{') {
                        buffer_add_char(out, *at++);
                        continue;
                }
                at = param_name(at, name);
                url_encode(out, http_param(r, name));
        }
        buffer_add_text(out, "?tenant=");
        url_encode(out, tenant);
        http_query_write(r, "tenant", out);
}

static bool is_key_id(const char *text)
{
        return strlen(text) == KEY_ID_SIZE - 1 &&
               strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") == KEY_ID_SIZE - 1;
}

static bool param_is_valid(const char *name, const char *value)
{
        char uuid[UUID_SIZE];

        if (strcmp(name, "t") == 0)
                return tenant_name_is_valid(bytes_of_text(value));
        if (strcmp(name, "key") == 0)
                return is_key_id(value);
        return uuid_parse(bytes_of_text(value), uuid);
}

bool internal_path_params_are_valid(const struct http_request *r)
{
        const char *at = http_matched(r)->pattern;
        char name[16];

        for (at = strchr(at, '{'); at != NULL; at = strchr(at, '{')) {
                at = param_name(at, name);
                if (!param_is_valid(name, http_param(r, name)))
                        return false;
        }
        return true;
}
