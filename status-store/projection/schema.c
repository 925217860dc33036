/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c: the tables of status.db; reads and binds rows of jobs and attempts; packs fold keys
 * into one blob.
 */
#include "status-store/projection/schema.h"

#include <string.h>

#include "common/base/memory.h"
#include "status-store/projection/varint.h"

/* clang-format off */
const char schema_tables[] =
        "CREATE TABLE jobs(seq INTEGER PRIMARY KEY, id BLOB NOT NULL, tenant INTEGER NOT NULL,"
        " type INTEGER, others INTEGER, keys BLOB"
        JOB_MEMBERS(COLUMN_DECLARED) FACTS_MEMBERS(COLUMN_DECLARED)
        ", history BLOB);"
        "CREATE UNIQUE INDEX jobs_id ON jobs(id, tenant);"
        "CREATE INDEX jobs_state ON jobs(tenant, state, created);"
        "CREATE INDEX jobs_type ON jobs(type, shelf, created);"
        "CREATE INDEX jobs_of ON jobs(tenant, type, shelf, created);"
        "CREATE INDEX jobs_waiting ON jobs(tenant, lane, created) WHERE state = 1;" /* pending */
        "CREATE INDEX jobs_running ON jobs(type, tenant, lane) WHERE state = 2;"
        "CREATE INDEX jobs_expires ON jobs(expires)"
        " WHERE expires IS NOT NULL AND state IN (0, 1, 3);" /* scheduled, pending, failed */
        "CREATE INDEX jobs_cancelling ON jobs(cancel_at)"
        " WHERE cancel_at IS NOT NULL AND state IN (0, 1, 3);"
        "CREATE TABLE bodies(place INTEGER PRIMARY KEY, payload BLOB);"
        "CREATE TABLE others(seq INTEGER, type TEXT, keys BLOB" FACTS_MEMBERS(COLUMN_DECLARED)
        ", PRIMARY KEY(seq, content)) WITHOUT ROWID;"
        "CREATE TABLE attempts(seq INTEGER, keys BLOB" ATTEMPT_MEMBERS(COLUMN_DECLARED)
        ", PRIMARY KEY(seq, run, attempt)) WITHOUT ROWID;"
        "CREATE TABLE starts(seq INTEGER" START_MEMBERS(COLUMN_DECLARED)
        ", PRIMARY KEY(seq, run, attempt, digest)) WITHOUT ROWID;"
        "CREATE TABLE names(ref INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
        "CREATE TABLE finds(seq INTEGER PRIMARY KEY, trace INTEGER, key INTEGER);"
        "CREATE TABLE counts(tenant INTEGER, type INTEGER, shelf INTEGER,"
        " n INTEGER NOT NULL, PRIMARY KEY(tenant, type, shelf)) WITHOUT ROWID;"
        "CREATE TABLE counters(tenant INTEGER PRIMARY KEY, submitted INTEGER,"
        " completed INTEGER, failed INTEGER, retried INTEGER, dead INTEGER);"
        "CREATE TABLE minutes(minute INTEGER, tenant INTEGER, submitted INTEGER,"
        " completed INTEGER, failed INTEGER, retried INTEGER, dead INTEGER, latency BLOB,"
        " wait BLOB, duration BLOB, PRIMARY KEY(minute, tenant)) WITHOUT ROWID;"
        "CREATE TABLE type_minutes(minute INTEGER, tenant INTEGER, type INTEGER,"
        " completed INTEGER, failed INTEGER, dead INTEGER, duration BLOB,"
        " PRIMARY KEY(minute, tenant, type)) WITHOUT ROWID;"
        "CREATE TABLE workers(worker TEXT PRIMARY KEY, at INTEGER, state TEXT,"
        " raw BLOB) WITHOUT ROWID;"
        "CREATE TABLE position(one INTEGER PRIMARY KEY CHECK(one = 1)"
        POSITION_MEMBERS(COLUMN_DECLARED) ");";
/* clang-format on */

const char delete_bodies_sql[] =
        "DELETE FROM bodies WHERE place IN (SELECT first FROM jobs WHERE seq = ?1 AND"
        " content IS NOT NULL UNION ALL"
        " SELECT first FROM others WHERE seq = ?1)";

const char payload_sql[] = "SELECT payload FROM bodies WHERE place = ?1";

