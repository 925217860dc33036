/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_claims.c: claims of idempotency keys in registry.db.
 */
#include "status-store/registry/registry_claims.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_rows.h"

enum { DIGEST_BYTES = 16 };

struct digest {
        unsigned char bytes[DIGEST_BYTES];
};

/* A claim's row and where it is. */
struct stored_claim {
        int64_t seq;
        bool damaged; /* its blobs have lengths that no version writes */
        struct claim_row row;
};

/* The tenant of the last claim, and how many claims there are: most calls are about one tenant. A
 * change of the numbers is written when the tenant changes, and at the end. A tenant is meant with
 * the time when it was made: one that has the name of a deleted one is another. */
struct claims_write {
        const struct claims_call *call;
        msec now;
        char tenant[TENANT_SIZE]; /* "": none was read yet */
        bool exists, deleted;
        msec created_at;
        int64_t of_tenant, all;             /* counts */
        int64_t of_tenant_added, all_added; /* not written yet */
};

static void digest_key(const char *tenant, msec created_at, const char *key, struct digest *out)
{
        char text[TENANT_SIZE + 24 + JOB_KEY_SIZE];
        unsigned char full[EVP_MAX_MD_SIZE];
        int length = snprintf(text, sizeof(text), "%s%c%lld%c%s", tenant, '\0',
                              (long long)created_at, '\0', key);
        assert(length > 0 && (size_t)length < sizeof(text));
        int done = EVP_Digest(text, (size_t)length, full, NULL, EVP_sha256(), NULL);
        assert(done == 1);
        (void)done;
        memcpy(out->bytes, full, sizeof(out->bytes));
}

static struct db_value value_digest(const struct digest *d)
{
        return value_blob(bytes_of(d->bytes, sizeof(d->bytes)));
}

static struct db_value value_uuid(const unsigned char id[UUID_BYTES])
{
        return value_blob(bytes_of(id, UUID_BYTES));
}

/* Counts have a row for each tenant, and one with an empty name, made at 0, for all. */
static struct db_value value_counted(const char *tenant)
{
        return value_string(bytes_of_text(tenant));
}

static int read_count(struct database *db, const char *tenant, msec created_at, int64_t *n,
                      struct err *e)
{
        AUTO_RESET *find =
                database_query(db, "SELECT n FROM claim_counts WHERE tenant = ?1 AND made = ?2",
                               DB_VALUES(value_counted(tenant), value_int(created_at)), e);
        int found = db_step(find, e);
        *n = found == 1 ? sqlite3_column_int64(find, 0) : 0;
        return found < 0 ? -1 : 0;
}

static int add_count(struct database *db, const char *tenant, msec created_at, int64_t *added,
                     struct err *e)
{
        int64_t n = *added;
        *added = 0;
        if (n == 0)
                return 0;
        return database_run(db,
                            "INSERT INTO claim_counts(tenant, made, n) VALUES(?1, ?2, ?3)"
                            " ON CONFLICT(tenant, made) DO UPDATE SET n = n + excluded.n",
                            DB_VALUES(value_counted(tenant), value_int(created_at), value_int(n)),
                            e);
}

static int write_counts(struct database *db, struct claims_write *w, struct err *e)
{
        if (add_count(db, w->tenant, w->created_at, &w->of_tenant_added, e) != 0)
                return -1;
        return add_count(db, "", 0, &w->all_added, e);
}

static void count_claim(struct claims_write *w, int64_t by)
{
        w->of_tenant += by;
        w->of_tenant_added += by;
        w->all += by;
        w->all_added += by;
}

/* Claims are counted for this tenant from now on. */
static int know_counts(struct database *db, struct claims_write *w, const char *tenant,
                       msec created_at, struct err *e)
{
        if (strcmp(w->tenant, tenant) == 0 && w->created_at == created_at)
                return 0;
        if (write_counts(db, w, e) != 0 ||
            read_count(db, tenant, created_at, &w->of_tenant, e) != 0 ||
            read_count(db, "", 0, &w->all, e) != 0)
                return -1;
        snprintf(w->tenant, sizeof(w->tenant), "%s", tenant);
        w->created_at = created_at;
        return 0;
}

static int know_tenant(struct database *db, struct claims_write *w, const char *tenant,
                       struct err *e)
{
        struct tenant t = {0};
        if (strcmp(w->tenant, tenant) == 0)
                return 0;
        int found = tenant_find(db, tenant, &t, e);
        if (found < 0 || know_counts(db, w, tenant, t.created_at, e) != 0)
                return -1;
        w->exists = found == 1;
        w->deleted = t.record.deleted;
        return 0;
}

