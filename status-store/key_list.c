/* SPDX-License-Identifier: Apache-2.0
 *
 * key_list.c: lists keys.
 */
#include "status-store/key_list.h"

#include "status-store/key_body.h"

struct list {
        struct key_uses *uses;
        json_t *keys;
};

static int add_key(void *owner, const struct key *k, struct err *e)
{
        const struct list *list = owner;
        struct key shown = *k;
        (void)e;
        key_uses_fill(list->uses, &shown);
        json_array_append_new(list->keys, key_json(&shown));
        return 0;
}

json_t *key_list(struct registry *r, struct key_uses *uses, const char *tenant, struct err *e)
{
        struct list list = {uses, json_array()};
        if (registry_each_key(r, WHICH_LISTED, tenant, add_key, &list, e) == 0)
                return list.keys;
        json_decref(list.keys);
        return NULL;
}
