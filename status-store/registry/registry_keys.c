/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_keys.c: keys in registry.db.
 */
#include "status-store/registry/registry_keys.h"

#include <string.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_rows.h"

#define KEY_COLUMNS "id, v, tenant, sha256, scopes, expires, revoked, created_at, name, family"
/* The key before it in its family. */
#define ROTATED_FROM \
        "(SELECT p.id FROM keys p WHERE p.tenant = k.tenant AND k.family IS NOT NULL" \
        " AND (p.family = k.family OR p.id = k.family) AND p.created_at < k.created_at" \
        " ORDER BY p.created_at DESC LIMIT 1)"
#define CAN_BE_USED(now) " revoked = 0 AND (expires = 0 OR expires > " now ")"

/* Reads KEY_COLUMNS. */
static void read_key(sqlite3_stmt *s, struct key *k)
{
        struct key_record *r = &k->record;
        *k = (struct key){0};
        db_text(s, 0, r->id, sizeof(r->id));
        r->v = sqlite3_column_int64(s, 1);
        db_text(s, 2, r->tenant, sizeof(r->tenant));
        struct bytes hash = db_bytes(s, 3);
        if (hash.length == sizeof(r->sha256))
                memcpy(r->sha256, hash.data, sizeof(r->sha256));
        r->scopes = (unsigned)sqlite3_column_int(s, 4);
        r->expires = sqlite3_column_int64(s, 5);
        r->revoked = sqlite3_column_int(s, 6) != 0 || hash.length != sizeof(r->sha256);
        k->created_at = sqlite3_column_int64(s, 7);
        db_text(s, 8, k->name, sizeof(k->name));
        db_text(s, 9, k->family, sizeof(k->family));
}

enum key_state key_state(const struct key_record *k, msec now)
{
        if (k->revoked)
                return KEY_REVOKED;
        return k->expires != 0 && k->expires <= now ? KEY_EXPIRED : KEY_ACTIVE;
}

/* Fills what a new key gets by itself. */
static void generate(struct key *k, char text[KEY_TEXT_SIZE])
{
        k->record.v = 1;
        k->record.revoked = false;
        k->created_at = clock_wall();
        api_key_generate(text, k->record.id, k->record.sha256);
}

static int insert_key(struct database *db, const struct key *k, struct err *e)
{
        const struct key_record *r = &k->record;
        return database_run(db,
                            "INSERT INTO keys(" KEY_COLUMNS ")"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                            DB_VALUES(value_text(r->id), value_int(r->v),
                                      value_string(bytes_of_text(r->tenant)),
                                      value_blob(bytes_of(r->sha256, sizeof(r->sha256))),
                                      value_int(r->scopes), value_int(r->expires),
                                      value_int(r->revoked), value_int(k->created_at),
                                      value_text(k->name), value_text(k->family)),
                            e);
}

static int put_key(struct database *db, void *owner, struct err *e)
{
        const struct key *k = owner;
        const char *tenant = k->record.tenant;
        struct tenant t = {0};
        int found = tenant[0] == '\0' ? 1 : tenant_find(db, tenant, &t, e);
        if (found < 0)
                return -1;
        if (found == 0 || t.record.deleted)
                return err_set(e, ERR_NOT_FOUND, "there is no tenant %s", tenant);
        return insert_key(db, k, e);
}

int registry_add_key(struct registry *r, struct key *k, char text[KEY_TEXT_SIZE], struct err *e)
{
        generate(k, text);
        return registry_write(r, put_key, k, e);
}

/* 1: found; 0; -1. */
static int find_key(struct database *db, const char *id, struct key *out, struct err *e)
{
        AUTO_RESET *find = database_query(db, "SELECT " KEY_COLUMNS " FROM keys WHERE id = ?1",
                                          DB_VALUES(value_text(id)), e);
        int found = db_step(find, e);
        if (found == 1)
                read_key(find, out);
        return found;
}

struct revocation {
        const char *tenant; /* NULL: any */
        const char *id;
};

/* One that ends sooner, as the old one of a rotation, is no other. */
static int refuse_last_admin_key(struct database *db, const struct key *k, msec now, struct err *e)
{
        if (k->record.tenant[0] != '\0' || key_state(&k->record, now) != KEY_ACTIVE)
                return 0;
        int others = rows_exist(
                db,
                "SELECT 1 FROM keys WHERE tenant = '' AND id <> ?1"
                " AND" CAN_BE_USED("?2") " AND (expires = 0 OR expires >= ?3 AND ?3 > 0) LIMIT 1",
                DB_VALUES(value_text(k->record.id), value_int(now), value_int(k->record.expires)),
                e);
        if (others == 0)
                return err_set(e, ERR_CONFLICT,
                               "key %s is the last admin key: no other lasts as long",
                               k->record.id);
        return others < 0 ? -1 : 0;
}

