/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.h: registry.db, which holds tenants, keys, and the limits and pauses of types. Every
 * change raises the row's version and marks the row as unpublished, until its record has been
 * published to stream `control`.
 *
 * Any thread. A write blocks until it is on the disk: the registry's own thread commits the writes
 * of several callers with one fsync. A read sees all earlier writes and does not wait for later
 * ones. A full disk, or a file that another process keeps locked, gives ERR_UNAVAILABLE and changes
 * nothing.
 */
#pragma once

#include "common/base/err.h"
#include "common/model/record.h"
#include "status-store/registry/limit.h"

/* Whether the broker has the tenant's login; UNSURE: a change of it may be unfinished. */
enum tenant_login { LOGIN_NONE, LOGIN_THERE, LOGIN_UNSURE };

struct tenant {
        struct tenant_record record;
        struct limit in_force; /* while record.slots_version is 0 */
        bool amqp_login;
        bool login_unsure; /* LOGIN_UNSURE */
        msec created_at;
        msec deleted_at; /* 0: not deleted */
};

/* Which rows: all, those whose last change has not been published to `control`, tenants and types
 * with a limit whose tokens are not there, or keys but those of deleted tenants. */
enum which { WHICH_ALL, WHICH_UNPUBLISHED, WHICH_UNFILLED, WHICH_LISTED };

struct registry;

struct registry *registry_create(const char *path, struct err *e) MUST_CHECK;
/* No other call may be running. */
void registry_destroy(struct registry **r);
/* Writes that wait for those that are being committed: many when the disk stalls. */
size_t registry_writes_waiting(struct registry *r);
/* -1: the last write failed because of the disk, or of another process. The next one, a minute
 * later at most, may succeed. */
int registry_check(struct registry *r, struct err *e) MUST_CHECK;

/* 1: found; 0: unknown; -1. A deleted tenant is found until its queues are gone. */
int registry_tenant(struct registry *r, const char *name, struct tenant *out,
                    struct err *e) MUST_CHECK;
enum name_use { NAME_NEW, NAME_REUSED };
/* Takes record.name and the limits; fills v and created_at. ERR_CONFLICT: the name is taken, or
 * NAME_NEW and a deleted tenant had it, or there are max tenants already (a deleted one counts
 * until its queues are gone). */
int registry_add_tenant(struct registry *r, struct tenant *t, int64_t max, enum name_use use,
                        struct err *e) MUST_CHECK;
/* Writes limits and paused of a tenant that was read before, and raises v. A max_running that has
 * changed, or whose slots_version is 0, gets a new version when its tokens are there; the one
 * before is in force until then. ERR_CONFLICT: it has changed since; ERR_NOT_FOUND: it is gone. */
int registry_change_tenant(struct registry *r, struct tenant *t, struct err *e) MUST_CHECK;
/* Notes whether the broker has the tenant's login. Note LOGIN_UNSURE before the broker is asked to
 * change it: then an interrupted change is repeated or undone later. ERR_NOT_FOUND: there is no
 * such tenant. For a deleted tenant only LOGIN_NONE can be noted. */
int registry_note_login(struct registry *r, const char *name, enum tenant_login login,
                        struct err *e) MUST_CHECK;
/* Marks it as deleted; revokes its keys, which expire now and are not listed any more. Drops the
 * keys of tenants deleted more than 30 days ago. now 0: undoes a creation that failed. */
int registry_delete_tenant(struct registry *r, const char *name, msec now,
                           struct err *e) MUST_CHECK;
/* Call it when its queues are gone: the name can be used again. */
int registry_drop_tenant(struct registry *r, const char *name, struct err *e) MUST_CHECK;

typedef int tenant_fn(void *owner, const struct tenant *t, struct err *e);
/* Calls `each` for every row, until it fails. It works on a copy of the list, so it may call the
 * registry. */
int registry_each_tenant(struct registry *r, enum which which, tenant_fn *each, void *owner,
                         struct err *e) MUST_CHECK;

/* Marks version v of a tenant or type (name), a pause or a key (its id) as published, or as
 * unpublished. When it is published, token queues that it does not name are stale. */
int registry_published(struct registry *r, enum record_kind kind, const char *name, int64_t v,
                       struct err *e) MUST_CHECK;
/* 1: the last change of the tenant, type or pause is published; 0; -1. */
int registry_is_published(struct registry *r, enum record_kind kind, const char *name,
                          struct err *e) MUST_CHECK;
/* 1: and its limits are those in force, with tokens; 0; -1. */
int registry_is_in_force(struct registry *r, enum record_kind kind, const char *name,
                         struct err *e) MUST_CHECK;
int registry_republish(struct registry *r, enum record_kind kind, const char *name, int64_t v,
                       struct err *e) MUST_CHECK;
/* `control` holds this version. An older row is raised above it and marked as unpublished; a name
 * without a row will begin above it. So the records of a registry restored from a backup take
 * effect. 1: the row was raised; 0; -1. */
int registry_seen_tenant(struct registry *r, const struct tenant_record *seen,
                         struct err *e) MUST_CHECK;
