/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_audit.c: rows of the tables audit and audit_ends.
 */
#include "status-store/registry/registry_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/registry/registry_rows.h"

enum { DELETED_AT_ONCE = 500 };

/* An act may come so much later than it was done: the stream keeps it for 7 days, and clocks of
 * gateways differ. */
#define LATEST ((msec)8 * MSEC_DAY)

struct act_line {
        char event[16];
        char id[UUID_SIZE];
        int64_t at, status;
        struct audit_row row; /* only its texts and detail */
};

/* Cuts what is longer than a gateway writes it: no act is lost for that. */
static int read_text(struct json_reader *r, const struct json_place *p, void *out)
{
        size_t size = p->member->size;
        AUTO_BUFFER text = {0};

        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        scan_string(p->value, &text);
        snprintf(out, size, "%s", text.data != NULL ? text.data : "");
        return 0;
}

/* clang-format off */
#define TEXT(name, field) \
        {name, read_text, JSON_AT(struct act_line, row.field), .flags = JSON_NULLABLE}
static const struct json_member members[] = {
        {"event", json_read_copy, JSON_AT(struct act_line, event), .flags = JSON_REQUIRED},
        {"act", json_read_uuid, JSON_AT(struct act_line, id), .flags = JSON_REQUIRED},
        {"at", json_read_int, JSON_AT(struct act_line, at), .least = 1, .most = INT64_MAX,
         .flags = JSON_REQUIRED},
        {"status", json_read_int, JSON_AT(struct act_line, status), .least = 0, .most = 999},
        TEXT("by", by),
        TEXT("key_tenant", key_tenant),
        TEXT("what", what),
        TEXT("target", target),
        TEXT("tenant", tenant),
        TEXT("origin", origin),
        TEXT("gateway", gateway),
        TEXT("trace", trace),
        TEXT("made", made),
        {"detail", json_read_raw, JSON_AT(struct act_line, row.detail), .flags = JSON_NULLABLE},
        {0},
};
/* clang-format on */

static bool is_end(const struct act_line *a)
{
        return strcmp(a->event, "acted") == 0;
}

static struct db_value value_act(const char *id, unsigned char raw[UUID_BYTES])
{
        (void)uuid_pack(bytes_of_text(id), raw);
        return value_blob(bytes_of(raw, UUID_BYTES));
}

/* As a text; NULL when it is empty. */
static struct db_value value_json(struct bytes json)
{
        return json.length > 0 ? value_string(json) : value_text("");
}

/* The id of an operation that is acted on, as its table has it; NULL: it is none. */
static struct db_value value_operation(const char *target, unsigned char raw[UUID_BYTES])
{
        static const char operation[] = "operation/";
        const size_t length = sizeof(operation) - 1;

        if (strncmp(target, operation, length) != 0 ||
            !uuid_pack(bytes_of_text(target + length), raw))
                return value_text("");
        return value_blob(bytes_of(raw, UUID_BYTES));
}

/* The name that the key has now; the act's line has none, nor the tenant of a key or an operation
 * that is acted on by its id. Only the event of an act that is not there adds a row: an INSERT OR
 * REPLACE would delete the other, without its trigger. */
static int put_act(struct database *db, const struct act_line *a, struct err *e)
{
        const struct audit_row *row = &a->row;
        unsigned char raw[UUID_BYTES], operation[UUID_BYTES];
        const char *by = strncmp(row->by, "key ", 4) == 0 ? row->by + 4 : "";
        const char *key = strncmp(row->target, "key/", 4) == 0 ? row->target + 4 : "";

        return database_run(
                db,
                "INSERT OR IGNORE INTO audit(act, at, by, key_tenant, what, target, tenant,"
                " origin, gateway, trace, detail, key_name) VALUES(?1, ?2, ?3, ?4, ?5, ?6,"
                " coalesce(?7, (SELECT nullif(tenant, '') FROM keys WHERE id = ?13),"
                " (SELECT nullif(tenant, '*') FROM operations WHERE id = ?14)), ?8, ?9, ?10,"
                " ?11, (SELECT name FROM keys WHERE id = ?12))",
                DB_VALUES(value_act(a->id, raw), value_int(a->at),
                          value_string(bytes_of_text(row->by)), value_text(row->key_tenant),
                          value_text(row->what), value_text(row->target), value_text(row->tenant),
                          value_text(row->origin), value_text(row->gateway), value_text(row->trace),
                          value_json(row->detail), value_text(by), value_text(key),
                          value_operation(row->target, operation)),
                e);
}

