/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_operations.c: table operations of registry.db.
 */
#include "status-store/acts/registry_operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "status-store/registry/registry_rows.h"

#define OPERATION_KEEP ((msec)30 * MSEC_DAY)
enum { FORGOTTEN_AT_ONCE = 500 };

#define COLUMNS \
        "id, tenant, kind, filter, state, seq_max, before, cursor, copy, bulk, expected, more," \
        " done, skipped, failed, looked, error, by, at, started, ended"

void operation_fini(struct operation *o)
{
        free(o->filter);
        o->filter = NULL;
}

static int read_row(sqlite3_stmt *s, struct operation *out, struct err *e)
{
        struct bytes id = db_bytes(s, 0);
        struct bytes filter = db_bytes(s, 3);
        int kind = sqlite3_column_int(s, 2);
        int state = sqlite3_column_int(s, 4);
        if (id.length != UUID_BYTES || kind < 0 || kind >= OPERATION_KINDS || state < 0 ||
            state >= OPERATION_STATES)
                return err_set(e, ERR_CORRUPT, "an operation in the registry cannot be read");
        *out = (struct operation){.kind = (enum operation_kind)kind,
                                  .filter = xmemdup0(filter.data, filter.length),
                                  .state = (enum operation_state)state,
                                  .seq_max = sqlite3_column_int64(s, 5),
                                  .before = sqlite3_column_int64(s, 6),
                                  .copy = sqlite3_column_int64(s, 8),
                                  .bulk = (enum operation_bulk)sqlite3_column_int(s, 9),
                                  .expected = sqlite3_column_int64(s, 10),
                                  .more = sqlite3_column_int(s, 11) != 0,
                                  .done = sqlite3_column_int64(s, 12),
                                  .skipped = sqlite3_column_int64(s, 13),
                                  .failed = sqlite3_column_int64(s, 14),
                                  .looked = sqlite3_column_int64(s, 15),
                                  .at = sqlite3_column_int64(s, 18),
                                  .started = sqlite3_column_int64(s, 19),
                                  .ended = sqlite3_column_int64(s, 20)};
        uuid_unpack((const unsigned char *)id.data, out->id);
        db_text(s, 1, out->tenant, sizeof(out->tenant));
        db_text(s, 7, out->cursor, sizeof(out->cursor));
        db_text(s, 16, out->error, sizeof(out->error));
        db_text(s, 17, out->by, sizeof(out->by));
        return 0;
}

/* Most operations in a state. */
struct room {
        enum operation_state state;
        int64_t all, of_tenant;
};
static const struct room previews = {OPERATION_PREVIEWED, OPERATIONS_PREVIEWED_MAX,
                                     OPERATIONS_PREVIEWED_TENANT_MAX};
static const struct room running = {OPERATION_RUNNING, OPERATIONS_RUNNING_MAX,
                                    OPERATIONS_RUNNING_TENANT_MAX};

/* 1: there is room for one of the tenant; 0; -1. */
static int has_room(struct database *db, const struct room *room, const char *tenant, struct err *e)
{
        bool of_all = strcmp(tenant, "*") == 0;
        AUTO_RESET *count =
                database_query(db,
                               "SELECT count(*), ifnull(sum(tenant = ?2), 0)"
                               " FROM operations WHERE state = ?1",
                               DB_VALUES(value_int(room->state), value_text(tenant)), e);
        if (db_step(count, e) != 1)
                return -1;
        int64_t all = sqlite3_column_int64(count, 0);
        int64_t own = sqlite3_column_int64(count, 1);
        if (of_all)
                return all < room->all;
        return own < room->of_tenant && all < share_of_tenants(room->all);
}

static int add(struct database *db, void *owner, struct err *e)
{
        const struct operation *o = owner;
        const struct uuid id = uuid_of(o->id);
        if (database_run(db, "DELETE FROM operations WHERE state = ?1 AND at <= ?2",
                         DB_VALUES(value_int(OPERATION_PREVIEWED), value_int(o->at - PREVIEW_KEEP)),
                         e) != 0)
                return -1;
        int room = has_room(db, &previews, o->tenant, e);
        if (room != 1)
                return room < 0 ? -1 : err_set(e, ERR_FULL, "too many previews at once");
        return database_run(
                db,
                "INSERT INTO operations(" COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, 0,"
                " ?8, ?9, ?10, 0, 0, 0, ?11, NULL, ?12, ?13, 0, 0)",
                DB_VALUES(value_id(&id), value_text(o->tenant), value_int(o->kind),
                          value_string(bytes_of_text(o->filter)), value_int(OPERATION_PREVIEWED),
                          value_int(o->seq_max), value_int(o->before), value_int(o->bulk),
                          value_int(o->expected), value_int(o->more), value_int(0),
                          value_text(o->by), value_int(o->at)),
                e);
}