static int revoke_key(struct database *db, void *owner, struct err *e)
{
        const struct revocation *want = owner;
        struct key k = {0};
        int found = find_key(db, want->id, &k, e);
        if (found < 0)
                return -1;
        bool is_theirs = want->tenant == NULL || strcmp(k.record.tenant, want->tenant) == 0;
        if (found == 0 || k.record.revoked || !is_theirs)
                return err_set(e, ERR_NOT_FOUND, "there is no such key %s", want->id);
        if (refuse_last_admin_key(db, &k, clock_wall(), e) != 0)
                return -1;
        return database_run(db, "UPDATE keys SET v = v + 1, revoked = 1, told = 0 WHERE id = ?1",
                            DB_VALUES(value_text(want->id)), e);
}

int registry_revoke_key(struct registry *r, const char *tenant, const char *id, struct err *e)
{
        struct revocation want = {.tenant = tenant, .id = id};
        return registry_write(r, revoke_key, &want, e);
}

struct rotation {
        const char *id; /* of the key that is replaced */
        msec overlap;
        struct key *made;
};

/* Keys of the family that can be used; -1: failed. */
static int count_active(struct database *db, const struct key *k, msec now, struct err *e)
{
        const char *family = k->family[0] != '\0' ? k->family : k->record.id;
        AUTO_RESET *count = database_query(
                db,
                "SELECT count(*) FROM keys WHERE tenant = ?1 AND (id = ?2 OR family = ?2)"
                " AND" CAN_BE_USED("?3"),
                DB_VALUES(value_string(bytes_of_text(k->record.tenant)), value_text(family),
                          value_int(now)),
                e);
        return db_step(count, e) == 1 ? sqlite3_column_int(count, 0) : -1;
}

/* Fills the new key from the old one. */
static void succeed(const struct key *old, struct key *made)
{
        memcpy(made->record.tenant, old->record.tenant, sizeof(made->record.tenant));
        made->record.scopes = old->record.scopes;
        memcpy(made->name, old->name, sizeof(made->name));
        memcpy(made->family, old->family[0] != '\0' ? old->family : old->record.id,
               sizeof(made->family));
        memcpy(made->rotated_from, old->record.id, sizeof(made->rotated_from));
        if (made->created_at <= old->created_at) /* the order of a family */
                made->created_at = old->created_at + 1;
}

static int rotate_key(struct database *db, void *owner, struct err *e)
{
        const struct rotation *want = owner;
        const msec now = clock_wall();
        struct key old = {0};
        int found = find_key(db, want->id, &old, e);
        if (found < 0)
                return -1;
        if (found == 0 || key_state(&old.record, now) != KEY_ACTIVE)
                return err_set(e, ERR_NOT_FOUND, "there is no key %s that can be used", want->id);
        int active = count_active(db, &old, now, e);
        if (active < 0)
                return -1;
        if (active >= KEYS_ACTIVE_MAX)
                return err_set(e, ERR_CONFLICT,
                               "two keys of this rotation can be used; revoke one, or wait until"
                               " one expires");
        succeed(&old, want->made);
        if (put_key(db, want->made, e) != 0)
                return -1;
        return database_run(db,
                            "UPDATE keys SET v = v + 1, told = 0,"
                            " expires = iif(expires = 0, ?2, min(expires, ?2)) WHERE id = ?1",
                            DB_VALUES(value_text(want->id), value_int(now + want->overlap)), e);
}

int registry_rotate_key(struct registry *r, const char *id, msec overlap, struct key *out,
                        char text[KEY_TEXT_SIZE], struct err *e)
{
        struct rotation want = {.id = id, .overlap = overlap, .made = out};
        generate(out, text);
        return registry_write(r, rotate_key, &want, e);
}

int registry_has_admin_key(struct registry *r, struct err *e)
{
        return registry_rows_exist(
                r, "SELECT 1 FROM keys WHERE tenant = '' AND" CAN_BE_USED("?1") " LIMIT 1",
                DB_VALUES(value_int(clock_wall())), e);
}

