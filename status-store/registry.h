/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.h: registry.db, the one place where tenants and keys are kept. Every change raises its
 * row's version and marks it as untold until its control record has been published.
 *
 * Any thread. What changes something blocks until it is on the disk: a thread of the registry's own
 * writes in turn and commits in groups, so that who writes at the same time shares an fsync. What
 * only reads sees all that was changed before it was called, and waits for no change. A full disk
 * or a file that another process keeps locked is ERR_UNAVAILABLE, and nothing was changed.
 */
#ifndef WARREN_STATUS_STORE_REGISTRY_H
#define WARREN_STATUS_STORE_REGISTRY_H

#include "common/base/err.h"
#include "status-store/tenant.h"

struct registry;

struct registry *registry_create(const char *path, struct err *e) MUST_CHECK;
/* No call may be under way. */
void registry_destroy(struct registry **r);

/* 1, 0 (unknown), -1. Deleted ones are found until their queues are gone. */
int registry_tenant(struct registry *r, const char *name, struct tenant *out,
                    struct err *e) MUST_CHECK;
/* Takes record.name and its limits; fills v and created_at. ERR_CONFLICT: the name is taken, or
 * there are max already, with those whose queues are not gone yet. */
int registry_add_tenant(struct registry *r, struct tenant *t, int64_t max,
                        struct err *e) MUST_CHECK;
/* ERR_CONFLICT also when a deleted tenant had the name. */
int registry_add_new_tenant(struct registry *r, struct tenant *t, int64_t max,
                            struct err *e) MUST_CHECK;
/* Writes limits and paused of a tenant that was read before, and raises v. ERR_CONFLICT when it has
 * changed since, ERR_NOT_FOUND when it is gone. */
int registry_change_tenant(struct registry *r, struct tenant *t, struct err *e) MUST_CHECK;
/* What the broker has of a tenant's login. Noted UNSURE before it is asked to change that, so that
 * a change cut short is done again or undone, whichever is wanted next. ERR_NOT_FOUND when there is
 * no such tenant; one that is deleted can be noted as having NONE. */
int registry_note_login(struct registry *r, const char *name, enum tenant_login login,
                        struct err *e) MUST_CHECK;
/* Marks it as deleted and revokes its keys, which are listed no more; they expire now, too. Keys of
 * tenants deleted more than 30 days ago are forgotten. now 0: it was never really there. */
int registry_delete_tenant(struct registry *r, const char *name, msec now,
                           struct err *e) MUST_CHECK;
/* 1 when a tenant of that name was deleted, 0, -1. */
int registry_had_tenant(struct registry *r, const char *name, struct err *e) MUST_CHECK;
/* Its queues are gone: the name can be used again. */
int registry_drop_tenant(struct registry *r, const char *name, struct err *e) MUST_CHECK;

/* A key that is not in the registry yet; tenant "" makes an admin key. text is the only copy of the
 * secret. */
int key_generate(const char *tenant, unsigned scopes, msec expires, char text[KEY_TEXT_SIZE],
                 struct key *out, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND when its tenant is gone. */
int registry_put_key(struct registry *r, const struct key *k, struct err *e) MUST_CHECK;
/* Both. */
int registry_add_key(struct registry *r, const char *tenant, unsigned scopes, msec expires,
                     char text[KEY_TEXT_SIZE], struct key *out, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND when the tenant has no such key. */
int registry_revoke_key(struct registry *r, const char *tenant, const char *id,
                        struct err *e) MUST_CHECK;
/* 1 when there is an admin key that is not revoked. */
int registry_has_admin_key(struct registry *r, struct err *e) MUST_CHECK;

typedef int tenant_fn(void *owner, const struct tenant *t, struct err *e);
typedef int key_fn(void *owner, const struct key *k, struct err *e);
/* Each works on a copy of the list: the callback may call the registry. tenant NULL: all keys.
 * Those of a deleted tenant stay for long, so that their revocation can be told again, but
 * WHICH_ALL of a tenant passes over them: they are not of whoever has its name now. */
int registry_each_tenant(struct registry *r, enum which which, tenant_fn *each, void *owner,
                         struct err *e) MUST_CHECK;
int registry_each_key(struct registry *r, enum which which, const char *tenant, key_fn *each,
                      void *owner, struct err *e) MUST_CHECK;

/* The record of version v has been published. */
int registry_told_tenant(struct registry *r, const char *name, int64_t v, struct err *e) MUST_CHECK;
int registry_told_key(struct registry *r, const char *id, int64_t v, struct err *e) MUST_CHECK;
/* `control` holds version v: ours, if it is older, goes above it and is told again; a name that is
 * not here will begin above it. So a registry brought back from a backup is heard. 1: it was
 * raised; 0. */
int registry_seen_tenant(struct registry *r, const char *name, int64_t v, struct err *e) MUST_CHECK;
int registry_seen_key(struct registry *r, const char *id, int64_t v, struct err *e) MUST_CHECK;
/* The record of version v is to be published again. */
int registry_untold_tenant(struct registry *r, const char *name, int64_t v,
                           struct err *e) MUST_CHECK;
int registry_untold_key(struct registry *r, const char *id, int64_t v, struct err *e) MUST_CHECK;

#endif