int registry_add_operation(struct registry *r, const struct operation *o, struct err *e)
{
        struct operation copy = *o;
        return registry_write(r, add, &copy, e);
}

int registry_operation(struct registry *r, const char *tenant, const char *id,
                       struct operation *out, struct err *e)
{
        const struct uuid raw = uuid_of(id);
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *find = reader_query(reader,
                                        "SELECT " COLUMNS " FROM operations WHERE id = ?1"
                                        " AND (?2 = '*' OR tenant = ?2)",
                                        DB_VALUES(value_id(&raw), value_text(tenant)), e);
        int found = db_step(find, e);
        return found == 1 && read_row(find, out, e) != 0 ? -1 : found;
}

/* What decides whether a row may change. */
struct state_row {
        char tenant[TENANT_SIZE];
        enum operation_state state;
        enum operation_bulk bulk;
};

/* 1: found; 0; -1. */
static int find_state(struct database *db, const char *tenant, const struct uuid *id,
                      struct state_row *out, struct err *e)
{
        AUTO_RESET *find = database_query(db,
                                          "SELECT tenant, state, bulk FROM operations"
                                          " WHERE id = ?1 AND (?2 = '*' OR tenant = ?2)",
                                          DB_VALUES(value_id(id), value_text(tenant)), e);
        int found = db_step(find, e);
        *out = (struct state_row){.state = OPERATION_PREVIEWED};
        if (found == 1) {
                db_text(find, 0, out->tenant, sizeof(out->tenant));
                out->state = (enum operation_state)sqlite3_column_int(find, 1);
                out->bulk = (enum operation_bulk)sqlite3_column_int(find, 2);
        }
        return found;
}

struct start {
        const struct operation *operation;
        msec now;
        enum operation_start outcome;
};

static int start(struct database *db, void *owner, struct err *e)
{
        struct start *s = owner;
        const struct operation *o = s->operation;
        const struct uuid id = uuid_of(o->id);
        struct state_row row;
        int found = find_state(db, o->tenant, &id, &row, e);
        s->outcome = found == 1 ? START_EARLIER : START_UNKNOWN;
        if (found != 1 || row.state != OPERATION_PREVIEWED)
                return found < 0 ? -1 : 0;
        int room = has_room(db, &running, row.tenant, e);
        s->outcome = START_FULL;
        if (room != 1)
                return room;
        int changed = rows_change(db,
                                  "UPDATE operations SET state = ?2, started = ?3, copy = ?4"
                                  " WHERE id = ?1 AND at > ?5",
                                  DB_VALUES(value_id(&id), value_int(OPERATION_RUNNING),
                                            value_int(s->now), value_int(o->copy),
                                            value_int(s->now - PREVIEW_KEEP)),
                                  e);
        s->outcome = changed == 1 ? START_DONE : START_UNKNOWN;
        return changed < 0 ? -1 : 0;
}

int registry_start_operation(struct registry *r, const struct operation *o, msec now,
                             enum operation_start *out, struct err *e)
{
        struct start s = {.operation = o, .now = now};
        int done = registry_write(r, start, &s, e);
        *out = s.outcome;
        return done;
}

struct stop {
        const char *tenant, *id;
        msec now;
        enum operation_abort outcome;
};

static int stop(struct database *db, void *owner, struct err *e)
{
        struct stop *s = owner;
        const struct uuid id = uuid_of(s->id);
        struct state_row row;
        int found = find_state(db, s->tenant, &id, &row, e);
        s->outcome = ABORT_UNKNOWN;
        if (found != 1 || row.state == OPERATION_PREVIEWED)
                return found < 0 ? -1 : 0;
        s->outcome = row.state != OPERATION_RUNNING ? ABORT_ENDED : ABORT_MARKED;
        if (row.state != OPERATION_RUNNING || row.bulk > BULK_WANTED)
                return 0;
        s->outcome = ABORT_DONE;
        return database_run(
                db, "UPDATE operations SET state = ?2, ended = ?3 WHERE id = ?1",
                DB_VALUES(value_id(&id), value_int(OPERATION_ABORTED), value_int(s->now)), e);
}

int registry_abort_operation(struct registry *r, const char *tenant, const char *id, msec now,
                             enum operation_abort *out, struct err *e)
{
        struct stop s = {.tenant = tenant, .id = id, .now = now};
        int done = registry_write(r, stop, &s, e);
        *out = s.outcome;
        return done;
}

static int ended_meanwhile(struct err *e)
{
        return err_set(e, ERR_CONFLICT, "the operation does not run any more");
}

