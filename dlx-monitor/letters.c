/* SPDX-License-Identifier: Apache-2.0
 *
 * letters.c: lists, groups and single letters from the archive.
 */
#include "dlx-monitor/letters.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/properties.h"
#include "common/base/json_scan.h"
#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/columns.h"
#include "common/model/event.h"
#include "dlx-monitor/letter_search.h"
#include "dlx-monitor/letter_text.h"

/* A search through payloads that takes longer is given up. */
#define SEARCH_LIMIT ((msec)5000)
enum { STEPS_BETWEEN_LOOKS = 20000, FILTERS_MAX = 9, VALUES_MAX = FILTERS_MAX + 1 };

/* Each column has the name of its member. One whose name ends in _at is a time. */
#define LETTER_COLUMNS \
        "l.id AS id, l.job_id AS job_id, l.claimed_id AS claimed_id, l.tenant AS tenant," \
        " l.type AS type, l.reason AS reason, l.error AS error, l.error_kind AS error_kind," \
        " l.run AS run, l.attempt AS attempt, l.source AS source, l.state AS state," \
        " l.grp AS \"group\", l.dead_at AS dead_at, l.size AS size"
enum { LETTER_COLUMN_COUNT = 15, LETTER_ERROR = 6 };

static void add_column(struct buffer *out, sqlite3_stmt *s, int at)
{
        const char *name = sqlite3_column_name(s, at);
        size_t length = strlen(name);
        bool is_time = length > 3 && strcmp(name + length - 3, "_at") == 0;

        if (sqlite3_column_type(s, at) != SQLITE_INTEGER)
                json_put_text_or_null(out, name, db_bytes(s, at));
        else if (is_time)
                json_put_time(out, name, sqlite3_column_int64(s, at));
        else
                json_put_int(out, name, sqlite3_column_int64(s, at));
}

/* The reason stands before the error. */
static bool quotes_payload(sqlite3_stmt *s, int at)
{
        return at > 0 && strcmp(sqlite3_column_name(s, at), "error") == 0 &&
               letter_error_quotes(db_bytes(s, at - 1), db_bytes(s, at));
}

/* masks: for somebody who does not see payloads whole. Returns how many values were masked. */
static size_t add_columns(struct buffer *out, sqlite3_stmt *s, int count, bool masks)
{
        size_t masked = 0;

        for (int i = 0; i < count; i++) {
                if (masks && quotes_payload(s, i)) {
                        json_put_null(out, "error");
                        masked++;
                } else {
                        add_column(out, s, i);
                }
        }
        return masked;
}

/* A WHERE clause made of fixed pieces, and the values to bind. */
struct selection {
        struct buffer sql;
        struct db_value values[VALUES_MAX + 1];
        int count;
};

static void begin_condition(struct selection *s)
{
        buffer_add_text(&s->sql, s->count == 0 ? " WHERE " : " AND ");
}

static void select_by(struct selection *s, const char *condition, const char *value)
{
        if (value == NULL)
                return;
        begin_condition(s);
        s->values[s->count++] = value_text(value);
        buffer_printf(&s->sql, condition, s->count);
}

static void select_text(struct selection *s, const char *text, const char *words)
{
        if (text == NULL)
                return;
        begin_condition(s);
        s->values[s->count++] = value_text(text);
        s->values[s->count++] = value_text(words);
        buffer_printf(&s->sql,
                      "(instr(l.error, ?%1$d) AND (?%2$d IS NULL OR NOT quotes(l.reason, l.error))"
                      " OR EXISTS (SELECT 1 FROM contents AS c WHERE"
                      " c.seq = l.seq AND holds(c.body, ?%1$d, ?%2$d)))",
                      s->count - 1, s->count);
}

static void select_letters(struct selection *s, const struct letter_filter *f)
{
        select_by(s, "l.tenant = ?%d", f->tenant);
        select_by(s, "l.job_id = ?%d", f->job);
        select_by(s, "l.type = ?%d", f->type);
        select_by(s, "l.reason = ?%d", f->reason);
        select_by(s, "l.state = ?%d", f->state);
        select_by(s, "l.grp = ?%d", f->group);
        select_by(s, "l.id < ?%d", f->cursor);
        select_text(s, f->q, f->mask);
}

static int is_late(void *deadline)
{
        return clock_mono() > *(msec *)deadline;
}

/* Starts a search, which is interrupted SEARCH_LIMIT from now. *deadline must outlive the search.
 * Frees the selection's text. */
static sqlite3_stmt *begin_search(const struct archive *a, struct selection *selection,
                                  msec *deadline, struct err *e)
{
        sqlite3_stmt *s = archive_query(a, selection->sql.data, selection->values, e);

        buffer_fini(&selection->sql);
        if (s == NULL)
                return NULL;
        *deadline = clock_mono() + SEARCH_LIMIT;
        sqlite3_progress_handler(sqlite3_db_handle(s), STEPS_BETWEEN_LOOKS, is_late, deadline);
        return s;
}