/* False: the column has another length, which no version writes. */
static bool copy_blob(sqlite3_stmt *s, int column, unsigned char *out, size_t size)
{
        struct bytes b = db_bytes(s, column);
        if (b.length != size)
                return false;
        memcpy(out, b.data, size);
        return true;
}

/* Returns 1 when there is such a claim, 0 when not, -1 on an error. */
static int find_claim(struct database *db, const struct digest *digest, struct stored_claim *out,
                      struct err *e)
{
        struct claim_row *row = &out->row;
        AUTO_RESET *s = database_query(db,
                                       "SELECT seq, hash, id, holder, at, lease, submitted_at,"
                                       " run_at, expires_at, scheduled, taken FROM claims"
                                       " WHERE digest = ?1",
                                       DB_VALUES(value_digest(digest)), e);
        int found = db_step(s, e);
        if (found != 1)
                return found;
        out->seq = sqlite3_column_int64(s, 0);
        row->at = sqlite3_column_int64(s, 4);
        row->lease = sqlite3_column_int64(s, 5);
        row->terms.submitted_at = sqlite3_column_int64(s, 6);
        row->terms.run_at = sqlite3_column_int64(s, 7);
        row->terms.expires_at = sqlite3_column_int64(s, 8);
        row->terms.scheduled = sqlite3_column_int(s, 9) != 0;
        row->taken = sqlite3_column_int(s, 10);
        out->damaged = !copy_blob(s, 1, row->hash, sizeof(row->hash)) ||
                       !copy_blob(s, 2, row->id, sizeof(row->id)) ||
                       !copy_blob(s, 3, row->holder, sizeof(row->holder));
        return 1;
}

static int delete_claim(struct database *db, int64_t seq, struct err *e)
{
        return database_run(db, "DELETE FROM claims WHERE seq = ?1", DB_VALUES(value_int(seq)), e);
}

static int insert_claim(struct database *db, struct claims_write *w, const struct claim_request *a,
                        const struct digest *digest, struct err *e)
{
        const struct claim_terms *t = &a->terms;
        count_claim(w, 1);
        return database_run(
                db,
                "INSERT INTO claims(tenant, made, digest, hash, id, holder, at, lease,"
                " submitted_at, run_at, expires_at, scheduled)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                DB_VALUES(value_text(a->tenant), value_int(w->created_at), value_digest(digest),
                          value_blob(bytes_of(a->hash, sizeof(a->hash))), value_uuid(a->holder),
                          value_int(w->now), value_int(w->now + w->call->limits->lease),
                          value_int_or_null(t->submitted_at), value_int_or_null(t->run_at),
                          value_int_or_null(t->expires_at), value_int(t->scheduled)),
                e);
}

static int lease_claim(struct database *db, const struct claims_write *w,
                       const struct claim_request *a, const struct stored_claim *claim,
                       struct err *e)
{
        return database_run(
                db, "UPDATE claims SET holder = ?2, lease = ?3, taken = ?4 WHERE seq = ?1",
                DB_VALUES(value_int(claim->seq), value_uuid(a->holder),
                          value_int(w->now + w->call->limits->lease), value_int(claim->row.taken)),
                e);
}

static int64_t room(const struct claims_write *w)
{
        const struct claim_limits *l = w->call->limits;
        int64_t of_tenant = l->of_tenant_max - w->of_tenant, all = l->max - w->all;
        return of_tenant < all ? of_tenant : all;
}

static void fill_answer(struct claim_result *out, const struct claim_decision *d,
                        const struct claim_request *a, const struct claim_row *row)
{
        *out = (struct claim_result){.state = d->state, .taken = d->taken, .retry = d->retry};
        if (d->change == CLAIM_INSERT) {
                memcpy(out->id, a->holder, sizeof(out->id));
                out->terms = a->terms;
        } else {
                memcpy(out->id, row->id, sizeof(out->id));
                out->terms = row->terms;
        }
}

/* Its job may have been published, and its request is not known: so it is neither granted nor
 * replayed. */
static void answer_damaged(const struct stored_claim *claim, struct claim_result *out)
{
        LOG_WARN("a claim of an idempotency key is damaged; it is in flight until it is deleted",
                 log_int("seq", claim->seq));
        *out = (struct claim_result){.state = CLAIM_IN_FLIGHT, .retry = CLAIM_FULL_RETRY};
}

