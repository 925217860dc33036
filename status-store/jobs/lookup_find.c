/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup_find.c: what a text may name, and the jobs that it does. A digest only says which rows to
 * look at.
 */
#include "status-store/jobs/lookup_find.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/json_write.h"
#include "common/model/job_members.h"
#include "status-store/jobs/job_json.h"
#include "status-store/projection/job_entry.h"

enum { ID_DIGITS = 2 * ID_SIZE, TRACE_DIGITS = 32, TRACE_AT = 3, CLOCK_EVERY = 256 };

/* Reads hexadecimal digits, with the dashes of an id or without any. Returns how many there are; 0:
 * it is something else. */
static size_t read_digits(const char *text, unsigned char out[ID_DIGITS])
{
        bool dashed = strchr(text, '-') != NULL;
        size_t count = 0;
        for (size_t i = 0; text[i] != '\0'; i++) {
                bool dash = dashed && (i == 8 || i == 13 || i == 18 || i == 23);
                int digit = hex_value((char)tolower((unsigned char)text[i]));
                if (dash ? text[i] != '-' : (digit < 0 || count == ID_DIGITS))
                        return 0;
                if (!dash)
                        out[count++] = (unsigned char)digit;
        }
        return count;
}

static void set_range(struct find_text *t, const unsigned char *digits, size_t count)
{
        for (size_t i = 0; i < ID_DIGITS; i++) {
                unsigned shift = i % 2 == 0 ? 4 : 0;
                unsigned low = i < count ? digits[i] : 0;
                unsigned high = i < count ? digits[i] : 15;
                t->low[i / 2] = (unsigned char)(t->low[i / 2] | low << shift);
                t->high[i / 2] = (unsigned char)(t->high[i / 2] | high << shift);
        }
}

static void set_trace(struct find_text *t, const char *digits)
{
        (void)snprintf(t->traceparent, sizeof(t->traceparent), "00-%.32s-0000000000000000-00",
                       digits);
        for (char *c = t->traceparent; *c != '\0'; c++)
                *c = (char)tolower((unsigned char)*c);
        t->is_trace = true;
}

bool find_text_read(const char *text, struct find_text *out)
{
        unsigned char digits[ID_DIGITS];
        size_t length = strlen(text);
        *out = (struct find_text){.text = text};
        if (length == 0 || length > FIND_TEXT_MAX)
                return false;
        size_t count = read_digits(text, digits);
        out->is_id = count == ID_DIGITS;
        out->is_prefix = count >= FIND_DIGITS_MIN && count < ID_DIGITS;
        if (out->is_id || out->is_prefix)
                set_range(out, digits, count);
        if (count == TRACE_DIGITS && length == TRACE_DIGITS)
                set_trace(out, text);
        else if (traceparent_is_valid(bytes_of_text(text)))
                set_trace(out, text + TRACE_AT);
        return true;
}

/* One lookup. */
struct finding {
        struct reader *reader;
        const char *tenant;
        const struct find_text *what;
        struct buffer *out;
        int found;
        unsigned looked;
        msec until;
        bool complete;
        bool more; /* than FIND_MATCHES_MAX */
};

static struct job_view brief_view(void)
{
        static const char *const members[] = {"id", "tenant", "type", "status", "created_at"};
        struct job_view view = {0};
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
                (void)job_view_add(&view, bytes_of_text(members[i]));
        return view;
}

static bool is_trace_of(const struct find_text *t, const struct job_row *row)
{
        const char *trace = job_row_traceparent(row);
        return t->is_trace && strlen(trace) > TRACE_AT + TRACE_DIGITS &&
               strncmp(trace + TRACE_AT, t->traceparent + TRACE_AT, TRACE_DIGITS) == 0;
}

/* By what the row is meant; NULL: it is not. */
static const char *found_by(const struct finding *f, const struct job_row *row)
{
        unsigned char id[ID_SIZE];
        if (!row->shown || (strcmp(f->tenant, "*") != 0 && strcmp(f->tenant, row->tenant) != 0) ||
            !uuid_pack(bytes_of_text(row->id), id))
                return NULL;
        bool named = f->what->is_id || f->what->is_prefix;
        if (named && memcmp(id, f->what->low, ID_SIZE) >= 0 &&
            memcmp(id, f->what->high, ID_SIZE) <= 0)
                return f->what->is_id ? "id" : "prefix";
        if (is_trace_of(f->what, row))
                return "trace";
        return strcmp(job_row_facts(row)->idempotency_key, f->what->text) == 0 ? "key" : NULL;
}

