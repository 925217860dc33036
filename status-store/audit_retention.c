/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_retention.c: an alarm.
 */
#include "status-store/audit_retention.h"

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_audit.h"

struct audit_retention {
        struct registry *registry;
        struct alarm *alarm;
};

static void on_alarm(void *owner)
{
        const struct audit_retention *a = owner;
        struct err why = {0};
        int more = registry_audit_delete_old(a->registry, clock_wall(), &why);

        if (more < 0)
                LOG_WARN("old administrative acts cannot be deleted", log_err(&why));
        alarm_set(a->alarm, more > 0 ? MSEC_SECOND : MSEC_HOUR);
}

struct audit_retention *audit_retention_create(struct registry *r, uv_loop_t *loop)
{
        struct audit_retention *a = xcalloc(1, sizeof(*a));

        a->registry = r;
        a->alarm = alarm_create(loop, on_alarm, a);
        alarm_set(a->alarm, MSEC_MINUTE);
        return a;
}

void audit_retention_destroy(struct audit_retention **audit_retention)
{
        struct audit_retention *a = TAKE(*audit_retention);

        if (a == NULL)
                return;
        alarm_destroy(&a->alarm);
        free(a);
}
