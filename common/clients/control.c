/* SPDX-License-Identifier: Apache-2.0
 *
 * control.c: keeps the highest version of each record of stream `control` and reports new ones.
 *
 * The stream is small, so it is read from its start at every connection: only higher versions have
 * an effect.
 */
#include "common/clients/control.h"

#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/catch_up.h"
#include "common/model/parked.h"

#define PROVISIONING_LOGIN "warren-provision"

enum { PREFETCH = 512, ENTRY_NAME_SIZE = PAUSE_KEY_SIZE + 24 };

/* name: the record's kind and key, "tenant acme". */
struct entry {
        char name[ENTRY_NAME_SIZE];
        int64_t v;
        struct record record;
        UT_hash_handle hh;
};

struct control {
        /* Before start. */
        struct control_events on;
        void *owner;

        struct catch_up *reader; /* loop's thread only */

        /* Written only on the loop's thread, with `mutex` locked. The loop's thread reads without
         * locking; others lock. */
        pthread_mutex_t mutex;
        struct entry *entries;
        bool ready;
};

static void entry_name(char out[ENTRY_NAME_SIZE], const char *kind, const char *key)
{
        size_t before = strlen(kind);
        size_t length = strnlen(key, ENTRY_NAME_SIZE - before - 2);

        memcpy(out, kind, before);
        out[before] = ' ';
        memcpy(out + before + 1, key, length);
        out[before + 1 + length] = '\0';
}

/* The record's entry name and version; false: a kind that is not kept. */
static bool describe(const struct record *r, char name[ENTRY_NAME_SIZE], int64_t *v)
{
        switch (r->kind) {
        case RECORD_TENANT:
                entry_name(name, "tenant", r->tenant.name);
                *v = r->tenant.v;
                return true;
        case RECORD_KEY:
                entry_name(name, "key", r->key.id);
                *v = r->key.v;
                return true;
        case RECORD_PAUSE:
                entry_name(name, "pause", r->pause.key);
                *v = r->pause.v;
                return true;
        case RECORD_TYPE:
                entry_name(name, "type", r->type.name);
                *v = r->type.v;
                return true;
        case RECORD_SYNC:
        case RECORD_UNKNOWN: /* of a later version */
                break;
        }
        return false;
}

static struct entry *find(const struct control *c, const char *name)
{
        struct entry *entry = NULL;
        HASH_FIND_STR(c->entries, name, entry);
        return entry;
}

/* Stores the record. Returns its entry; NULL: the record is not new. */
static const struct entry *keep_locked(struct control *c, const struct record *r)
{
        char name[ENTRY_NAME_SIZE];
        int64_t v;
        if (!describe(r, name, &v))
                return NULL;
        struct entry *entry = find(c, name);
        if (entry == NULL) {
                entry = xcalloc(1, sizeof(*entry));
                memcpy(entry->name, name, sizeof(name));
                HASH_ADD_STR(c->entries, name, entry);
        } else if (v <= entry->v) {
                return NULL;
        }
        entry->v = v;
        entry->record = *r;
        return entry;
}

static void report(const struct control *c, const struct record *r)
{
        switch (r->kind) {
        case RECORD_TENANT:
                if (c->on.tenant != NULL)
                        c->on.tenant(c->owner, &r->tenant);
                break;
        case RECORD_KEY:
                if (c->on.key != NULL)
                        c->on.key(c->owner, &r->key);
                break;
        case RECORD_PAUSE:
                if (c->on.pause != NULL)
                        c->on.pause(c->owner, &r->pause);
                break;
        case RECORD_TYPE:
                if (c->on.type != NULL)
                        c->on.type(c->owner, &r->type);
                break;
        case RECORD_SYNC:
        case RECORD_UNKNOWN:
                break;
        }
}

static void on_caught_up(void *owner)
{
        struct control *c = owner;

        for (const struct entry *entry = c->entries; entry != NULL; entry = entry->hh.next)
                report(c, &entry->record);
        pthread_mutex_lock(&c->mutex);
        c->ready = true;
        pthread_mutex_unlock(&c->mutex);
        if (c->on.ready != NULL)
                c->on.ready(c->owner);
}