static int add_match(struct finding *f, int64_t seq, struct err *e)
{
        const struct job_view view = brief_view();
        AUTO_RESET *get =
                reader_query(f->reader, "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.seq = ?1",
                             DB_VALUES(value_int(seq)), e);
        AUTO_STORED_JOB job = {0};
        int found = db_step(get, e);
        if (found != 1)
                return found;
        if (stored_job_read(get, &job, e) != 0)
                return -1;
        const char *by = found_by(f, &job.row);
        if (by == NULL)
                return 0;
        if (f->found == FIND_MATCHES_MAX) {
                f->more = true;
                return 0;
        }
        f->found++;
        json_begin_object(f->out, NULL);
        json_put_string(f->out, "by", by);
        json_begin_object(f->out, "job");
        job_json_write(&job, (struct bytes){0}, &view, f->out);
        json_end(f->out);
        json_end(f->out);
        return 0;
}

/* To be asked before each row of a scan. */
static bool is_over(struct finding *f)
{
        if (f->looked++ % CLOCK_EVERY == CLOCK_EVERY - 1 && clock_mono() >= f->until)
                f->complete = false;
        return !f->complete || f->more;
}

/* Newest first: an id of version 7 begins with its time. Only the index is read. */
static const char ids_sql[] =
        "SELECT seq, ?3 = '*' OR tenant = (SELECT ref FROM names WHERE name = ?3)"
        " FROM jobs INDEXED BY jobs_id WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC";

static int scan_ids(struct finding *f, struct err *e)
{
        AUTO_RESET *each = reader_query(f->reader, ids_sql,
                                        DB_VALUES(value_blob(bytes_of(f->what->low, ID_SIZE)),
                                                  value_blob(bytes_of(f->what->high, ID_SIZE)),
                                                  value_text(f->tenant)),
                                        e);
        int more = 0;
        while (!is_over(f) && (more = db_step(each, e)) == 1) {
                bool visible = sqlite3_column_int(each, 1) != 0;
                if (visible && add_match(f, sqlite3_column_int64(each, 0), e) != 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

static int scan_digests(struct finding *f, struct err *e)
{
        int64_t trace = (int64_t)find_of_trace(f->what->traceparent);
        int64_t key = (int64_t)find_of_key(f->what->text);
        AUTO_RESET *each = reader_query(
                f->reader, "SELECT seq, trace, key FROM finds ORDER BY seq DESC", NULL, e);
        int more = 0;
        while (!is_over(f) && (more = db_step(each, e)) == 1) {
                bool same_trace = f->what->is_trace && sqlite3_column_int64(each, 1) == trace;
                bool same_key = sqlite3_column_int64(each, 2) == key;
                if ((same_trace || same_key) && add_match(f, sqlite3_column_int64(each, 0), e) != 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

static void finding_begin(struct finding *f)
{
        f->complete = true;
        f->until = clock_mono() + FIND_MS;
        json_begin_array(f->out, "matches");
}

static void finding_end(struct finding *f)
{
        json_end_array(f->out);
        json_put_flag(f->out, "more", f->more);
        json_put_flag(f->out, "complete", f->complete);
}

int lookup_find_id(struct reader *r, const char *tenant, const struct find_text *what,
                   struct buffer *out, struct err *e)
{
        struct finding f = {.reader = r, .tenant = tenant, .what = what, .out = out};
        if (!what->is_id)
                return 0;
        finding_begin(&f);
        if (scan_ids(&f, e) != 0)
                return -1;
        if (f.found > 0) {
                finding_end(&f);
                return 1;
        }
        buffer_clear(out);
        return 0;
}

int lookup_find_scan(struct reader *r, const char *tenant, const struct find_text *what,
                     struct buffer *out, struct err *e)
{
        struct finding f = {.reader = r, .tenant = tenant, .what = what, .out = out};
        finding_begin(&f);
        if (what->is_prefix && scan_ids(&f, e) != 0)
                return -1;
        if (f.found == 0 && scan_digests(&f, e) != 0)
                return -1;
        finding_end(&f);
        return 0;
}
