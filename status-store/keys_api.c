/* SPDX-License-Identifier: Apache-2.0
 *
 * keys_api.c: the routes of API keys; only the primary serves them. A change is committed to the
 * registry, then published; the provisioning thread repeats what failed.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/api.h"
#include "status-store/key_body.h"
#include "status-store/key_list.h"

/* Answers with a key that was just made, and its only copy of the secret. */
static void answer_made(struct http_request *r, const struct key *key, const char *text)
{
        json_t *answer = key_json(key);
        json_object_set_new(answer, "key", json_string(text));
        http_answer_json(r, 201, answer);
}

/* What was committed stays: the provisioning thread publishes later what cannot be published now.
 * tenant NULL: of all. */
static void publish_keys(struct api *a, const char *id, const char *tenant)
{
        struct err later = {0};
        if (api_can_change(a, &later) != 0 ||
            provisioning_apply_keys(a->provisioning, tenant, &later) != 0)
                LOG_WARN("a key's record is published later", log_text("key", id), log_err(&later));
}

static bool body_may_be_read(struct http_request *r)
{
        return http_body(r).length == 0 || http_body_is_json(r);
}

void tenant_keys_create(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        struct key key;
        struct scan_fault fault = {0};
        struct err why = {0};
        char text[KEY_TEXT_SIZE];
        if (!api_may_change(a, r) || !api_find_tenant(a, r, &t) || !body_may_be_read(r))
                return;
        int refused = key_body_read(http_body(r), &key, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
                return;
        }
        memcpy(key.record.tenant, t.record.name, sizeof(key.record.tenant));
        if (registry_add_key(a->registry, &key, text, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        publish_keys(a, key.record.id, t.record.name);
        answer_made(r, &key, text);
}

/* Revokes the key of the path. tenant NULL: whosever it is. Needs no broker: without one the
 * gateways are told by keys_used. */
static void revoke_key(struct api *a, struct http_request *r, const char *tenant)
{
        const char *id = http_param(r, "id");
        struct err why = {0};
        if (registry_revoke_key(a->registry, tenant, id, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        key_uses_changed(a->key_uses, id);
        publish_keys(a, id, tenant);
        http_answer_empty(r, 204);
}

void tenant_keys_delete(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        if (api_is_primary(a, r) && api_find_tenant(a, r, &t))
                revoke_key(a, r, t.record.name);
}

void keys_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        struct api *a = owner;
        struct err why = {0};
        if (!api_is_primary(a, r) || !http_query_only(r, allowed))
                return;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return;
        const char *of = strcmp(tenant, "*") != 0 ? tenant : NULL;
        json_t *keys = key_list(a->registry, a->key_uses, of, &why);
        struct tenant t;
        if (keys != NULL && of != NULL && json_array_size(keys) == 0 &&
            registry_tenant(a->registry, of, &t, &why) == 0) {
                json_decref(keys);
                http_problem(r, 404, "there is no tenant %s", of);
        } else if (keys != NULL) {
                http_answer_json(r, 200, json_pack("{s:o}", "keys", keys));
        } else {
                http_problem_err(r, &why);
        }
}

void keys_rotate(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct key_rotation want;
        struct key key = {0};
        const char *id = http_param(r, "id");
        const char *tenant = key.record.tenant;
        struct scan_fault fault = {0};
        struct err why = {0};
        char text[KEY_TEXT_SIZE];
        if (!api_may_change(a, r) || !body_may_be_read(r))
                return;
        int refused = key_rotation_read(http_body(r), &want, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
                return;
        }
        key.record.expires = want.expires;
        if (registry_rotate_key(a->registry, id, want.overlap, &key, text, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        key_uses_changed(a->key_uses, id);
        publish_keys(a, id, tenant[0] != '\0' ? tenant : NULL); /* an admin key belongs to none */
        answer_made(r, &key, text);
}

void keys_delete(void *owner, struct http_request *r)
{
        struct api *a = owner;
        if (api_is_primary(a, r))
                revoke_key(a, r, NULL);
}

/* Notes the uses of keys that exist, and adds the ids of those that must not be used any more. */
static void note_uses(struct api *a, const struct key_use *uses, const enum key_state *states,
                      size_t count, json_t *unusable)
{
        const msec now = clock_wall();
        for (size_t i = 0; i < count; i++) {
                struct key_use use = uses[i];
                if (states[i] == KEY_UNKNOWN)
                        continue;
                if (use.at > now) /* of a gateway whose clock is ahead */
                        use.at = now;
                if (use.at > 0)
                        key_uses_note(a->key_uses, &use);
                if (states[i] != KEY_ACTIVE)
                        json_array_append_new(unusable, json_string(use.id));
        }
}

/* Looks at the keys that were used, and at those that were changed lately. */
static int judge_uses(struct api *a, struct key_use *uses, size_t count, json_t *unusable,
                      struct err *e)
{
        AUTO_FREE enum key_state *states =
                xcalloc(KEYS_USED_MAX + KEYS_CHANGED_MAX, sizeof(*states));
        count += key_uses_recent(a->key_uses, uses + count);
        if (registry_key_states(a->registry, uses, count, states, e) != 0)
                return -1;
        note_uses(a, uses, states, count, unusable);
        return 0;
}

/* Needs no broker: it is the gateways' second way to learn of revoked keys. */
void keys_used(void *owner, struct http_request *r)
{
        struct api *a = owner;
        AUTO_FREE struct key_use *uses = NULL;
        size_t count = 0;
        struct scan_fault fault = {0};
        struct err why = {0};
        if (!api_is_primary(a, r) || !http_body_is_json(r))
                return;
        int refused = key_uses_read(http_body(r), KEYS_CHANGED_MAX, &uses, &count, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
                return;
        }
        json_auto_t *unusable = json_array();
        if (judge_uses(a, uses, count, unusable, &why) == 0)
                http_answer_json(r, 200, json_pack("{s:O}", "unusable", unusable));
        else
                http_problem_err(r, &why);
}