int registry_note_bulk(struct registry *r, const char *id, enum operation_bulk bulk, struct err *e)
{
        const struct uuid raw = uuid_of(id);
        int changed = registry_rows_change(
                r, "UPDATE operations SET bulk = ?2 WHERE id = ?1 AND state = ?3",
                DB_VALUES(value_id(&raw), value_int(bulk), value_int(OPERATION_RUNNING)), e);
        return changed == 0 ? ended_meanwhile(e) : changed < 0 ? -1 : 0;
}

int operation_note_step(struct database *db, void *owner, struct err *e)
{
        const struct operation_step *s = owner;
        const struct uuid id = uuid_of(s->id);
        int changed = rows_change(
                db,
                "UPDATE operations SET cursor = ?2, done = done + ?3, skipped = skipped + ?4,"
                " failed = failed + ?5, looked = looked + ?6, error = ifnull(error, ?7)"
                " WHERE id = ?1 AND state = ?8",
                DB_VALUES(value_id(&id), value_text(s->cursor), value_int(s->done),
                          value_int(s->skipped), value_int(s->failed), value_int(s->looked),
                          value_text(s->error), value_int(OPERATION_RUNNING)),
                e);
        return changed == 0 ? ended_meanwhile(e) : changed < 0 ? -1 : 0;
}

int registry_note_step(struct registry *r, struct operation_step *step, struct err *e)
{
        return registry_write(r, operation_note_step, step, e);
}

int registry_end_operation(struct registry *r, const char *id, enum operation_state state,
                           const char *error, struct err *e)
{
        const struct uuid raw = uuid_of(id);
        int changed = registry_rows_change(
                r,
                "UPDATE operations SET state = ?2, ended = ?3, error = ifnull(error, ?4),"
                " skipped = max(skipped, CASE WHEN ?2 = ?5 THEN expected - done - failed"
                "  ELSE 0 END)"
                " WHERE id = ?1 AND state = ?6",
                DB_VALUES(value_id(&raw), value_int(state), value_int(clock_wall()),
                          value_text(error), value_int(OPERATION_DONE),
                          value_int(OPERATION_RUNNING)),
                e);
        return changed < 0 ? -1 : 0;
}

int registry_has_acts_by(struct registry *r, const char *by, struct err *e)
{
        return registry_rows_exist(r, "SELECT 1 FROM acts WHERE by = ?1 LIMIT 1",
                                   DB_VALUES(value_text(by)), e);
}

int registry_operations(struct registry *r, const struct operations_asked *asked,
                        struct operation *out, struct err *e)
{
        const struct uuid older = uuid_of(asked->older_than != NULL ? asked->older_than : "");
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *rows = reader_query(
                reader,
                "SELECT " COLUMNS " FROM operations WHERE (?1 = '*' OR tenant = ?1)"
                " AND (?2 >> state & 1) AND (?3 = 0 OR id < ?4) ORDER BY id DESC LIMIT ?5",
                DB_VALUES(value_text(asked->tenant), value_int(asked->states),
                          value_int(asked->older_than != NULL), value_id(&older),
                          value_int((int64_t)asked->limit)),
                e);
        int count = 0;
        int more = 0;
        while ((more = db_step(rows, e)) == 1) {
                more = read_row(rows, &out[count], e);
                if (more != 0)
                        break;
                count++;
        }
        if (more == 0)
                return count;
        for (int i = 0; i < count; i++)
                operation_fini(&out[i]);
        return -1;
}

int registry_count_operations(struct registry *r, int64_t counts[OPERATION_STATES], struct err *e)
{
        memset(counts, 0, OPERATION_STATES * sizeof(*counts));
        AUTO_READER *reader = registry_read(r, e);
        if (reader == NULL)
                return -1;
        AUTO_RESET *rows = reader_query(
                reader, "SELECT state, count(*) FROM operations GROUP BY state", NULL, e);
        int more = 0;
        while ((more = db_step(rows, e)) == 1) {
                int state = sqlite3_column_int(rows, 0);
                if (state >= 0 && state < OPERATION_STATES)
                        counts[state] = sqlite3_column_int64(rows, 1);
        }
        return more;
}

int registry_forget_operations(struct registry *r, msec now, struct err *e)
{
        int gone = registry_rows_change(
                r,
                "DELETE FROM operations WHERE id IN (SELECT id FROM operations"
                " WHERE (state = ?1 AND at <= ?2) OR (state > ?3 AND ended < ?4) LIMIT ?5)",
                DB_VALUES(value_int(OPERATION_PREVIEWED), value_int(now - PREVIEW_KEEP),
                          value_int(OPERATION_RUNNING), value_int(now - OPERATION_KEEP),
                          value_int(FORGOTTEN_AT_ONCE)),
                e);
        return gone < 0 ? -1 : 0;
}
