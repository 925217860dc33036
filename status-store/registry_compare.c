/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_compare.c: a registry that was put back from a backup is raised to what `control` says.
 */
#include "status-store/registry_compare.h"

#include "common/base/log.h"
#include "status-store/api.h"
#include "status-store/registry/registry_pauses.h"

/* Handles the result of registry_seen_…: a raised record must be published. */
static void after_seen(struct api *a, int raised, const char *name, const struct err *why)
{
        if (raised < 0)
                LOG_WARN("cannot compare the registry with stream control", log_err(why));
        if (raised <= 0)
                return;
        LOG_WARN("the registry is older than stream control; its record is published again",
                 log_text("record", name));
        provisioning_wake(a->provisioning);
}

static void on_tenant_record(void *owner, const struct tenant_record *t)
{
        struct api *a = owner;
        struct err why = {0};
        after_seen(a, registry_seen_tenant(a->registry, t, &why), t->name, &why);
}

static void on_type_record(void *owner, const struct type_record *t)
{
        struct api *a = owner;
        struct err why = {0};
        after_seen(a, registry_seen_type(a->registry, t, &why), t->name, &why);
}

static void on_key_record(void *owner, const struct key_record *k)
{
        struct api *a = owner;
        struct err why = {0};
        after_seen(a, registry_seen_key(a->registry, k->id, k->v, &why), k->id, &why);
}

static void on_pause_record(void *owner, const struct pause_record *p)
{
        struct api *a = owner;
        struct err why = {0};
        after_seen(a, registry_seen_pause(a->registry, p, &why), p->key, &why);
}

static void on_control_read(void *owner)
{
        const struct api *a = owner;
        provisioning_begin(a->provisioning);
}

const struct control_events registry_compares = {.tenant = on_tenant_record,
                                                 .key = on_key_record,
                                                 .type = on_type_record,
                                                 .pause = on_pause_record,
                                                 .ready = on_control_read};
