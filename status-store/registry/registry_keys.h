/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_keys.h: API keys in registry.db. Keys that replace one another are a family: each has
 * the id of the first. Any thread; the calls block (registry.h).
 */
#pragma once

#include "status-store/registry/registry.h"

enum {
        KEY_NAME_SIZE = 65, /* bytes, and a NUL */
        KEY_FROM_SIZE = 46, /* an address */
        KEYS_ACTIVE_MAX = 2 /* of a family */
};

/* The last use of a key that is known. */
struct key_use {
        char id[KEY_ID_SIZE];
        msec at;                  /* 0: none */
        char from[KEY_FROM_SIZE]; /* the client's address; "": unknown */
};

struct key {
        struct key_record record;
        char name[KEY_NAME_SIZE];       /* "": none */
        char family[KEY_ID_SIZE];       /* "": its own id */
        char rotated_from[KEY_ID_SIZE]; /* the key that it replaces; "": none */
        struct key_use used;            /* as written last; see key_uses.h */
        msec created_at;
};

/* Makes a key. Takes record.tenant ("": an admin key), record.scopes, record.expires and name;
 * fills the rest. text is the only copy of the secret. ERR_NOT_FOUND: the tenant is gone. */
int registry_add_key(struct registry *r, struct key *k, char text[KEY_TEXT_SIZE],
                     struct err *e) MUST_CHECK;
/* tenant NULL: of any tenant, or of none. ERR_NOT_FOUND: the tenant has no such key, or it is
 * revoked; ERR_CONFLICT: it is the last admin key: none that lasts as long can be used. */
int registry_revoke_key(struct registry *r, const char *tenant, const char *id,
                        struct err *e) MUST_CHECK;
/* Makes a key with the tenant, scopes and name of another one, which expires `overlap` ms from now,
 * unless it does before. Takes record.expires of out. ERR_NOT_FOUND: there is no such key that can
 * be used; ERR_CONFLICT: KEYS_ACTIVE_MAX of its family can be used. */
int registry_rotate_key(struct registry *r, const char *id, msec overlap, struct key *out,
                        char text[KEY_TEXT_SIZE], struct err *e) MUST_CHECK;
/* 1: an admin key can be used; 0; -1. */
int registry_has_admin_key(struct registry *r, struct err *e) MUST_CHECK;
/* Makes an admin key (no HTTP route makes the first) and writes it to the file (mode 0600; an
 * existing file is replaced). */
int registry_create_admin_key(struct registry *r, const char *path, struct err *e) MUST_CHECK;
/* The same if the registry has no admin key that can be used. */
int registry_bootstrap_admin_key(struct registry *r, const char *path, struct err *e) MUST_CHECK;

typedef int key_fn(void *owner, const struct key *k, struct err *e);
/* As registry_each_tenant. tenant NULL: the keys of all. Keys of a deleted tenant stay for 30 days,
 * so that their revocation can be published again; WHICH_LISTED leaves them out, because the name
 * may have a new tenant. */
int registry_each_key(struct registry *r, enum which which, const char *tenant, key_fn *each,
                      void *owner, struct err *e) MUST_CHECK;
/* As registry_seen_tenant. */
int registry_seen_key(struct registry *r, const char *id, int64_t v, struct err *e) MUST_CHECK;

enum key_state { KEY_ACTIVE, KEY_EXPIRED, KEY_REVOKED, KEY_UNKNOWN };
enum key_state key_state(const struct key_record *k, msec now);
/* Fills states[i] with that of the key of uses[i]. */
int registry_key_states(struct registry *r, const struct key_use *uses, size_t count,
                        enum key_state *states, struct err *e) MUST_CHECK;
/* Writes uses that are later than those written, without raising v. */
int registry_use_keys(struct registry *r, const struct key_use *uses, size_t count,
                      struct err *e) MUST_CHECK;
