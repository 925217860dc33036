/* SPDX-License-Identifier: Apache-2.0
 *
 * check_rights.c: compares the policy and the logins' rights with what they should be.
 */
#include <regex.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/declared.h"

static bool matches_any(const char *pattern, const char *const *names)
{
        regex_t regex;
        bool found = false;
        if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return false;
        for (; *names != NULL && !found; names++)
                found = regexec(&regex, *names, 0, NULL, 0) == 0;
        regfree(&regex);
        return found;
}

/* A queue has one policy, that of the highest priority: this one may win over ours. */
static bool overrides_ours(const json_t *policy, const json_t *ours)
{
        static const char *const names[] = {"dead",      "unroutable", "delay.1s",
                                            "slots.a.1", "parked.a",   NULL};
        return json_integer_value(json_object_get(policy, "priority")) >=
                       json_integer_value(json_object_get(ours, "priority")) &&
               strcmp(text_member(policy, "apply-to"), "exchanges") != 0 &&
               matches_any(text_member(policy, "pattern"), names);
}

static bool is_subset(const json_t *part, const json_t *whole)
{
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)part, name, value)
        {
                if (!json_equal(value, json_object_get(whole, name)))
                        return false;
        }
        return true;
}

void find_wrong_policies(const struct finder *f, const json_t *policies)
{
        size_t i;
        json_t *policy;
        const char *problem =
                "it is missing: RabbitMQ 4 drops a message that was returned 20 times";
        json_auto_t *want = declared_policy();
        json_array_foreach(policies, i, policy)
        {
                if (strcmp(text_member(policy, "name"), DELIVERY_POLICY) == 0) {
                        problem = is_subset(want, policy) ? NULL
                                                          : "it differs from what it should be";
                } else if (overrides_ours(policy, want)) {
                        AUTO_FREE char *subject =
                                xasprintf("policy %s", text_member(policy, "name"));
                        f->finding(f->owner, subject, "it overrides " DELIVERY_POLICY,
                                   "give it a lower priority, or a pattern without the queues "
                                   "dead, unroutable, delay.*, slots.* and parked.*");
                }
        }
        if (problem != NULL)
                f->finding(f->owner, "policy " DELIVERY_POLICY, problem,
                           "run: warren topology apply");
}

static void compare_rights(const struct finder *f, const json_t *have, const struct account *want,
                           const char *remedy)
{
        const struct {
                const char *right, *pattern;
        } rights[] = {
                {"configure", want->configure},
                {"write", want->write},
                {"read", want->read},
        };
        for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
                const char *is = text_member(have, rights[i].right);
                if (strcmp(is, rights[i].pattern) == 0)
                        continue;
                AUTO_FREE char *subject = xasprintf("login %s", want->login);
                AUTO_FREE char *problem = xasprintf("its right to %s is %s, should be %s",
                                                    rights[i].right, is, rights[i].pattern);
                f->finding(f->owner, subject, problem, remedy);
        }
}

int find_wrong_rights(const struct finder *f, struct http_client *management, const char *vhost,
                      const char *const *tenants, struct err *e)
{
        struct broker_version version;
        json_auto_t *rights = fetch_rights(management, vhost, e);
        if (rights == NULL || topology_broker_version(management, &version, e) < 0)
                return -1;
        for (const struct account *a = topology_accounts; a->login != NULL; a++) {
                const struct account want = account_for(a, passive_declare_of(&version));
                const json_t *have = rights_of(rights, a->login);
                if (have != NULL && strcmp(a->login, "warren-admin") != 0)
                        compare_rights(f, have, &want, "run: warren topology apply");
        }
        for (; tenants != NULL && *tenants != NULL; tenants++) {
                AUTO_FREE char *login = NULL;
                AUTO_FREE char *write = NULL;
                const struct account want = account_of_tenant(*tenants, &login, &write);
                const json_t *have = rights_of(rights, login);
                if (have != NULL)
                        compare_rights(f, have, &want, "give the tenant a new login, or set it");
        }
        return 0;
}