static void add_letter(struct buffer *out, sqlite3_stmt *s, bool masks)
{
        json_begin_object(out, NULL);
        (void)add_columns(out, s, LETTER_COLUMN_COUNT, masks);
        json_end(out);
}

/* The columns of a letter, then its body. */
static bool is_found(struct letter_search *search, sqlite3_stmt *s, bool masks)
{
        struct bytes error = {0};
        char id[UUID_SIZE];

        db_text(s, 0, id, sizeof(id));
        if (!masks || !quotes_payload(s, LETTER_ERROR))
                error = db_bytes(s, LETTER_ERROR);
        return letter_search_look(search, id, error, db_bytes(s, LETTER_COLUMN_COUNT));
}

/* Letter by letter, so that it is known how far it came. */
static int search_list(const struct archive *a, const struct letter_filter *f, struct buffer *out,
                       struct err *e)
{
        struct letter_search search = letter_search_begin(f->q, f->mask, f->limit);
        struct letter_filter rest = *f;
        struct selection selection = {.sql = {0}};
        msec deadline;
        int more;

        rest.q = NULL;
        buffer_add_text(&selection.sql, "SELECT " LETTER_COLUMNS ", c.body FROM letters AS l"
                                        " LEFT JOIN contents AS c ON c.seq = l.seq");
        select_letters(&selection, &rest);
        buffer_add_text(&selection.sql, " ORDER BY l.id DESC");
        AUTO_QUERY *s = begin_search(a, &selection, &deadline, e);
        if (s == NULL)
                return -1;
        json_begin(out);
        json_begin_array(out, "letters");
        while ((more = db_step(s, e)) == 1 && !letter_search_is_over(&search)) {
                if (is_found(&search, s, f->mask != NULL))
                        add_letter(out, s, f->mask != NULL);
        }
        json_end_array(out);
        letter_search_write(&search, more == 0, out);
        json_end(out);
        return more < 0 ? -1 : 0;
}

int letters_list(const struct archive *a, const struct letter_filter *f, struct buffer *out,
                 struct err *e)
{
        struct selection selection = {.sql = {0}};
        msec deadline;
        char last[UUID_SIZE] = "";
        int64_t count = 0;
        int found;

        if (f->q != NULL)
                return search_list(a, f, out, e);
        buffer_add_text(&selection.sql, "SELECT " LETTER_COLUMNS " FROM letters AS l");
        select_letters(&selection, f);
        /* One more than asked for tells whether there is another page. */
        buffer_printf(&selection.sql, " ORDER BY l.id DESC LIMIT %lld", (long long)f->limit + 1);
        AUTO_QUERY *s = begin_search(a, &selection, &deadline, e);
        if (s == NULL)
                return -1;
        json_begin(out);
        json_begin_array(out, "letters");
        while ((found = db_step(s, e)) == 1 && count++ < f->limit) {
                add_letter(out, s, f->mask != NULL);
                db_text(s, 0, last, sizeof(last));
        }
        json_end_array(out);
        json_put_string(out, "next_cursor", found == 1 ? last : NULL);
        json_end(out);
        return found < 0 ? -1 : 0;
}

int letters_groups(const struct archive *a, const struct letter_filter *f, struct buffer *out,
                   struct err *e)
{
        struct selection selection = {.sql = {0}};
        msec deadline;
        int found;

        buffer_add_text(&selection.sql,
                        "SELECT g.grp AS \"group\", n.type AS type, n.reason AS reason,"
                        " n.error AS error, g.count AS count, g.first_at AS first_at,"
                        " g.last_at AS last_at, n.id AS newest FROM (SELECT grp, count(*) AS "
                        "count, min(dead_at) AS first_at,"
                        " max(dead_at) AS last_at, max(id) AS newest FROM letters AS l");
        select_letters(&selection, f);
        buffer_printf(&selection.sql,
                      " GROUP BY grp ORDER BY count DESC, grp LIMIT %lld) AS g"
                      " JOIN letters AS n ON n.id = g.newest ORDER BY g.count DESC, g.grp",
                      (long long)f->limit);
        AUTO_QUERY *s = begin_search(a, &selection, &deadline, e);
        if (s == NULL)
                return -1;
        json_begin(out);
        json_begin_array(out, "groups");
        while ((found = db_step(s, e)) == 1) {
                json_begin_object(out, NULL);
                (void)add_columns(out, s, sqlite3_column_count(s), f->mask != NULL);
                json_end(out);
        }
        json_end_array(out);
        json_end(out);
        return found;
}

