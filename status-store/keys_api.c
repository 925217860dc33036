/* SPDX-License-Identifier: Apache-2.0
 *
 * keys_api.c: the routes of API keys; only the primary serves them. A change is committed to the
 * registry, then published; the provisioning thread repeats what failed.
 */
#include "status-store/api.h"
#include "status-store/key_body.h"

void tenant_keys_create(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        struct key key;
        struct scan_fault fault = {0};
        struct err why = {0};
        unsigned scopes = 0;
        msec expires = 0;
        char text[KEY_TEXT_SIZE];
        if (!api_may_change(a, r) || !api_find_tenant(a, r, &t))
                return;
        if (http_body(r).length > 0 && !http_body_is_json(r))
                return;
        int refused = key_body_read(http_body(r), &scopes, &expires, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
                return;
        }
        if (registry_add_key(a->registry, t.record.name, scopes, expires, text, &key, &why) != 0 ||
            provisioning_apply_keys(a->provisioning, t.record.name, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        json_t *answer = key_json(&key);
        json_object_set_new(answer, "key", json_string(text));
        json_object_set_new(answer, "tenant", json_string(t.record.name));
        http_answer_json(r, 201, answer);
}

void tenant_keys_delete(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct tenant t;
        struct err why = {0};
        if (!api_may_change(a, r) || !api_find_tenant(a, r, &t))
                return;
        if (registry_revoke_key(a->registry, t.record.name, http_param(r, "id"), &why) != 0 ||
            provisioning_apply_keys(a->provisioning, t.record.name, &why) != 0)
                http_problem_err(r, &why);
        else
                http_answer_empty(r, 204);
}