static int claim_one(struct database *db, struct claims_write *w, const struct claim_request *a,
                     struct claim_result *out, struct err *e)
{
        struct stored_claim old = {0};
        struct digest digest;
        if (know_tenant(db, w, a->tenant, e) != 0)
                return -1;
        if (!w->exists || w->deleted) {
                *out = (struct claim_result){.state = CLAIM_NO_TENANT};
                return 0;
        }
        digest_key(a->tenant, w->created_at, a->key, &digest);
        int found = find_claim(db, &digest, &old, e);
        if (found < 0)
                return -1;
        if (old.damaged) {
                answer_damaged(&old, out);
                return 0;
        }
        const struct claim_decision d =
                claim_decide(a, found == 1 ? &old.row : NULL, room(w), w->call->limits, w->now);
        if (d.forget) {
                if (delete_claim(db, old.seq, e) != 0)
                        return -1;
                count_claim(w, -1);
        }
        fill_answer(out, &d, a, &old.row);
        switch (d.change) {
        case CLAIM_UNCHANGED:
                return 0;
        case CLAIM_INSERT:
                return insert_claim(db, w, a, &digest, e);
        case CLAIM_LEASE:
                old.row.taken = d.taken;
                return lease_claim(db, w, a, &old, e);
        }
        return 0;
}

static int end_lease(struct database *db, const struct db_value *values, struct err *e)
{
        return database_run(db,
                            "UPDATE claims SET lease = ?3"
                            " WHERE digest = ?1 AND holder = ?2 AND lease > ?3",
                            values, e);
}

/* Also ends a claim of a tenant that is being deleted; one that is gone has none. */
static int end_one(struct database *db, struct claims_write *w, const struct claim_ended *end,
                   struct err *e)
{
        struct digest digest;
        int deleted = 0;
        if (know_tenant(db, w, end->tenant, e) != 0)
                return -1;
        if (!w->exists)
                return 0;
        digest_key(end->tenant, w->created_at, end->key, &digest);
        const struct db_value *values =
                DB_VALUES(value_digest(&digest), value_uuid(end->holder), value_int(w->now));
        switch (end->how) {
        case CLAIM_SETTLE:
                return database_run(db,
                                    "UPDATE claims SET lease = NULL WHERE digest = ?1"
                                    " AND holder = ?2 AND lease IS NOT NULL",
                                    values, e);
        case CLAIM_RELEASE:
                deleted = rows_change(db,
                                      "DELETE FROM claims WHERE digest = ?1 AND holder = ?2"
                                      " AND taken = 0 AND lease IS NOT NULL",
                                      values, e);
                if (deleted == 0)
                        return end_lease(db, values, e);
                count_claim(w, -(deleted == 1));
                return deleted < 0 ? -1 : 0;
        case CLAIM_ABANDON:
                return end_lease(db, values, e);
        }
        return 0;
}

static int write_call(struct database *db, void *owner, struct err *e)
{
        struct claims_write w = {.call = owner, .now = clock_wall()};
        const struct claims_call *c = w.call;
        for (size_t i = 0; i < c->ended_count; i++) {
                if (end_one(db, &w, &c->ended[i], e) != 0)
                        return -1;
        }
        for (size_t i = 0; i < c->request_count; i++) {
                if (claim_one(db, &w, &c->requests[i], &c->results[i], e) != 0)
                        return -1;
        }
        return write_counts(db, &w, e);
}

int registry_claim(struct registry *r, const struct claims_call *c, struct err *e)
{
        return registry_write(r, write_call, (void *)c, e);
}

/* The claims to be settled. By digest and id, not by seq: a seq may have another claim by the time
 * of the write. */
struct settling {
        const struct claim_published *jobs;
        struct leased {
                struct digest digest;
                const unsigned char *id; /* the job's */
        } * leased;
        size_t count;
};

static int add_leased(struct database *db, struct settling *s, msec created_at,
                      const struct claim_published *job, struct err *e)
{
        struct leased *l = &s->leased[s->count];
        l->id = job->id;
        digest_key(job->tenant, created_at, job->key, &l->digest);
        int found = rows_exist(
                db, "SELECT 1 FROM claims WHERE digest = ?1 AND id = ?2 AND lease IS NOT NULL",
                DB_VALUES(value_digest(&l->digest), value_uuid(l->id)), e);
        s->count += found == 1;
        return found < 0 ? -1 : 0;
}