/* Returns how many values were masked. */
static size_t add_masked(struct buffer *out, const char *name, struct bytes json,
                         const struct mask_words *mask)
{
        AUTO_BUFFER masked = {0};
        size_t count = json_mask(json, mask, &masked);

        json_put_raw(out, name, buffer_bytes(&masked));
        return count;
}

/* {"properties": …, "headers": …}, or why they cannot be shown. Returns how many values were
 * masked. */
static size_t add_properties(struct buffer *out, struct bytes wire, const struct mask_words *mask)
{
        size_t masked = 0;
        struct err e = {0};
        json_t *shown = properties_to_json(wire, &e);
        const char *name = NULL;
        json_t *value = NULL;

        json_object_foreach(shown, name, value)
        {
                AUTO_FREE char *text = json_dumps(value, JSON_COMPACT);
                masked += add_masked(out, name, bytes_of_text(text), mask);
        }
        if (shown == NULL) {
                json_put_null(out, "properties");
                json_put_null(out, "headers");
                json_put_string(out, "fault", e.text);
        }
        json_decref(shown);
        return masked;
}

static void add_replay(struct buffer *out, sqlite3_stmt *s, int column)
{
        bool replaying = sqlite3_column_int(s, column) != 0;

        if (!replaying && sqlite3_column_type(s, column + 2) == SQLITE_NULL) {
                json_put_null(out, "replay");
                return;
        }
        json_begin_object(out, "replay");
        json_put_int(out, "run", sqlite3_column_int64(s, column + 1));
        json_put_string(out, "state", replaying ? "replaying" : "replayed");
        json_put_time(out, "at", sqlite3_column_int64(s, column + 2));
        json_end(out);
}

/* Checks whether the payload is JSON: maybe nobody has, and it is only one letter. What is no JSON
 * has no members to mask: it may show what they would hide. Returns how many values were masked. */
static size_t add_payload(struct buffer *out, struct bytes body, const struct mask_words *mask)
{
        struct scan_fault fault;
        bool is_json = scan_check(body, SCAN_DEPTH_MAX, &fault) == 0;

        if (is_json)
                return add_masked(out, "payload", body, mask);
        if (mask->count == 0)
                json_put_payload(out, body, false);
        else
                json_put_null(out, "payload");
        return mask->count > 0;
}

#define ONE_LETTER \
        " FROM letters AS l JOIN contents AS c ON c.seq = l.seq" \
        " WHERE l.id = ?1 AND (?2 IS NULL OR l.tenant = ?2)"

/* The statement at the row of one letter; sql ends with ONE_LETTER. */
static sqlite3_stmt *find_letter(const struct archive *a, const char *sql, const char *id,
                                 const char *tenant, struct err *e)
{
        AUTO_QUERY *s = archive_query(a, sql, DB_VALUES(value_text(id), value_text(tenant)), e);
        int found = db_step(s, e);
        if (found == 0)
                err_set(e, ERR_NOT_FOUND, "no such dead letter");
        return found == 1 ? TAKE(s) : NULL;
}

int letters_get(const struct archive *a, const struct letter_asked *asked, struct buffer *out,
                struct err *e)
{
        static const struct mask_words none;
        const struct mask_words *mask = asked->mask != NULL ? asked->mask : &none;
        AUTO_QUERY *s =
                find_letter(a,
                            "SELECT " LETTER_COLUMNS ", l.exchange, l.routing_key, l.replaying,"
                            " l.replay_run, l.replayed_at, c.properties, c.body" ONE_LETTER,
                            asked->id, asked->tenant, e);
        int next = LETTER_COLUMN_COUNT;

        if (s == NULL)
                return -1;
        json_begin(out);
        size_t masked = add_columns(out, s, LETTER_COLUMN_COUNT, mask->count > 0);
        json_put_text(out, "exchange", db_bytes(s, next++));
        json_put_text(out, "routing_key", db_bytes(s, next++));
        add_replay(out, s, next);
        next += 3;
        masked += add_properties(out, db_bytes(s, next++), mask);
        masked += add_payload(out, db_bytes(s, next++), mask);
        if (masked > 0)
                json_put_int(out, "masked", (int64_t)masked);
        json_end(out);
        return 0;
}

