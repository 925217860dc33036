/* SPDX-License-Identifier: Apache-2.0
 *
 * declared.h: functions that the files of common/topology share: declarations as JSON, accounts,
 * and calls of the management API.
 */
#pragma once

#include "common/topology/topology.h"

#define RIGHT_TO_NOTHING "^$"
#define DELIVERY_POLICY "warren-no-delivery-limit"

/* A declaration's arguments as the management API shows them. New reference. */
json_t *declared_arguments(const struct declaration *d);

/* The policy DELIVERY_POLICY as in the management API, without its name. New reference. */
json_t *declared_policy(void);

/* The account with the rights that it needs on this broker; borrows from a. */
struct account account_for(const struct account *a, enum passive_declare need);
/* A tenant's account. The caller frees *login and *write. */
struct account account_of_tenant(const char *tenant, char **login, char **write);

/* Takes the reference of body (NULL: none). -1 unless the status is 2xx. Call http_reply_fini in
 * either case. */
int management_call(struct http_client *management, const char *method, const char *path,
                    json_t *body, struct http_reply *reply, struct err *e) MUST_CHECK;
/* The answer to a GET; NULL: failed. New reference. */
json_t *management_get(struct http_client *management, const char *path, struct err *e) MUST_CHECK;
/* Appends prefix, first, and "/second" unless that is NULL; both percent-encoded. */
void management_path(struct buffer *out, const char *prefix, const char *first, const char *second);

/* The rights of all logins in vhost. New reference. */
json_t *fetch_rights(struct http_client *management, const char *vhost, struct err *e) MUST_CHECK;
/* Borrowed from rights; NULL: the login has none. */
const json_t *rights_of(const json_t *rights, const char *login);

/* "" for a member that is missing or not a text. */
const char *text_member(const json_t *item, const char *name);

/* Parts of topology_check. */
struct finder {
        finding_fn *finding;
        void *owner;
};
void find_wrong_policies(const struct finder *f, const json_t *policies);
int find_wrong_rights(const struct finder *f, struct http_client *management, const char *vhost,
                      const char *const *tenants, struct err *e) MUST_CHECK;
