/* SPDX-License-Identifier: Apache-2.0
 *
 * key_watch.c: the table of keys in use, and the thread that asks about them.
 */
#include "gateway/key_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/rounds.h"
#include "gateway/origin.h"

enum {
        ASK_EVERY = 500,        /* ms */
        ASK_EVERY_ALONE = 250,  /* ms, while the broker is away */
        CALL_TIMEOUT = 1000,    /* ms */
        UNCHECKED_AFTER = 1000, /* ms */
        CUT_OFF_AFTER = 2000,   /* ms; longer than a call and the pause before it */
        USES_AT_ONCE = 4096,
        ANSWER_DEPTH = 4,
};

/* Keys that were used, or that the primary named: never more than there are. */
struct entry {
        char id[KEY_ID_SIZE];
        msec at; /* of the last use */
        char from[ORIGIN_SIZE];
        bool used;          /* since the primary was told */
        bool refused;       /* since the primary was asked: it was not checked */
        uint64_t told_in;   /* the last call that named it */
        msec asked_at;      /* when the last call began that named it and was answered; 0: none */
        int64_t unusable_v; /* this version of the record must not be used; 0: none */
        UT_hash_handle hh;
};

struct key_watch {
        struct http_client *client;
        struct control *control;
        struct rounds *rounds;
        bool failing; /* the thread's: the last call failed, which was logged */
        pthread_mutex_t mutex;
        /* guarded by mutex */
        struct entry *entries;
        struct entry *turn; /* where the next call begins to tell; NULL: at the first */
        uint64_t calls;
        msec control_at;  /* control was last seen to be up */
        msec answered_at; /* the last call that was answered began */
        /* When the primary answered for the first time after both ways were cut off. It names what
         * was revoked in the last minute, as far as it remembers: a key that was revoked in between
         * may be missing. So until control is up, each key is asked about before it is let in. */
        msec cut_off_until;
};

static struct entry *find_locked(const struct key_watch *w, const char *id)
{
        struct entry *entry = NULL;

        HASH_FIND_STR(w->entries, id, entry);
        return entry;
}

static struct entry *add_locked(struct key_watch *w, const char *id)
{
        struct entry *entry = find_locked(w, id);

        if (entry != NULL)
                return entry;
        entry = xcalloc(1, sizeof(*entry));
        snprintf(entry->id, sizeof(entry->id), "%s", id);
        HASH_ADD_STR(w->entries, id, entry);
        return entry;
}

static void look_at_control_locked(struct key_watch *w, msec now)
{
        if (control_is_up(w->control))
                w->control_at = now;
}

static bool is_checked_locked(struct key_watch *w, const struct entry *entry, msec now)
{
        look_at_control_locked(w, now);
        if (now - w->control_at <= UNCHECKED_AFTER)
                return true;
        if (now - w->answered_at > UNCHECKED_AFTER)
                return false;
        return w->control_at > w->cut_off_until || entry->asked_at >= w->cut_off_until;
}

enum key_check key_watch_use(struct key_watch *w, const struct key_record *k, const char *from)
{
        enum key_check check = KEY_CHECKED;

        pthread_mutex_lock(&w->mutex);
        struct entry *entry = add_locked(w, k->id);
        if (k->v <= entry->unusable_v) {
                check = KEY_UNUSABLE;
        } else if (!is_checked_locked(w, entry, clock_mono())) {
                check = KEY_UNCHECKED;
                entry->refused = true;
        } else {
                entry->at = clock_wall();
                entry->used = true;
                snprintf(entry->from, sizeof(entry->from), "%s", from);
        }
        pthread_mutex_unlock(&w->mutex);
        return check;
}

static void write_use(const struct entry *u, struct buffer *body)
{
        json_begin_object(body, NULL);
        json_put_string(body, "id", u->id);
        json_put_int(body, "at", u->used ? u->at : 0);
        json_put_string(body, "from", u->from);
        json_end(body);
}

/* Writes the uses of which the primary was not told, and marks them as told. They are too many for
 * one call: the next goes on where this one ended. A key that was refused is only asked about. */
static void write_uses(struct key_watch *w, struct buffer *body)
{
        size_t count = 0;

        json_begin(body);
        json_begin_array(body, "used");
        pthread_mutex_lock(&w->mutex);
        w->calls++;
        struct entry *u = w->turn;
        for (size_t left = HASH_COUNT(w->entries); left > 0 && count < USES_AT_ONCE; left--) {
                if (u == NULL)
                        u = w->entries;
                if (u->used || u->refused) {
                        write_use(u, body);
                        u->used = u->refused = false;
                        u->told_in = w->calls;
                        count++;
                }
                u = u->hh.next;
        }
        w->turn = u;
        pthread_mutex_unlock(&w->mutex);
        json_end_array(body);
        json_end(body);
}