const char workers_sql[] = "SELECT worker, at, state, raw FROM workers ORDER BY worker LIMIT 10000";

const char counts_sql[] = "SELECT tenant, (SELECT name FROM names WHERE ref = tenant),"
                          " (SELECT name FROM names WHERE ref = type), shelf / 8, n FROM counts"
                          " WHERE n > 0 AND tenant > 0 AND"
                          " (?1 = '*' OR tenant = (SELECT ref FROM names WHERE name = ?1))";

const char position_sql[] =
        "SELECT offset, first_offset, events, skipped, gaps, rebuilds, gap_from,"
        " gap_to FROM position";

size_t keys_pack(const struct fold_key *const *keys, size_t count, unsigned char out[KEYS_SIZE])
{
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
                const struct fold_key *k = keys[i];
                n += varint_put(out + n, (uint64_t)k->run);
                if (k->run == 0)
                        continue;
                n += varint_put(out + n, (uint64_t)k->closed);
                n += varint_put(out + n, (uint64_t)k->attempt);
                n += varint_put(out + n, (uint64_t)k->phase);
                n += varint_put(out + n, (uint64_t)k->copy);
                n += varint_put(out + n, (uint64_t)k->at);
                memcpy(out + n, &k->digest, sizeof(k->digest));
                n += sizeof(k->digest);
        }
        return n;
}

static bool key_unpack(struct bytes *in, struct fold_key *k)
{
        uint64_t v[6] = {0};
        if (!varint_get(in, &v[0]))
                return false;
        if (v[0] == 0)
                return true;
        for (size_t i = 1; i < 6; i++)
                if (!varint_get(in, &v[i]))
                        return false;
        if (in->length < sizeof(k->digest))
                return false;
        *k = (struct fold_key){.run = (int64_t)v[0],
                               .closed = (int64_t)v[1],
                               .attempt = (int64_t)v[2],
                               .phase = (int64_t)v[3],
                               .copy = (int64_t)v[4],
                               .at = (msec)v[5]};
        memcpy(&k->digest, in->data, sizeof(k->digest));
        in->data += sizeof(k->digest);
        in->length -= sizeof(k->digest);
        return true;
}

int keys_unpack(struct bytes packed, struct fold_key *const *keys, size_t count, struct err *e)
{
        for (size_t i = 0; i < count && (i < KEYS_ALWAYS || packed.length > 0); i++)
                if (!key_unpack(&packed, keys[i]))
                        return err_set(e, ERR_CORRUPT, "a row's fold keys are cut short");
        return 0;
}

void job_row_keys(struct job_row *row, struct fold_key *keys[KEYS_MAX])
{
        keys[0] = &row->winner;
        keys[1] = &row->message;
        keys[2] = &row->ran;
        keys[3] = &row->start;
        keys[4] = &row->finish;
        keys[5] = &row->failure;
        keys[6] = &row->step;
        keys[7] = &row->birth;
        struct job_facts *facts = (struct job_facts *)job_row_facts(row);
        keys[8] = &facts->key;
        keys[9] = &facts->wait;
        keys[KEYS_ALWAYS] = &row->hint_key;
        keys[KEYS_ALWAYS + 1] = &row->moved;
        keys[KEYS_ALWAYS + 2] = &row->cancel;
}

#define JOB(column, declaration, kind, member) COLUMN_OF(struct stored_job, kind, member)
#define FACTS(column, declaration, kind, member) COLUMN_OF(struct job_facts, kind, member)
#define ATTEMPT(column, declaration, kind, member) COLUMN_OF(struct attempt_row, kind, member)
static const struct column job_members[] = {JOB_MEMBERS(JOB)};
static const struct column facts_members[] = {FACTS_MEMBERS(FACTS)};
static const struct column attempt_members[] = {ATTEMPT_MEMBERS(ATTEMPT)};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

int job_row_state(const struct job_row *row)
{
        return row->shown ? (int)row->status : STATE_HIDDEN;
}

int job_row_shelf(const struct job_row *row)
{
        int priority = job_row_priority(row);
        bool known = priority >= 0 && priority < PRIORITY_COUNT;
        return job_row_state(row) * SHELF_STATE + (known ? priority : SHELF_PRIORITY_UNKNOWN);
}

