/* SPDX-License-Identifier: Apache-2.0
 *
 * job.c: checks names; finds a message's tenant and a job's lane.
 */
#include "common/model/job.h"

#include <string.h>

static bool is_name_start(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(struct bytes name, size_t size, const char *inner)
{
        if (name.length == 0 || name.length >= size || !is_name_start(name.data[0]))
                return false;
        for (size_t i = 1; i < name.length; i++) {
                char c = name.data[i];
                if (!is_name_start(c) && (c == '\0' || strchr(inner, c) == NULL))
                        return false;
        }
        return true;
}

bool tenant_name_is_valid(struct bytes name)
{
        return is_name(name, TENANT_SIZE, "-") && !bytes_begin_with(name, "warren");
}

bool job_type_is_valid(struct bytes type)
{
        return is_name(type, JOB_TYPE_SIZE, "._-");
}

/* `count` lower-case hexadecimal digits at `at`; *zero: all are 0. */
static bool is_hex(const char *at, size_t count, bool *zero)
{
        *zero = true;
        for (size_t i = 0; i < count; i++) {
                char c = at[i];
                if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
                        return false;
                *zero = *zero && c == '0';
        }
        return true;
}

bool traceparent_is_valid(struct bytes text)
{
        const char *t = text.data;
        bool zero, trace_zero, span_zero;

        if (text.length != JOB_TRACEPARENT_SIZE - 1 || memcmp(t, "00-", 3) != 0)
                return false;
        return is_hex(t + 3, 32, &trace_zero) && !trace_zero && t[35] == '-' &&
               is_hex(t + 36, 16, &span_zero) && !span_zero && t[52] == '-' &&
               is_hex(t + 53, 2, &zero);
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

enum lane job_lane(const struct job *job, msec type_timeout)
{
        msec timeout = job->timeout != 0 ? job->timeout : type_timeout;

        return timeout > JOB_TIMEOUT_LONG ? LANE_LONG : (enum lane)job->priority;
}