static int put_end(struct database *db, const struct act_line *a, struct err *e)
{
        unsigned char raw[UUID_BYTES];

        return database_run(db,
                            "INSERT OR IGNORE INTO audit_ends(act, at, status, made, tenant)"
                            " VALUES(?1, ?2, ?3, ?4, ?5)",
                            DB_VALUES(value_act(a->id, raw), value_int(a->at), value_int(a->status),
                                      value_text(a->row.made), value_text(a->row.tenant)),
                            e);
}

/* False: it cannot be read, or says too little. */
static bool read_line(struct bytes line, struct act_line *a)
{
        struct json_reader reader = {.lenient = true};
        struct json_place root;

        if (json_read_open(&reader, line, SCAN_DEPTH_WRAPPED, &root) == 0 &&
            json_read_members(&reader, &root, members, a) == 0 &&
            (is_end(a) || a->row.what[0] != '\0'))
                return true;
        LOG_WARN("the record of an administrative act says too little");
        return false;
}

static int find_owner(const struct job_owners *owners, struct act_line *a, struct err *e)
{
        static const char job[] = "job/";
        const char *target = a->row.target;

        if (a->row.tenant[0] != '\0' || strncmp(target, job, sizeof(job) - 1) != 0)
                return 0;
        return owners->tenant(owners->owner, target + sizeof(job) - 1, a->row.tenant, e);
}

struct act_lines {
        struct act_line *list;
        size_t count;
};

static int read_lines(struct bytes left, const struct job_owners *owners, struct act_lines *out,
                      struct err *e)
{
        while (left.length > 0) {
                const char *end = memchr(left.data, '\n', left.length);
                size_t length = end != NULL ? (size_t)(end - left.data) : left.length;
                struct act_line a = {.event = ""};
                if (read_line(bytes_of(left.data, length), &a)) {
                        if (find_owner(owners, &a, e) != 0)
                                return -1;
                        out->list = xrealloc(out->list, (out->count + 1) * sizeof(*out->list));
                        out->list[out->count++] = a;
                }
                length += end != NULL;
                left = bytes_of(left.data + length, left.length - length);
        }
        return 0;
}

static int put_lines(struct database *db, void *owner, struct err *e)
{
        const struct act_lines *lines = owner;

        for (size_t i = 0; i < lines->count; i++) {
                const struct act_line *a = &lines->list[i];
                if ((is_end(a) ? put_end(db, a, e) : put_act(db, a, e)) != 0)
                        return -1;
        }
        return 0;
}

int registry_audit_add(struct registry *r, struct bytes lines, const struct job_owners *owners,
                       struct err *e)
{
        struct act_lines read = {.list = NULL};
        int result = read_lines(lines, owners, &read, e);

        if (result == 0 && read.count > 0)
                result = registry_write(r, put_lines, &read, e);
        free(read.list);
        return result;
}

static int put_admin_key(struct database *db, void *owner, struct err *e)
{
        struct act_line a = {.at = *(const msec *)owner, .status = 201};
        char key[KEY_ID_SIZE];
        AUTO_RESET *find = database_query(
                db, "SELECT id FROM keys WHERE tenant = '' ORDER BY created_at DESC LIMIT 1", NULL,
                e);
        int found = db_step(find, e);

        if (found != 1)
                return found;
        db_text(find, 0, key, sizeof(key));
        uuid7(a.id);
        snprintf(a.row.by, sizeof(a.row.by), "local");
        snprintf(a.row.what, sizeof(a.row.what), "key.create");
        snprintf(a.row.target, sizeof(a.row.target), "key/%s", key);
        return put_act(db, &a, e) == 0 ? put_end(db, &a, e) : -1;
}