/* Writes the file before the registry. After a crash in between, the file's key is not valid, and
 * the next start makes another one. The other order would lose the only copy of the secret. */
int registry_create_admin_key(struct registry *r, const char *path, struct err *e)
{
        char text[KEY_TEXT_SIZE];
        struct key key = {
                .record = {.scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE | SCOPE_ADMIN}};
        generate(&key, text);
        AUTO_FREE char *line = xasprintf("%s\n", text);
        int done = file_replace(path, line, e);
        explicit_bzero(text, sizeof(text));
        explicit_bzero(line, strlen(line));
        return done != 0 ? -1 : registry_write(r, put_key, &key, e);
}

int registry_bootstrap_admin_key(struct registry *r, const char *path, struct err *e)
{
        int has = registry_has_admin_key(r, e);
        if (has != 0)
                return has < 0 ? -1 : 0;
        if (registry_create_admin_key(r, path, e) != 0)
                return -1;
        LOG_INFO("first admin key written", log_text("path", path));
        return 0;
}

static int read_keys(struct registry *r, enum which which, const char *tenant, struct key **list,
                     size_t *count, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *all = reader_query(
                reader,
                "SELECT " KEY_COLUMNS ", last_used, last_from, " ROTATED_FROM " FROM keys k WHERE"
                " (?1 = 0 OR told = 0) AND (?2 = 0 OR revoked < 2) AND (?3 IS NULL OR tenant = ?3)"
                " ORDER BY created_at, id",
                DB_VALUES(value_int(which == WHICH_UNPUBLISHED), value_int(which == WHICH_LISTED),
                          value_text(tenant)),
                e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                *list = xrealloc(*list, (*count + 1) * sizeof(**list));
                struct key *k = &(*list)[(*count)++];
                read_key(all, k);
                memcpy(k->used.id, k->record.id, sizeof(k->used.id));
                k->used.at = sqlite3_column_int64(all, 10);
                db_text(all, 11, k->used.from, sizeof(k->used.from));
                db_text(all, 12, k->rotated_from, sizeof(k->rotated_from));
        }
        return more;
}

/* Reads all rows first, so that the callback may change them. */
int registry_each_key(struct registry *r, enum which which, const char *tenant, key_fn *each,
                      void *owner, struct err *e)
{
        AUTO_FREE struct key *list = NULL;
        size_t count = 0;
        if (read_keys(r, which, tenant, &list, &count, e) != 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (each(owner, &list[i], e) != 0)
                        return -1;
        }
        return 0;
}

/* Reads first, as registry_seen_tenant does: nearly always there is nothing to write. */
int registry_seen_key(struct registry *r, const char *id, int64_t v, struct err *e)
{
        const struct db_value *id_v = DB_VALUES(value_text(id), value_int(v));
        int low = registry_rows_exist(r, "SELECT 1 FROM keys WHERE id = ?1 AND v < ?2", id_v, e);
        if (low <= 0)
                return low;
        return registry_rows_change(
                r, "UPDATE keys SET v = ?2 + 1, told = 0 WHERE id = ?1 AND v < ?2", id_v, e);
}

int registry_key_states(struct registry *r, const struct key_use *uses, size_t count,
                        enum key_state *states, struct err *e)
{
        const msec now = clock_wall();
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        for (size_t i = 0; i < count; i++) {
                struct key k = {0};
                int found = find_key(reader_database(reader), uses[i].id, &k, e);
                if (found < 0)
                        return -1;
                states[i] = found == 1 ? key_state(&k.record, now) : KEY_UNKNOWN;
        }
        return 0;
}

struct use_list {
        const struct key_use *uses;
        size_t count;
};

static int write_uses(struct database *db, void *owner, struct err *e)
{
        const struct use_list *list = owner;
        for (size_t i = 0; i < list->count; i++) {
                const struct key_use *use = &list->uses[i];
                if (database_run(db,
                                 "UPDATE keys SET last_used = ?2, last_from = ?3"
                                 " WHERE id = ?1 AND ifnull(last_used, 0) < ?2",
                                 DB_VALUES(value_text(use->id), value_int(use->at),
                                           value_text(use->from)),
                                 e) != 0)
                        return -1;
        }
        return 0;
}

int registry_use_keys(struct registry *r, const struct key_use *uses, size_t count, struct err *e)
{
        struct use_list list = {uses, count};
        return registry_write(r, write_uses, &list, e);
}