/* The call failed: all recent uses are told again. */
static void untell(struct key_watch *w, msec since)
{
        pthread_mutex_lock(&w->mutex);
        for (struct entry *u = w->entries; u != NULL; u = u->hh.next)
                u->used = u->used || u->at >= since;
        pthread_mutex_unlock(&w->mutex);
}

/* A key that `control` does not know cannot be used anyway. */
static int read_unusable(struct json_reader *r, const struct json_place *p, void *out)
{
        struct key_watch *w = r->owner;
        char id[KEY_ID_SIZE];
        struct key_record record;

        (void)out;
        if (!json_copy_text(p->value, id, sizeof(id)))
                return json_refuse(r, p, "must be the id of a key");
        if (!control_key(w->control, id, &record))
                return 0;
        pthread_mutex_lock(&w->mutex);
        add_locked(w, id)->unusable_v = record.v;
        pthread_mutex_unlock(&w->mutex);
        return 0;
}

static int read_answer(struct key_watch *w, struct bytes body, struct err *e)
{
        static const struct json_member members[] = {
                {"unusable", json_read_list, .each = read_unusable, .flags = JSON_REQUIRED},
                {0},
        };
        struct json_reader reader = {.owner = w, .lenient = true};
        struct json_place root;

        if (json_read_open(&reader, body, ANSWER_DEPTH, &root) != 0 ||
            json_read_members(&reader, &root, members, w) != 0)
                return err_set(e, ERR_PROTOCOL, "its answer cannot be read");
        return 0;
}

static int ask(struct key_watch *w, struct bytes body, struct err *e)
{
        struct http_reply reply = {0};
        const struct http_call call = {.method = "POST",
                                       .path = "/internal/v1/keys/used",
                                       .body = body,
                                       .timeout = CALL_TIMEOUT};
        int done = http_client_call(w->client, &call, &reply, e);

        if (done == 0 && reply.status != 200)
                done = err_set(e, ERR_UNAVAILABLE, "status %d", reply.status);
        if (done == 0)
                done = read_answer(w, buffer_bytes(&reply.body), e);
        http_reply_fini(&reply);
        return done;
}

static void log_change(struct key_watch *w, bool failed, const struct err *why)
{
        if (failed && !w->failing)
                LOG_WARN("the primary status-store cannot be asked about keys", log_err(why));
        else if (!failed && w->failing)
                LOG_INFO("the primary status-store answers about keys again");
        w->failing = failed;
}

/* The call that began then was answered. */
static void note_answer_locked(struct key_watch *w, msec began)
{
        const msec heard = w->control_at > w->answered_at ? w->control_at : w->answered_at;

        if (began - heard > CUT_OFF_AFTER)
                w->cut_off_until = began;
        w->answered_at = began;
        for (struct entry *u = w->entries; u != NULL; u = u->hh.next)
                if (u->told_in == w->calls)
                        u->asked_at = began;
}

/* Uses since the last call that was answered are told again after a failure: then more than once,
 * which does no harm. */
static void look(struct key_watch *w)
{
        AUTO_BUFFER body = {0};
        struct err why = {0};
        const msec began = clock_mono();
        const msec wall = clock_wall();

        write_uses(w, &body);
        bool failed = ask(w, buffer_bytes(&body), &why) != 0;
        if (failed)
                untell(w, wall - (began - w->answered_at));
        log_change(w, failed, &why);
        pthread_mutex_lock(&w->mutex);
        look_at_control_locked(w, began);
        if (!failed)
                note_answer_locked(w, began);
        pthread_mutex_unlock(&w->mutex);
}

static msec round_of(void *owner)
{
        struct key_watch *w = owner;

        look(w);
        return control_is_up(w->control) ? ASK_EVERY : ASK_EVERY_ALONE;
}

struct key_watch *key_watch_create(struct http_client *client, struct control *control,
                                   struct err *e)
{
        AUTO(key_watch) w = xcalloc(1, sizeof(*w));

        w->client = client;
        w->control = control;
        w->control_at = w->answered_at = clock_mono() - UNCHECKED_AFTER - 1;
        pthread_mutex_init(&w->mutex, NULL);
        w->rounds = rounds_start("asking about keys", 0, round_of, w, e);
        return w->rounds == NULL ? NULL : TAKE(w);
}

void key_watch_destroy(struct key_watch **watch)
{
        struct key_watch *w = TAKE(*watch);
        struct entry *entry;
        struct entry *next;

        if (w == NULL)
                return;
        if (w->rounds != NULL) {
                rounds_end(&w->rounds);
                look(w);
        }
        HASH_ITER (hh, w->entries, entry, next) {
                HASH_DEL(w->entries, entry);
                free(entry);
        }
        http_client_destroy(&w->client);
        pthread_mutex_destroy(&w->mutex);
        free(w);
}
