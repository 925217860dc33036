/* SPDX-License-Identifier: Apache-2.0
 *
 * tally.c: the changes that a batch makes to the counts.
 */
#include "status-store/tally.h"

#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct state_key {
        int64_t tenant, type, state;
};

struct state_count {
        struct state_key key;
        int64_t by;
        UT_hash_handle hh;
};

/* Minute 0: the tenant's totals. */
struct minute_key {
        int64_t minute, tenant;
};

struct minute {
        struct minute_key key;
        int64_t count[TALLY_COUNT];
        struct histogram times[TALLY_TIMES];
        UT_hash_handle hh;
};

struct tally {
        struct state_count *states;
        struct minute *minutes;
        sqlite3_stmt *add_state, *add_total, *get_minute, *put_minute;
};

static int tally_prepare(struct tally *t, sqlite3 *db, struct err *e)
{
        t->add_state =
                db_prepare(db,
                           "INSERT INTO counts(tenant, type, state, n) VALUES(?1, ?2, ?3, ?4)"
                           " ON CONFLICT DO UPDATE SET n = n + excluded.n",
                           e);
        t->add_total = db_prepare(
                db,
                "INSERT INTO counters(tenant, submitted, completed, failed, retried, dead)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET"
                " submitted = submitted + excluded.submitted,"
                " completed = completed + excluded.completed, failed = failed + excluded.failed,"
                " retried = retried + excluded.retried, dead = dead + excluded.dead",
                e);
        t->get_minute = db_prepare(db,
                                   "SELECT submitted, completed, failed, retried, dead, latency,"
                                   " wait, duration FROM minutes WHERE minute = ?1 AND tenant = ?2",
                                   e);
        t->put_minute = db_prepare(db,
                                   "INSERT OR REPLACE INTO minutes(minute, tenant, submitted,"
                                   " completed, failed, retried, dead, latency, wait, duration)"
                                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                                   e);
        return err_is_set(e) ? -1 : 0;
}

struct tally *tally_create(sqlite3 *db, struct err *e)
{
        AUTO(tally) t = xcalloc(1, sizeof(*t));
        struct err why = {0};
        if (tally_prepare(t, db, &why) != 0) {
                (void)err_set(e, why.code, "%s", why.text);
                return NULL;
        }
        return TAKE(t);
}

void tally_destroy(struct tally **t)
{
        if (*t == NULL)
                return;
        tally_clear(*t);
        db_finalize(&(*t)->add_state);
        db_finalize(&(*t)->add_total);
        db_finalize(&(*t)->get_minute);
        db_finalize(&(*t)->put_minute);
        free(*t);
        *t = NULL;
}

void tally_clear(struct tally *t)
{
        struct state_count *s, *next_state;
        HASH_ITER (hh, t->states, s, next_state) {
                HASH_DEL(t->states, s);
                free(s);
        }
        struct minute *m, *next;
        HASH_ITER (hh, t->minutes, m, next) {
                HASH_DEL(t->minutes, m);
                free(m);
        }
}

static struct state_count *find_state(struct tally *t, const struct state_key *key)
{
        struct state_count *found = NULL;
        HASH_FIND(hh, t->states, key, sizeof(*key), found);
        if (found == NULL) {
                found = xcalloc(1, sizeof(*found));
                found->key = *key;
                HASH_ADD(hh, t->states, key, sizeof(found->key), found);
        }
        return found;
}

void tally_state(struct tally *t, int64_t tenant, int64_t type, int state, int by)
{
        const struct state_key key = {tenant, type, state};
        find_state(t, &key)->by += by;
}

static struct minute *find_minute(struct tally *t, const struct minute_key *key)
{
        struct minute *found = NULL;
        HASH_FIND(hh, t->minutes, key, sizeof(*key), found);
        if (found == NULL) {
                found = xcalloc(1, sizeof(*found));
                found->key = *key;
                HASH_ADD(hh, t->minutes, key, sizeof(found->key), found);
        }
        return found;
}

static struct minute *tally_minute(struct tally *t, int64_t minute, int64_t tenant)
{
        const struct minute_key key = {minute, tenant};
        return find_minute(t, &key);
}

static int64_t minute_of(msec at, msec now)
{
        if (at > now)
                at = now;
        return at < now - TALLY_KEPT ? 0 : at / MSEC_MINUTE;
}

void tally_count(struct tally *t, int64_t tenant, enum tally_what what, msec at, msec now)
{
        tally_minute(t, 0, tenant)->count[what]++;
        int64_t minute = minute_of(at, now);
        if (minute != 0)
                tally_minute(t, minute, tenant)->count[what]++;
}

void tally_observe(struct tally *t, int64_t tenant, enum tally_time which, msec value, msec at,
                   msec now)
{
        int64_t minute = minute_of(at, now);
        if (minute != 0)
                histogram_add(&tally_minute(t, minute, tenant)->times[which], value);
}

static int write_states(struct tally *t, struct err *e)
{
        for (struct state_count *s = t->states; s != NULL; s = s->hh.next) {
                if (s->by == 0)
                        continue;
                db_bind_int(t->add_state, 1, s->key.tenant);
                db_bind_int(t->add_state, 2, s->key.type);
                db_bind_int(t->add_state, 3, s->key.state);
                db_bind_int(t->add_state, 4, s->by);
                if (db_run(t->add_state, e) != 0)
                        return -1;
        }
        return 0;
}

static int write_total(struct tally *t, const struct minute *m, struct err *e)
{
        db_bind_int(t->add_total, 1, m->key.tenant);
        for (int i = 0; i < TALLY_COUNT; i++)
                db_bind_int(t->add_total, 2 + i, m->count[i]);
        return db_run(t->add_total, e);
}

static int merge_minute(struct tally *t, struct minute *m, struct err *e)
{
        AUTO_RESET *get = t->get_minute;
        db_bind_int(get, 1, m->key.minute);
        db_bind_int(get, 2, m->key.tenant);
        int found = db_step(get, e);
        if (found != 1)
                return found;
        for (int i = 0; i < TALLY_COUNT; i++)
                m->count[i] += sqlite3_column_int64(get, i);
        for (int i = 0; i < TALLY_TIMES; i++)
                histogram_unpack(db_bytes(get, TALLY_COUNT + i), &m->times[i]);
        return 0;
}

static int write_minute(struct tally *t, struct minute *m, struct err *e)
{
        if (merge_minute(t, m, e) != 0)
                return -1;
        db_bind_int(t->put_minute, 1, m->key.minute);
        db_bind_int(t->put_minute, 2, m->key.tenant);
        for (int i = 0; i < TALLY_COUNT; i++)
                db_bind_int(t->put_minute, 3 + i, m->count[i]);
        AUTO_BUFFER latency = {0};
        AUTO_BUFFER wait = {0};
        AUTO_BUFFER duration = {0};
        struct buffer *const packed[TALLY_TIMES] = {&latency, &wait, &duration};
        for (int i = 0; i < TALLY_TIMES; i++) {
                histogram_pack(&m->times[i], packed[i]);
                db_bind_blob(t->put_minute, 3 + TALLY_COUNT + i, packed[i]->data,
                             packed[i]->length);
        }
        return db_run(t->put_minute, e);
}

int tally_write(struct tally *t, struct err *e)
{
        if (write_states(t, e) != 0)
                return -1;
        for (struct minute *m = t->minutes; m != NULL; m = m->hh.next) {
                int wrote = m->key.minute == 0 ? write_total(t, m, e) : write_minute(t, m, e);
                if (wrote != 0)
                        return -1;
        }
        tally_clear(t);
        return 0;
}