static int find_leased(struct registry *r, struct settling *s, size_t count, struct err *e)
{
        struct tenant t = {0};
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        struct database *db = reader_database(reader);
        for (size_t i = 0; i < count; i++) {
                const struct claim_published *job = &s->jobs[i];
                int found = 1;
                if (strcmp(t.record.name, job->tenant) != 0)
                        found = tenant_find(db, job->tenant, &t, e);
                if (found < 0 || (found == 1 && add_leased(db, s, t.created_at, job, e) != 0))
                        return -1;
        }
        return 0;
}

static int settle_all(struct database *db, void *owner, struct err *e)
{
        const struct settling *s = owner;
        for (size_t i = 0; i < s->count; i++) {
                const struct leased *l = &s->leased[i];
                if (database_run(db,
                                 "UPDATE claims SET lease = NULL"
                                 " WHERE digest = ?1 AND id = ?2 AND lease IS NOT NULL",
                                 DB_VALUES(value_digest(&l->digest), value_uuid(l->id)), e) != 0)
                        return -1;
        }
        return 0;
}

int registry_settle_published(struct registry *r, const struct claim_published *jobs, size_t count,
                              struct err *e)
{
        AUTO_FREE struct leased *leased = xcalloc(count + 1, sizeof(*leased));
        struct settling s = {.jobs = jobs, .leased = leased};
        if (find_leased(r, &s, count, e) != 0)
                return -1;
        return s.count == 0 ? 0 : registry_write(r, settle_all, &s, e);
}

/* A wall clock that was ahead has left claims of the future. They would keep all behind them, so
 * their age counts from now. That is seen when one of them is the first of the table, which may be
 * claims_keep later: they and those behind them may stay twice as long. Rare: it reads the whole
 * table. */
static int bring_back(struct database *db, msec at, msec now, struct err *e)
{
        if (at <= now + MSEC_MINUTE)
                return 0;
        return database_run(db, "UPDATE claims SET at = ?1 WHERE at > ?1",
                            DB_VALUES(value_int(now)), e);
}

struct oldest {
        int64_t seq;
        msec at, lease, made;
        char tenant[TENANT_SIZE];
};

static int read_oldest(struct database *db, struct oldest *list, int *count, struct err *e)
{
        AUTO_RESET *all = database_query(
                db, "SELECT seq, at, lease, made, tenant FROM claims ORDER BY seq LIMIT ?1",
                DB_VALUES(value_int(CLAIMS_FORGOTTEN_AT_ONCE)), e);
        int more = 0;
        for (*count = 0; (more = db_step(all, e)) == 1; ++*count) {
                struct oldest *o = &list[*count];
                o->seq = sqlite3_column_int64(all, 0);
                o->at = sqlite3_column_int64(all, 1);
                o->lease = sqlite3_column_int64(all, 2);
                o->made = sqlite3_column_int64(all, 3);
                db_text(all, 4, o->tenant, sizeof(o->tenant));
        }
        return more;
}

static int forget(struct database *db, void *owner, struct err *e)
{
        struct claims_write w = {.now = clock_wall()};
        const struct claim_limits *l = owner;
        AUTO_FREE struct oldest *list = xcalloc(CLAIMS_FORGOTTEN_AT_ONCE, sizeof(*list));
        int count = 0;
        int old = 0;
        int forgotten = 0;
        if (read_oldest(db, list, &count, e) != 0 ||
            (count > 0 && bring_back(db, list[0].at, w.now, e) != 0))
                return -1;
        for (; old < count && list[old].at <= w.now - l->keep; old++) {
                const struct oldest *o = &list[old];
                const struct claim_row row = {.at = o->at, .lease = o->lease};
                if (!claim_is_old(&row, l, w.now))
                        continue; /* it is leased */
                if (know_counts(db, &w, o->tenant, o->made, e) != 0 ||
                    delete_claim(db, o->seq, e) != 0)
                        return -1;
                count_claim(&w, -1);
                forgotten++;
        }
        if (write_counts(db, &w, e) != 0 ||
            database_run(db, "DELETE FROM claim_counts WHERE n <= 0", NULL, e) != 0)
                return -1;
        return old == CLAIMS_FORGOTTEN_AT_ONCE && forgotten > 0;
}

int registry_forget_claims(struct registry *r, const struct claim_limits *l, struct err *e)
{
        return registry_write(r, forget, (void *)l, e);
}

int registry_count_claims(struct registry *r, int64_t *count, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : read_count(reader_database(reader), "", 0, count, e);
}
