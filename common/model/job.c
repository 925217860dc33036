/* SPDX-License-Identifier: Apache-2.0
 *
 * job.c: checks names; finds a message's tenant and a job's lane.
 */
#include "common/model/job.h"

#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789"

/* `allowed`: NAME_CHARACTERS, and marks that a name does not begin with. */
static bool is_name(struct bytes name, size_t size, const char *allowed)
{
        char text[JOB_TYPE_SIZE];

        return name.length > 0 && bytes_to_text(name, text, size) == 0 &&
               strspn(text, allowed) == name.length && strchr(NAME_CHARACTERS, text[0]) != NULL;
}

bool tenant_name_is_valid(struct bytes name)
{
        return is_name(name, TENANT_SIZE, NAME_CHARACTERS "-") && !bytes_begin_with(name, "warren");
}

bool job_type_is_valid(struct bytes type)
{
        return is_name(type, JOB_TYPE_SIZE, NAME_CHARACTERS "._-");
}

/* `count` lower-case hexadecimal digits, and not only zeros. */
static bool is_id(const char *at, size_t count)
{
        return strspn(at, "0123456789abcdef") == count && strspn(at, "0") < count;
}

bool traceparent_is_valid(struct bytes text)
{
        char t[JOB_TRACEPARENT_SIZE];

        return text.length == sizeof(t) - 1 && bytes_to_text(text, t, sizeof(t)) == 0 &&
               strncmp(t, "00-", 3) == 0 && is_id(t + 3, 32) && t[35] == '-' && is_id(t + 36, 16) &&
               t[52] == '-' && strspn(t + 53, "0123456789abcdef") == 2;
}

bool job_message_is_from_service(const struct message *m)
{
        return bytes_begin_with(m->user_id, "warren-");
}

bool job_message_origin(const struct message *m, char tenant[TENANT_SIZE], enum lane *lane)
{
        struct bytes name, key = m->routing_key;

        tenant[0] = '\0';
        if (bytes_begin_with(m->exchange, "jobs.")) {
                name = bytes_of(m->exchange.data + 5, m->exchange.length - 5);
        } else {
                const char *dot = key.length == 0 ? NULL : memchr(key.data, '.', key.length);
                if (dot == NULL)
                        return false;
                name = bytes_of(key.data, (size_t)(dot - key.data));
                key = bytes_of(dot + 1, key.length - name.length - 1);
        }
        if (!tenant_name_is_valid(name) || bytes_to_text(name, tenant, TENANT_SIZE) != 0)
                return false;
        lane_parse(key, lane);
        return true;
}

bool job_has_expired(const struct job *job, msec now)
{
        return job->expires_at != 0 && now >= job->expires_at;
}

enum lane job_lane(const struct job *job, msec type_timeout)
{
        msec timeout = job->timeout != 0 ? job->timeout : type_timeout;

        return timeout > JOB_TIMEOUT_LONG ? LANE_LONG : (enum lane)job->priority;
}