/* The number of keys without the empty ones at the end. */
static size_t count_used(struct fold_key *const keys[KEYS_MAX])
{
        size_t count = KEYS_MAX;
        while (count > KEYS_ALWAYS && keys[count - 1]->run == 0)
                count--;
        return count;
}

static int others_of(const struct job_row *row)
{
        int count = 0;
        for (const struct job_facts *f = row->facts; f != NULL && f->next != NULL; f = f->next)
                count++;
        return count;
}

int stored_job_bind(sqlite3_stmt *s, int first, const struct stored_job *job,
                    unsigned char keys[KEYS_SIZE])
{
        const struct job_row *row = &job->row;
        struct fold_key *all[KEYS_MAX];
        job_row_keys((struct job_row *)row, all);
        db_bind_int_or_null(s, first++, others_of(row));
        size_t length = keys_pack((const struct fold_key *const *)all, count_used(all), keys);
        db_bind_blob(s, first++, keys, length);
        first = columns_bind(s, first, job_members, COUNT(job_members), job);
        return columns_bind(s, first, facts_members, COUNT(facts_members), job_row_facts(row));
}

int stored_job_read(sqlite3_stmt *s, struct stored_job *job, struct err *e)
{
        struct job_row *row = &job->row;
        struct job_facts *facts = row->facts = xcalloc(1, sizeof(*row->facts));
        struct bytes id = db_bytes(s, 1);
        if (id.length != ID_SIZE)
                return err_set(e, ERR_CORRUPT, "a row's id has %zu bytes", id.length);
        uuid_unpack((const unsigned char *)id.data, row->id);
        job->seq = sqlite3_column_int64(s, 0);
        db_text(s, 2, row->tenant, sizeof(row->tenant));
        db_text(s, 3, facts->type, sizeof(facts->type));
        job->others = sqlite3_column_int(s, 4);
        int next = columns_read(s, 6, job_members, COUNT(job_members), job);
        columns_read(s, next, facts_members, COUNT(facts_members), facts);
        row->shown = job->state >= 0 && job->state < STATE_HIDDEN;
        row->status = row->shown ? (enum status)job->state : STATUS_PENDING;

        struct fold_key *keys[KEYS_MAX];
        job_row_keys(row, keys);
        if (keys_unpack(db_bytes(s, 5), keys, KEYS_MAX, e) != 0)
                return -1;
        if (facts->key.run == 0)
                facts_clear(&row->facts);
        return 0;
}

int64_t job_body_place(const struct job_row *row)
{
        return row->facts == NULL ? -1 : row->facts->first;
}

void other_bind(sqlite3_stmt *s, int first, const struct job_facts *f,
                unsigned char keys[KEYS_SIZE])
{
        const struct fold_key *both[] = {&f->key, &f->wait};
        db_bind_text(s, first++, f->type);
        db_bind_blob(s, first++, keys, keys_pack(both, 2, keys));
        columns_bind(s, first, facts_members, COUNT(facts_members), f);
}

struct job_facts *other_read(sqlite3_stmt *s, struct err *e)
{
        struct job_facts *f = xcalloc(1, sizeof(*f));
        struct fold_key *keys[] = {&f->key, &f->wait};
        db_text(s, 0, f->type, sizeof(f->type));
        columns_read(s, 2, facts_members, COUNT(facts_members), f);
        if (keys_unpack(db_bytes(s, 1), keys, 2, e) != 0)
                facts_clear(&f);
        return f;
}

void stored_job_fini(struct stored_job *job)
{
        job_row_fini(&job->row);
        buffer_fini(&job->history);
}

void attempt_bind(sqlite3_stmt *s, int first, const struct attempt_row *a,
                  unsigned char keys[KEYS_SIZE])
{
        const struct fold_key *both[] = {&a->start, &a->end};
        db_bind_blob(s, first++, keys, keys_pack(both, 2, keys));
        columns_bind(s, first, attempt_members, COUNT(attempt_members), a);
}

int attempt_read(sqlite3_stmt *s, struct attempt_row *a, struct err *e)
{
        struct fold_key *keys[] = {&a->start, &a->end};
        columns_read(s, 1, attempt_members, COUNT(attempt_members), a);
        return keys_unpack(db_bytes(s, 0), keys, 2, e);
}