/* Only selected from: the declarations are empty. */
#define CONTENT_COLUMNS(X) \
        X(l.job_id, "", COLUMN_TEXT, job_id) \
        X(l.tenant, "", COLUMN_TEXT, tenant) \
        X(l.run, "", COLUMN_INT, run) \
        X(l.replaying, "", COLUMN_FLAG, replaying) \
        X(l.replay_run, "", COLUMN_INT, replay_run) \
        X(l.replay_copy, "", COLUMN_INT, replay_copy) \
        X(l.replay_type, "", COLUMN_TEXT, edit.type) \
        X(coalesce(l.replay_priority, -1), "", COLUMN_ENUM, edit.priority) \
        X(l.replay_run_at IS NOT NULL, "", COLUMN_FLAG, edit.sets_run_at) \
        X(l.replay_run_at, "", COLUMN_INT, edit.run_at) \
        X(l.dead_at, "", COLUMN_INT, dead_at) \
        X(l.exchange, "", COLUMN_BUFFER, exchange) \
        X(l.routing_key, "", COLUMN_BUFFER, routing_key) \
        X(c.properties, "", COLUMN_BUFFER, properties) \
        X(c.body, "", COLUMN_BUFFER, body) \
        X(c.edited, "", COLUMN_BUFFER, edited)
#define CONTENT(column, declaration, kind, member) COLUMN_OF(struct letter_content, kind, member)
static const struct column content_columns[] = {CONTENT_COLUMNS(CONTENT)};

int letters_content(const struct archive *a, const char *id, const char *tenant,
                    struct letter_content *out, struct err *e)
{
        AUTO_QUERY *s = find_letter(a, "SELECT l.seq" CONTENT_COLUMNS(COLUMN_NAMED) ONE_LETTER, id,
                                    tenant, e);

        if (s == NULL)
                return -1;
        columns_read(s, 1, content_columns, sizeof(content_columns) / sizeof(content_columns[0]),
                     out);
        return 0;
}

void letter_content_fini(struct letter_content *c)
{
        buffer_fini(&c->exchange);
        buffer_fini(&c->routing_key);
        buffer_fini(&c->properties);
        buffer_fini(&c->body);
        buffer_fini(&c->edited);
}

int letters_greatest_run(const struct archive *a, const struct letter_content *c, int64_t *run,
                         struct err *e)
{
        AUTO_QUERY *s = archive_query(
                a,
                "SELECT max(max(run), max(coalesce(replay_run, 0))) FROM letters"
                " WHERE job_id = ?1 AND tenant = ?2",
                DB_VALUES(value_text(c->job_id), value_string(bytes_of_text(c->tenant))), e);
        if (db_step(s, e) != 1)
                return -1;
        *run = sqlite3_column_int64(s, 0);
        return 0;
}

int letters_replaying(const struct archive *a, char (*ids)[UUID_SIZE], size_t limit,
                      const char *after, size_t *count, struct err *e)
{
        AUTO_QUERY *s =
                archive_query(a,
                              "SELECT id FROM letters WHERE replaying = 1 AND id > ifnull(?1, '')"
                              " ORDER BY id LIMIT ?2",
                              DB_VALUES(value_text(after), value_int((int64_t)limit)), e);
        int found;

        *count = 0;
        while ((found = db_step(s, e)) == 1)
                db_text(s, 0, ids[(*count)++], UUID_SIZE);
        return found;
}

static void add_buried_line(sqlite3_stmt *s, struct buffer *lines)
{
        struct event event = {.kind = EVENT_DEAD};

        event.burial = db_bytes(s, 0);
        db_text(s, 1, event.id, sizeof(event.id));
        db_text(s, 2, event.tenant, sizeof(event.tenant));
        event.run = sqlite3_column_int64(s, 3);
        event.attempt = sqlite3_column_int64(s, 4);
        event.at = sqlite3_column_int64(s, 5);
        reason_parse(db_bytes(s, 6), &event.reason);
        event_write(&event, lines);
}

int letters_silent(const struct archive *a, size_t limit, char (*ids)[UUID_SIZE], size_t *count,
                   struct buffer *lines, struct err *e)
{
        AUTO_QUERY *s = archive_query(a,
                                      "SELECT id, job_id, tenant, run, attempt, dead_at, reason"
                                      " FROM letters WHERE announced = 0 ORDER BY id LIMIT ?",
                                      DB_VALUES(value_int((int64_t)limit)), e);
        int found;

        *count = 0;
        while ((found = db_step(s, e)) == 1) {
                db_text(s, 0, ids[(*count)++], UUID_SIZE);
                add_buried_line(s, lines);
        }
        return found;
}

int letters_dead_by_group(const struct archive *a,
                          void (*each)(void *owner, const char *group, int64_t count), void *owner,
                          struct err *e)
{
        AUTO_QUERY *s = archive_query(a,
                                      "SELECT grp, count(*) AS n FROM letters"
                                      " WHERE state = 'dead' GROUP BY grp ORDER BY n DESC",
                                      NULL, e);
        char group[LETTER_GROUP_SIZE];
        int found;

        while ((found = db_step(s, e)) == 1) {
                db_text(s, 0, group, sizeof(group));
                each(owner, group, sqlite3_column_int64(s, 1));
        }
        return found;
}