int registry_audit_add_admin_key(struct registry *r, msec now, struct err *e)
{
        return registry_write(r, put_admin_key, &now, e);
}

/* Texts are cut where they are longer than a gateway writes them. */
static void read_row(sqlite3_stmt *s, struct audit_row *row)
{
        struct bytes id = db_bytes(s, 1);

        *row = (struct audit_row){.seq = sqlite3_column_int64(s, 0)};
        if (id.length == UUID_BYTES)
                uuid_unpack((const unsigned char *)id.data, row->id);
        row->at = sqlite3_column_int64(s, 2);
        db_text(s, 3, row->by, sizeof(row->by));
        db_text(s, 4, row->key_name, sizeof(row->key_name));
        db_text(s, 5, row->key_tenant, sizeof(row->key_tenant));
        db_text(s, 6, row->what, sizeof(row->what));
        db_text(s, 7, row->target, sizeof(row->target));
        db_text(s, 8, row->tenant, sizeof(row->tenant));
        db_text(s, 9, row->origin, sizeof(row->origin));
        db_text(s, 10, row->gateway, sizeof(row->gateway));
        db_text(s, 11, row->trace, sizeof(row->trace));
        row->detail = db_bytes(s, 12);
        row->status = sqlite3_column_int64(s, 13);
        row->ended_at = sqlite3_column_int64(s, 14);
        db_text(s, 15, row->made, sizeof(row->made));
}

static void hide_others(const struct audit_filter *f, struct audit_row *row)
{
        if (!f->is_tenants || strcmp(row->key_tenant, f->tenant) == 0)
                return;
        if (row->by[0] != '\0')
                snprintf(row->by, sizeof(row->by), "operator");
        row->key_name[0] = row->key_tenant[0] = row->origin[0] = '\0';
}

static bool is_wanted(const char *want, const char *text)
{
        return want[0] == '\0' || strcmp(want, text) == 0;
}

static bool what_is_wanted(const char *want, const char *what)
{
        size_t length = strlen(want);

        if (length > 0 && want[length - 1] == '*')
                return strncmp(want, what, length - 1) == 0;
        return is_wanted(want, what);
}

static bool row_is_wanted(const struct audit_filter *f, const struct audit_row *row)
{
        return is_wanted(f->tenant, row->tenant) && is_wanted(f->by, row->by) &&
               is_wanted(f->target, row->target) && what_is_wanted(f->what, row->what) &&
               (f->after == 0 || row->at > f->after) && (f->before == 0 || row->at < f->before);
}

#define ACT_COLUMNS \
        "SELECT a.seq, a.act, a.at, a.by, a.key_name, a.key_tenant, a.what, a.target," \
        " ifnull(a.tenant, n.tenant), a.origin, a.gateway, a.trace, a.detail, n.status, n.at, " \
        "n.made"
#define ACTS(condition) \
        ACT_COLUMNS " FROM audit AS a LEFT JOIN audit_ends AS n ON n.act = a.act" \
                    " WHERE " condition "a.seq < ?1"
#define SELECT_ACTS(condition) ACTS(condition) " ORDER BY a.seq DESC"

/* Of some acts only the end tells the tenant. */
static const char acts_of_tenant[] =
        ACTS("a.tenant = ?2 AND ") " UNION ALL " ACT_COLUMNS
                                   " FROM audit_ends AS n JOIN audit AS a ON a.act = n.act"
                                   " WHERE n.tenant = ?2 AND a.tenant IS NULL AND a.seq < ?1"
                                   " ORDER BY 1 DESC";

/* By the index that leaves the fewest; the rest is chosen row by row. A tenant may not ask who of
 * the others acted, so the stored `by` is not looked for. */
