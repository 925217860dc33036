/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_rig.h: a registry in a folder of its own.
 */
#pragma once

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_keys.h"

enum { TENANTS_MAX = 3 };

struct fixture {
        char folder[32];
        char *path;
        struct registry *registry;
};

static inline int open_registry(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));
        struct err e = {0};
        snprintf(f->folder, sizeof(f->folder), "/tmp/warren-unit-XXXXXX");
        if (mkdtemp(f->folder) == NULL)
                return -1;
        f->path = xasprintf("%s/registry.db", f->folder);
        f->registry = registry_create(f->path, &e);
        *state = f;
        return f->registry != NULL ? 0 : -1;
}

static inline int close_registry(void **state)
{
        static const char *const files[] = {"registry.db", "registry.db-wal", "registry.db-shm",
                                            "copy.db", "admin.key"};
        struct fixture *f = *state;
        registry_destroy(&f->registry);
        for (size_t i = 0; i < COUNT(files); i++) {
                AUTO_FREE char *name = xasprintf("%s/%s", f->folder, files[i]);
                unlink(name);
        }
        int removed = rmdir(f->folder);
        free(f->path);
        free(f);
        return removed;
}

static inline struct tenant tenant_named(const char *name)
{
        struct tenant t = {.record = tenant_record_default};
        snprintf(t.record.name, sizeof(t.record.name), "%s", name);
        return t;
}

/* `control` holds version v of the tenant, which had no limit. */
static inline int seen_tenant(struct registry *r, const char *name, int64_t v, struct err *e)
{
        struct tenant t = tenant_named(name);
        t.record.v = v;
        t.record.max_running = RECORD_UNLIMITED;
        return registry_seen_tenant(r, &t.record, e);
}

static inline int add_key(struct registry *r, const char *tenant, unsigned scopes, msec expires,
                          char text[KEY_TEXT_SIZE], struct key *k, struct err *e)
{
        *k = (struct key){.record = {.scopes = scopes, .expires = expires}};
        snprintf(k->record.tenant, sizeof(k->record.tenant), "%s", tenant);
        return registry_add_key(r, k, text, e);
}

static inline int count_tenant(void *owner, const struct tenant *t, struct err *e)
{
        (void)t;
        (void)e;
        ++*(int *)owner;
        return 0;
}

static inline int count_key(void *owner, const struct key *k, struct err *e)
{
        (void)k;
        (void)e;
        ++*(int *)owner;
        return 0;
}

#define WITH_REGISTRY(test) cmocka_unit_test_setup_teardown(test, open_registry, close_registry)