static void on_message(void *owner, const struct message *m)
{
        struct control *c = owner;
        struct record record;
        struct err e = {0};
        if (record_parse(m->body, &record, &e) < 0) {
                LOG_WARN("a control record is malformed and ignored", log_err(&e),
                         log_bytes("login", m->user_id));
                return;
        }
        if (record.kind == RECORD_SYNC) /* another program's marker */
                return;
        if (!bytes_equal_text(m->user_id, PROVISIONING_LOGIN)) {
                LOG_WARN("a control record of another login is ignored",
                         log_bytes("login", m->user_id));
                return;
        }
        pthread_mutex_lock(&c->mutex);
        const struct entry *fresh = keep_locked(c, &record);
        pthread_mutex_unlock(&c->mutex);
        /* Before it has caught up nothing is reported: a later version may follow. */
        if (fresh != NULL && c->ready)
                report(c, &fresh->record);
}

struct control *control_create(const struct link_config *config, const struct control_events *on,
                               void *owner, uv_loop_t *loop, struct err *e)
{
        static const struct catch_up_events reading = {.message = on_message,
                                                       .caught_up = on_caught_up};
        const struct catch_up_config catch_up = {
                .link = config, .stream = "control", .prefetch = PREFETCH};
        AUTO(control) c = xcalloc(1, sizeof(*c));
        c->on = *on;
        c->owner = owner;
        pthread_mutex_init(&c->mutex, NULL);
        c->reader = catch_up_create(&catch_up, &reading, c, loop, e);
        return c->reader == NULL ? NULL : TAKE(c);
}

static void forget_records(struct control *c)
{
        struct entry *entry;
        struct entry *next;
        HASH_ITER (hh, c->entries, entry, next) {
                HASH_DEL(c->entries, entry);
                free(entry);
        }
}

void control_destroy(struct control **c)
{
        if (*c == NULL)
                return;
        struct control *gone = TAKE(*c);
        catch_up_destroy(&gone->reader);
        forget_records(gone);
        pthread_mutex_destroy(&gone->mutex);
        free(gone);
}

bool control_is_ready(struct control *c)
{
        pthread_mutex_lock(&c->mutex);
        bool ready = c->ready;
        pthread_mutex_unlock(&c->mutex);
        return ready;
}

bool control_is_up(struct control *c)
{
        return catch_up_is_up(c->reader);
}

/* Copies the record; false: there is none. */
static bool look_up(struct control *c, const char *kind, const char *key, struct record *out)
{
        char name[ENTRY_NAME_SIZE];
        entry_name(name, kind, key);
        pthread_mutex_lock(&c->mutex);
        const struct entry *entry = find(c, name);
        if (entry != NULL)
                *out = entry->record;
        pthread_mutex_unlock(&c->mutex);
        return entry != NULL;
}

bool control_tenant(struct control *c, const char *name, struct tenant_record *out)
{
        struct record record;
        if (!look_up(c, "tenant", name, &record) || record.tenant.deleted)
                return false;
        *out = record.tenant;
        return true;
}

bool control_key(struct control *c, const char *id, struct key_record *out)
{
        struct record record;
        if (!look_up(c, "key", id, &record))
                return false;
        *out = record.key;
        return true;
}

bool control_type(struct control *c, const char *name, struct type_record *out)
{
        struct record record;
        if (!look_up(c, "type", name, &record))
                return false;
        *out = record.type;
        return true;
}

static bool is_paused(struct control *c, const char *tenant, const char *type,
                      struct pause_record *out)
{
        char key[PAUSE_KEY_SIZE];
        struct record record;
        pause_key(tenant, type, key);
        if (!look_up(c, "pause", key, &record) || !record.pause.paused)
                return false;
        if (out != NULL)
                *out = record.pause;
        return true;
}

enum pause control_pause(struct control *c, const char *tenant, const char *type,
                         struct pause_record *out)
{
        if (is_paused(c, tenant, type, out))
                return PAUSE_TENANT_TYPE;
        return is_paused(c, "", type, out) ? PAUSE_TYPE : PAUSE_NONE;
}

void control_each_tenant(struct control *c,
                         void (*each)(void *owner, const struct tenant_record *t), void *owner)
{
        pthread_mutex_lock(&c->mutex);
        for (const struct entry *entry = c->entries; entry != NULL; entry = entry->hh.next)
                if (entry->record.kind == RECORD_TENANT && !entry->record.tenant.deleted)
                        each(owner, &entry->record.tenant);
        pthread_mutex_unlock(&c->mutex);
}

void control_each_pause(struct control *c, void (*each)(void *owner, const struct pause_record *p),
                        void *owner)
{
        pthread_mutex_lock(&c->mutex);
        for (const struct entry *entry = c->entries; entry != NULL; entry = entry->hh.next)
                if (entry->record.kind == RECORD_PAUSE)
                        each(owner, &entry->record.pause);
        pthread_mutex_unlock(&c->mutex);
}
