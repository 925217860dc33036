/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c: compares the topology with the management API's definitions of the vhost. A passive
 * declare would compare names only.
 */
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/declared.h"

/* An item of the broker. key: kind and name, "queue events". */
struct present {
        char *key;
        const json_t *item; /* borrowed from the definitions */
        bool expected;
        UT_hash_handle hh;
};

struct check {
        struct present *present;
        finding_fn *finding;
        void *owner;
        const char *remedy; /* for missing items */
};

static char *binding_key(const char *queue, const char *source, const char *key)
{
        return xasprintf("binding of queue %s to exchange %s with key \"%s\"", queue, source, key);
}

static char *declaration_key(const struct declaration *d)
{
        if (d->what == DECLARE_BINDING)
                return binding_key(d->name, d->source, d->key);
        return xasprintf("%s %s", d->what == DECLARE_EXCHANGE ? "exchange" : "queue", d->name);
}

static struct present *find(const struct check *c, const char *key)
{
        struct present *p = NULL;
        HASH_FIND_STR(c->present, key, p);
        return p;
}

/* Takes key. */
static void add_present(struct check *c, char *key, const json_t *item)
{
        if (find(c, key) != NULL) { /* a second binding that differs only in arguments */
                free(key);
                return;
        }
        struct present *p = xcalloc(1, sizeof(*p));
        p->key = key;
        p->item = item;
        HASH_ADD_KEYPTR(hh, c->present, p->key, strlen(p->key), p);
}

static void index_definitions(struct check *c, const json_t *all)
{
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(all, "exchanges"), i, item)
                add_present(c, xasprintf("exchange %s", text_member(item, "name")), item);
        json_array_foreach(json_object_get(all, "queues"), i, item)
                add_present(c, xasprintf("queue %s", text_member(item, "name")), item);
        json_array_foreach(json_object_get(all, "bindings"), i, item)
        {
                if (strcmp(text_member(item, "destination_type"), "queue") == 0)
                        add_present(c,
                                    binding_key(text_member(item, "destination"),
                                                text_member(item, "source"),
                                                text_member(item, "routing_key")),
                                    item);
        }
}

static char *json_text(const json_t *value)
{
        if (value == NULL)
                return xstrdup("absent");
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        return text != NULL ? text : xstrdup("?");
}

static void find_wrong(const struct check *c, const char *subject, const char *name,
                       const json_t *have, const json_t *want)
{
        AUTO_FREE char *is = json_text(have);
        AUTO_FREE char *should = json_text(want);
        AUTO_FREE char *problem = xasprintf("%s is %s, should be %s", name, is, should);
        AUTO_FREE char *remedy = xasprintf("it cannot be changed in place: drain and delete the %s,"
                                           " then %s",
                                           subject, c->remedy);
        c->finding(c->owner, subject, problem, remedy);
}

static void compare_arguments(const struct check *c, const char *subject, json_t *have,
                              json_t *want)
{
        const char *name;
        json_t *value;
        json_object_foreach(want, name, value)
        {
                const json_t *other = json_object_get(have, name);
                if (!json_equal(other, value))
                        find_wrong(c, subject, name, other, value);
        }
        json_object_foreach(have, name, value)
        {
                if (json_object_get(want, name) == NULL)
                        find_wrong(c, subject, name, value, NULL);
        }
}

static void compare_type(const struct check *c, const char *subject, const json_t *have,
                         const struct declaration *d)
{
        json_auto_t *type = json_string(d->type);
        if (strcmp(text_member(have, "type"), d->type) != 0)
                find_wrong(c, subject, "type", json_object_get(have, "type"), type);
}

static int check_one(void *owner, const struct declaration *d, struct err *e)
{
        (void)e;
        const struct check *c = owner;
        AUTO_FREE char *subject = declaration_key(d);
        struct present *p = find(c, subject);
        if (p == NULL) {
                c->finding(c->owner, subject, "it is missing", c->remedy);
                return 0;
        }
        p->expected = true;
        if (d->what == DECLARE_BINDING)
                return 0;
        if (d->what == DECLARE_EXCHANGE)
                compare_type(c, subject, p->item, d);
        if (!json_is_true(json_object_get(p->item, "durable")))
                find_wrong(c, subject, "durable", json_false(), json_true());
        json_auto_t *want = declared_arguments(d);
        compare_arguments(c, subject, json_object_get(p->item, "arguments"), want);
        return 0;
}

static bool is_ours(const struct check *c, const char *kind, const char *name)
{
        AUTO_FREE char *key = xasprintf("%s %s", kind, name);
        const struct present *p = find(c, key);
        return p != NULL && p->expected;
}

/* Every tenant's part binds `events` to `due`, also that of a tenant not in `tenants` or being
 * deleted. */
static bool is_of_tenant(const json_t *binding)
{
        return strcmp(text_member(binding, "source"), "due") == 0 &&
               strcmp(text_member(binding, "destination"), "events") == 0;
}

/* A binding that is not in the table, between an exchange and a queue of ours, misroutes jobs.
 * Bindings of foreign queues are allowed. */
static void find_extra_bindings(const struct check *c)
{
        for (struct present *p = c->present; p != NULL; p = p->hh.next) {
                if (p->expected || json_object_get(p->item, "destination") == NULL ||
                    is_of_tenant(p->item))
                        continue;
                if (is_ours(c, "exchange", text_member(p->item, "source")) &&
                    is_ours(c, "queue", text_member(p->item, "destination")))
                        c->finding(c->owner, p->key, "it should not be there",
                                   "remove it in the management console");
        }
}

static int check_parts(struct check *c, const struct topology_parts *parts, struct err *e)
{
        c->remedy =
                "restart the primary status-store, which declares the parts of tenants and pauses: "
                "systemctl restart warren-status-store";
        for (const char *const *t = parts->tenants; t != NULL && *t != NULL; t++)
                if (topology_each_of_tenant(*t, check_one, c, e) < 0)
                        return -1;
        for (const char *const *p = parts->pauses; p != NULL && *p != NULL; p++)
                if (topology_each_of_pause(*p, check_one, c, e) < 0)
                        return -1;
        return 0;
}

static int check_all(struct check *c, const struct topology_settings *s,
                     const struct topology_parts *parts, struct err *e)
{
        c->remedy = "run: warren topology apply";
        if (topology_each(s, check_one, c, e) < 0)
                return -1;
        if (check_parts(c, parts, e) < 0)
                return -1;
        find_extra_bindings(c);
        return 0;
}

static void forget_present(struct check *c)
{
        struct present *p;
        struct present *next;
        HASH_ITER (hh, c->present, p, next) {
                HASH_DEL(c->present, p);
                free(p->key);
                free(p);
        }
}

int topology_check(struct http_client *management, const char *vhost,
                   const struct topology_settings *s, const struct topology_parts *parts,
                   finding_fn *finding, void *owner, struct err *e)
{
        AUTO_BUFFER path = {0};
        management_path(&path, "/api/definitions/", vhost, NULL);
        json_auto_t *all = management_get(management, path.data, e);
        if (all == NULL)
                return -1;
        struct check c = {.finding = finding, .owner = owner};
        index_definitions(&c, all);
        int status = check_all(&c, s, parts, e);
        forget_present(&c);
        if (status < 0)
                return -1;
        const struct finder f = {finding, owner};
        find_wrong_policies(&f, json_object_get(all, "policies"));
        return find_wrong_rights(&f, management, vhost, parts->tenants, e);
}
