/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_json.c: limits in bodies and answers.
 */
#include "status-store/limit_json.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 64 };

static bool is_unlimited(struct scan_value value)
{
        char text[TEXT_SIZE];
        return json_copy_text(value, text, sizeof(text)) && strcmp(text, "unlimited") == 0;
}

int limit_read(struct json_reader *r, const struct json_place *p, void *out)
{
        if (!is_unlimited(p->value))
                return json_read_int(r, p, out);
        *(int64_t *)out = RECORD_UNLIMITED;
        return 0;
}

bool limit_read_rate(struct scan_value value, int64_t *count, msec *per)
{
        char text[TEXT_SIZE];
        if (is_unlimited(value)) {
                *count = RECORD_UNLIMITED;
                return true;
        }
        if (!json_copy_text(value, text, sizeof(text)))
                return false;
        char *slash = strchr(text, '/');
        char *end = NULL;
        *count = strtoll(text, &end, 10);
        return slash != NULL && end == slash && text[0] >= '0' && text[0] <= '9' &&
               duration_parse(slash + 1, per, NULL) == 0;
}

json_t *limit_json(int64_t limit)
{
        return limit == RECORD_UNLIMITED ? json_string("unlimited") : json_integer(limit);
}

json_t *limit_version_json(int64_t limit, int64_t version)
{
        return limit == RECORD_UNLIMITED || version == 0 ? json_null() : json_integer(version);
}

json_t *limit_rate_json(int64_t count, msec per)
{
        char text[TIME_TEXT_SIZE];
        if (count == RECORD_UNLIMITED)
                return json_string("unlimited");
        return json_sprintf("%lld/%s", (long long)count, duration_format(per, text));
}

json_t *limit_time_json(msec at)
{
        char text[TIME_TEXT_SIZE];
        return at == 0 ? json_null() : json_string(time_format(at, text));
}
