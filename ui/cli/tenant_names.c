/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_names.c: asking the gateway for the tenants.
 */
#include "ui/cli/tenant_names.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/view.h"

struct tenant_names {
        char **names;
        bool *paused;
        size_t count;
};

static void add(struct tenant_names *t, const char *name, bool paused)
{
        t->names = xrealloc(t->names, (t->count + 2) * sizeof(*t->names));
        t->paused = xrealloc(t->paused, (t->count + 1) * sizeof(*t->paused));
        t->paused[t->count] = paused;
        t->names[t->count++] = xstrdup(name);
        t->names[t->count] = NULL;
}

struct tenant_names *tenant_names_ask(struct cli *c, struct err *e)
{
        struct scan_value list;
        struct scan_item item;
        AUTO_REPLY reply = {0};

        if (api_read(c, "/api/v1/tenants", &reply, e) < 0)
                return NULL;
        AUTO(tenant_names) t = xcalloc(1, sizeof(*t));
        t->names = xcalloc(1, sizeof(*t->names));
        if (!view_find(api_value(&reply), "tenants", &list)) {
                err_set(e, ERR_PROTOCOL, "the gateway's answer has no tenants");
                return NULL;
        }
        for (struct scan_cursor at = scan_items(list); scan_next(&at, &item);) {
                AUTO_BUFFER name = {0};
                if (view_add(item.value, "name", &name))
                        add(t, name.data, view_is_true(item.value, "paused"));
        }
        return TAKE(t);
}

void tenant_names_destroy(struct tenant_names **t)
{
        struct tenant_names *old = TAKE(*t);

        if (old == NULL)
                return;
        for (size_t i = 0; i < old->count; i++)
                free(old->names[i]);
        free(old->names);
        free(old->paused);
        free(old);
}

const char *const *tenant_names_list(const struct tenant_names *t)
{
        return (const char *const *)t->names;
}

bool tenant_names_is_paused(const struct tenant_names *t, size_t n)
{
        return t->paused[n];
}
