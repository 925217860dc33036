/* SPDX-License-Identifier: Apache-2.0
 *
 * job_members.c: reads such values; each refusal says what is allowed.
 */
#include "common/model/job_members.h"

#include <string.h>

#include "common/model/job.h"

int job_read_type(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[JOB_TYPE_SIZE];

        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        if (!json_copy_text(p->value, text, sizeof(text)) ||
            !job_type_is_valid(bytes_of_text(text)))
                return json_refuse(
                        r, p,
                        "must be 1 to 64 of a-z, 0-9, \".\", \"_\", \"-\", not beginning "
                        "with a mark");
        memcpy(out, text, sizeof(text));
        return 0;
}

int job_read_priority(struct json_reader *r, const struct json_place *p, void *out)
{
        enum priority *priority = out;
        char text[16];
        int64_t number;

        if (scan_int(p->value, &number) && number >= 0 && number < PRIORITY_COUNT) {
                *priority = (enum priority)number;
                return 0;
        }
        if (json_copy_text(p->value, text, sizeof(text)) &&
            priority_parse(bytes_of_text(text), priority))
                return 0;
        return json_refuse(r, p, "must be \"low\", \"medium\", \"high\", \"critical\" or 0 to 3");
}

int job_read_tenant(struct json_reader *r, const struct json_place *p, void *out)
{
        char text[TENANT_SIZE];

        if (!json_copy_text(p->value, text, sizeof(text)) ||
            !tenant_name_is_valid(bytes_of_text(text)))
                return json_refuse(r, p, "must be the name of a tenant");
        memcpy(out, text, sizeof(text));
        return 0;
}

int job_read_reason(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[32];

        if (json_copy_text(p->value, word, sizeof(word)) && reason_parse(bytes_of_text(word), out))
                return 0;
        return json_refuse(r, p, "must be a reason for a burial");
}
