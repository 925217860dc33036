/* SPDX-License-Identifier: Apache-2.0
 *
 * retention.c: deletes ended jobs whose last event (column told, the stream's clock) is old enough.
 * It walks the index of each tenant and ended state in the order of creation, which is never after
 * the last event; a job with a recent event waits for the next walk. Between two walks it deletes
 * names that nothing uses: publishers may use any number of types.
 */
#include "status-store/projection/retention.h"

#include "common/base/memory.h"
#include "common/base/own.h"

enum { STEP_ROWS = 500 };
/* Rarely, because it reads all counts. */
#define PRUNE_NAMES_EVERY MSEC_HOUR

static const int walked[] = {STATUS_COMPLETED, STATUS_CANCELLED, STATE_HIDDEN, STATUS_DEAD};
enum { WALKED_COUNT = sizeof(walked) / sizeof(walked[0]) };

/* Of job ?1; the bodies first, because that reads the job's other rows. */
static const char *const delete_job_sql[] = {
        delete_bodies_sql,
        "DELETE FROM others WHERE seq = ?1",
        "DELETE FROM finds WHERE seq = ?1",
        "DELETE FROM jobs WHERE seq = ?1",
        "DELETE FROM attempts WHERE seq = ?1",
        "DELETE FROM starts WHERE seq = ?1",
};

struct retention {
        struct store *store;
        struct database *db; /* the store's */
        struct tally *tally;
        struct retention_settings settings;
        /* How far the walk is. */
        int64_t tenant;
        int walk;
        msec created;
        int64_t seq;
        msec pruned_at; /* when names were last deleted; 0: not yet */
};

struct expired {
        int64_t seq, type;
        int shelf;
};

struct retention *retention_create(struct store *store, const struct retention_settings *s)
{
        struct retention *r = xcalloc(1, sizeof(*r));
        r->store = store;
        r->db = store_database(store);
        r->settings = *s;
        r->tally = tally_create(r->db);
        return r;
}

void retention_destroy(struct retention **r)
{
        if (*r == NULL)
                return;
        tally_destroy(&(*r)->tally);
        free(*r);
        *r = NULL;
}

static int delete_job(struct retention *r, int64_t seq, struct err *e)
{
        for (size_t i = 0; i < sizeof(delete_job_sql) / sizeof(delete_job_sql[0]); i++) {
                if (database_run(r->db, delete_job_sql[i], DB_VALUES(value_int(seq)), e) != 0)
                        return -1;
        }
        return 0;
}

static int delete_all(struct retention *r, const struct expired *list, int count, struct err *e)
{
        if (count == 0)
                return 0;
        if (store_begin(r->store, e) != 0)
                return -1;
        int done = 0;
        for (int i = 0; i < count && done == 0; i++) {
                done = delete_job(r, list[i].seq, e);
                tally_shelf(r->tally, r->tenant, list[i].type, list[i].shelf, -1);
        }
        if (done == 0)
                done = tally_write(r->tally, e);
        if (done == 0)
                done = database_run(r->db, "COMMIT", NULL, e);
        if (done != 0) {
                tally_clear(r->tally);
                store_rollback(r->store);
        }
        return done;
}

/* Reads the next rows of the walk; fills list with the expired ones. Returns how many it read. */
static int read_page(struct retention *r, msec before, struct expired *list, int *count,
                     struct err *e)
{
        AUTO_RESET *page = database_query(
                r->db,
                "SELECT seq, created, told, type, shelf FROM jobs WHERE tenant = ?1 AND state = ?2 "
                "AND"
                " created < ?3 AND (created, seq) > (?4, ?5) ORDER BY created, seq LIMIT ?6",
                DB_VALUES(value_int(r->tenant), value_int(walked[r->walk]), value_int(before),
                          value_int(r->created), value_int(r->seq), value_int(STEP_ROWS)),
                e);
        int rows = 0;
        int more = 0;
        for (; (more = db_step(page, e)) == 1; rows++) {
                r->seq = sqlite3_column_int64(page, 0);
                r->created = sqlite3_column_int64(page, 1);
                msec last_event = sqlite3_column_int64(page, 2);
                if (last_event > 0 && last_event < before) /* 0: the stream has no clock yet */
                        list[(*count)++] = (struct expired){r->seq, sqlite3_column_int64(page, 3),
                                                            sqlite3_column_int(page, 4)};
        }
        return more < 0 ? -1 : rows;
}

static int next_tenant(struct retention *r, struct err *e)
{
        AUTO_RESET *next = database_query(r->db, "SELECT min(tenant) FROM counts WHERE tenant > ?1",
                                          DB_VALUES(value_int(r->tenant)), e);
        if (db_step(next, e) != 1)
                return -1;
        r->tenant = sqlite3_column_int64(next, 0); /* 0 (from NULL): the walk is over */
        return 0;
}

static int prune_rest(struct retention *r, msec now, struct err *e)
{
        if (database_run(r->db, "DELETE FROM minutes WHERE minute < ?1",
                         DB_VALUES(value_int((now - TALLY_KEPT) / MSEC_MINUTE)), e) != 0 ||
            database_run(r->db, "DELETE FROM type_minutes WHERE minute < ?1",
                         DB_VALUES(value_int((now - TALLY_TYPES_KEPT) / MSEC_MINUTE)), e) != 0 ||
            database_run(r->db, "DELETE FROM workers WHERE at < ?1",
                         DB_VALUES(value_int(now - MSEC_HOUR)), e) != 0)
                return -1;
        if (r->pruned_at != 0 && now - r->pruned_at < PRUNE_NAMES_EVERY)
                return 0;
        r->pruned_at = now;
        if (database_run(r->db, "DELETE FROM counts WHERE n = 0", NULL, e) != 0 ||
            database_run(r->db,
                         "DELETE FROM names WHERE ref NOT IN (SELECT tenant FROM counts UNION"
                         " SELECT type FROM counts UNION SELECT tenant FROM counters UNION"
                         " SELECT tenant FROM minutes UNION SELECT tenant FROM type_minutes UNION"
                         " SELECT type FROM type_minutes)",
                         NULL, e) != 0)
                return -1;
        names_forget(store_names(r->store));
        return 0;
}

int retention_step(struct retention *r, msec now, struct err *e)
{
        if (r->tenant == 0) {
                if (prune_rest(r, now, e) != 0 || next_tenant(r, e) != 0)
                        return -1;
                r->walk = 0;
                r->created = r->seq = 0;
                return r->tenant != 0;
        }
        bool short_kept =
                walked[r->walk] == STATUS_COMPLETED || walked[r->walk] == STATUS_CANCELLED;
        msec keep = short_kept ? r->settings.keep_ended : r->settings.keep_dead;
        struct expired list[STEP_ROWS];
        int count = 0;
        int rows = read_page(r, now - keep, list, &count, e);
        if (rows < 0 || delete_all(r, list, count, e) != 0)
                return -1;
        if (rows == STEP_ROWS)
                return 1;
        r->created = r->seq = 0;
        if (++r->walk < WALKED_COUNT)
                return 1;
        r->walk = 0;
        if (next_tenant(r, e) != 0)
                return -1;
        return r->tenant != 0;
}