static sqlite3_stmt *find_acts(struct database *db, const struct audit_filter *f, int64_t below,
                               struct err *e)
{
        const char *sql = SELECT_ACTS(""), *value = "";

        if (f->target[0] != '\0') {
                sql = SELECT_ACTS("a.target = ?2 AND ");
                value = f->target;
        } else if (f->by[0] != '\0' && !f->is_tenants) {
                sql = SELECT_ACTS("a.by = ?2 AND ");
                value = f->by;
        } else if (f->tenant[0] != '\0') {
                sql = acts_of_tenant;
                value = f->tenant;
        }
        if (value[0] == '\0')
                return database_query(db, sql, DB_VALUES(value_int(below)), e);
        return database_query(db, sql, DB_VALUES(value_int(below), value_text(value)), e);
}

/* Whether this page may not look at one more act. */
static bool is_enough(const struct audit_filter *f, int64_t given, int64_t looked)
{
        return given == f->limit || looked == AUDIT_LOOK_MAX ||
               (f->deadline != 0 && looked > 0 && clock_mono() >= f->deadline);
}

/* No act from before f->before has this number or a greater one. */
static int read_upper_bound(struct database *db, const struct audit_filter *f, int64_t *below,
                            struct err *e)
{
        *below = f->cursor > 0 ? f->cursor : INT64_MAX;
        if (f->before == 0)
                return 0;
        AUTO_RESET *find =
                database_query(db, "SELECT seq FROM audit WHERE at > ?1 ORDER BY at LIMIT 1",
                               DB_VALUES(value_int(f->before + LATEST)), e);
        int found = db_step(find, e);
        if (found == 1 && sqlite3_column_int64(find, 0) < *below)
                *below = sqlite3_column_int64(find, 0);
        return found < 0 ? -1 : 0;
}

int registry_audit_each(struct registry *r, const struct audit_filter *f, audit_row_fn *each,
                        void *owner, int64_t *next, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        int64_t below, given = 0, looked = 0, last = 0;
        struct audit_row row;
        int found;

        *next = 0;
        if (reader == NULL || read_upper_bound(reader_database(reader), f, &below, e) != 0)
                return -1;
        AUTO_RESET *s = find_acts(reader_database(reader), f, below, e);
        while ((found = db_step(s, e)) == 1) {
                if (is_enough(f, given, looked++)) {
                        *next = last;
                        return 0;
                }
                read_row(s, &row);
                last = row.seq;
                if (row.at < f->after - LATEST)
                        return 0;
                hide_others(f, &row);
                if (!row_is_wanted(f, &row))
                        continue;
                each(owner, &row);
                given++;
        }
        return found;
}

/* Rows leave in their order, nearly: so no row has to be counted. */
int registry_audit_count(struct registry *r, int64_t *count, struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);

        if (reader == NULL)
                return -1;
        AUTO_RESET *s = reader_query(reader,
                                     "SELECT ifnull((SELECT max(seq) FROM audit)"
                                     " - (SELECT min(seq) FROM audit) + 1, 0)",
                                     NULL, e);
        if (db_step(s, e) != 1)
                return -1;
        *count = sqlite3_column_int64(s, 0);
        return 0;
}

#define OLDEST "(SELECT act FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)"

static int delete_oldest(struct database *db, void *owner, struct err *e)
{
        const struct db_value *values =
                DB_VALUES(value_int(*(const msec *)owner), value_int(DELETED_AT_ONCE));

        if (database_run(db, "DELETE FROM audit_ends WHERE act IN " OLDEST, values, e) != 0 ||
            database_run(db, "DELETE FROM audit WHERE act IN " OLDEST, values, e) != 0)
                return -1;
        return sqlite3_changes(database_handle(db)) == DELETED_AT_ONCE;
}

/* An act ends within the hour. */
int registry_audit_delete_old(struct registry *r, msec now, struct err *e)
{
        msec before = now - AUDIT_KEEP - MSEC_HOUR;

        return registry_write(r, delete_oldest, &before, e);
}
