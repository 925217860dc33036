/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.c: rows of jobs and attempts out of their columns; fold keys packed into one blob.
 */
#include <string.h>

#include "common/base/hex.h"
#include "common/base/memory.h"
#include "status-store/schema.h"

bool id_pack(const char *uuid, unsigned char out[ID_SIZE])
{
        size_t n = 0;
        for (size_t i = 0; i < UUID_SIZE - 1; i++) {
                if (i == 8 || i == 13 || i == 18 || i == 23) {
                        if (uuid[i] != '-')
                                return false;
                        continue;
                }
                int high = hex_value(uuid[i]);
                int low = high < 0 ? -1 : hex_value(uuid[++i]);
                if (low < 0)
                        return false;
                out[n++] = (unsigned char)(high << 4 | low);
        }
        return uuid[UUID_SIZE - 1] == '\0';
}

void id_unpack(const unsigned char id[ID_SIZE], char out[UUID_SIZE])
{
        static const char digits[] = "0123456789abcdef";
        char *at = out;
        for (size_t i = 0; i < ID_SIZE; i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *at++ = '-';
                *at++ = digits[id[i] >> 4];
                *at++ = digits[id[i] & 15];
        }
        *at = '\0';
}

static size_t varint_put(unsigned char *out, uint64_t value)
{
        size_t n = 0;
        for (; value >= 0x80; value >>= 7)
                out[n++] = (unsigned char)(value | 0x80);
        out[n++] = (unsigned char)value;
        return n;
}

static bool varint_get(struct bytes *in, uint64_t *value)
{
        *value = 0;
        for (unsigned shift = 0; in->length > 0 && shift < 64; shift += 7) {
                unsigned char byte = (unsigned char)in->data[0];
                in->data++;
                in->length--;
                *value |= (uint64_t)(byte & 0x7f) << shift;
                if ((byte & 0x80) == 0)
                        return true;
        }
        return false;
}

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
        for (size_t i = 0; i < count; i++)
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
}

static void buffer_read(sqlite3_stmt *s, int column, struct buffer *out)
{
        struct bytes b = db_bytes(s, column);
        if (b.length > 0)
                buffer_add(out, b.data, b.length);
}

static void row_read_facts(sqlite3_stmt *s, struct job_facts *f)
{
        db_text(s, 5, f->type, sizeof(f->type));
        f->priority = (enum priority)sqlite3_column_int(s, 6);
        f->lane = (enum lane)sqlite3_column_int(s, 7);
        f->max_retries = sqlite3_column_int64(s, 8);
        f->timeout = sqlite3_column_int64(s, 9);
        f->run_at = sqlite3_column_int64(s, 10);
        db_text(s, 20, f->traceparent, sizeof(f->traceparent));
        db_text(s, 21, f->idempotency_key, sizeof(f->idempotency_key));
        db_text(s, 22, f->key_hash, sizeof(f->key_hash));
        f->content = (uint64_t)sqlite3_column_int64(s, 30);
        f->first = sqlite3_column_int64(s, 31);
}

static int row_read_keys(sqlite3_stmt *s, struct job_row *row, struct err *e)
{
        struct fold_key *keys[KEYS_MAX];
        row->facts = xcalloc(1, sizeof(*row->facts));
        row_read_facts(s, row->facts);
        job_row_keys(row, keys);
        if (keys_unpack(db_bytes(s, 19), keys, KEYS_MAX, e) != 0)
                return -1;
        if (row->facts->key.run == 0)
                facts_clear(&row->facts);
        return 0;
}

int stored_job_read(sqlite3_stmt *s, struct stored_job *job, struct err *e)
{
        struct job_row *row = &job->row;
        struct bytes id = db_bytes(s, 1);
        if (id.length != ID_SIZE)
                return err_set(e, ERR_CORRUPT, "a row's id has %zu bytes", id.length);
        id_unpack((const unsigned char *)id.data, row->id);
        job->seq = sqlite3_column_int64(s, 0);
        db_text(s, 2, row->tenant, sizeof(row->tenant));
        job->state = sqlite3_column_int(s, 3);
        row->shown = job->state >= 0 && job->state < STATE_HIDDEN;
        row->status = row->shown ? (enum status)job->state : STATUS_PENDING;
        row->created_at = sqlite3_column_int64(s, 4);
        row->started_at = sqlite3_column_int64(s, 11);
        db_text(s, 12, row->worker, sizeof(row->worker));
        row->finished_at = sqlite3_column_int64(s, 13);
        row->duration_ms = sqlite3_column_int64(s, 14);
        row->reason = (enum reason)sqlite3_column_int(s, 15);
        row->error_kind = (enum error_kind)sqlite3_column_int(s, 16);
        row->progress = sqlite3_column_double(s, 17);
        job->spilled = sqlite3_column_int(s, 18) != 0;
        row->forgotten_run = sqlite3_column_int64(s, 26);
        row->born = sqlite3_column_int64(s, 27);
        row->earliest = sqlite3_column_int64(s, 28);
        row->told_at = sqlite3_column_int64(s, 29);
        row->ran_content = (uint64_t)sqlite3_column_int64(s, 32);
        job->others = sqlite3_column_int(s, 33);
        job->published = sqlite3_column_int64(s, 34);
        buffer_read(s, 23, &row->progress_message);
        buffer_read(s, 24, &row->error);
        buffer_read(s, 25, &row->result);
        return row_read_keys(s, row, e);
}

int64_t job_body_place(const struct job_row *row)
{
        return row->facts == NULL ? -1 : row->facts->first * SEQ_PER_OFFSET;
}

struct job_facts *other_read(sqlite3_stmt *s, struct err *e)
{
        struct job_facts *f = xcalloc(1, sizeof(*f));
        struct fold_key *keys[] = {&f->key, &f->wait};
        f->content = (uint64_t)sqlite3_column_int64(s, 0);
        f->first = sqlite3_column_int64(s, 1);
        db_text(s, 2, f->type, sizeof(f->type));
        f->priority = (enum priority)sqlite3_column_int(s, 3);
        f->lane = (enum lane)sqlite3_column_int(s, 4);
        f->max_retries = sqlite3_column_int64(s, 5);
        f->timeout = sqlite3_column_int64(s, 6);
        f->run_at = sqlite3_column_int64(s, 7);
        db_text(s, 8, f->traceparent, sizeof(f->traceparent));
        db_text(s, 9, f->idempotency_key, sizeof(f->idempotency_key));
        db_text(s, 10, f->key_hash, sizeof(f->key_hash));
        if (keys_unpack(db_bytes(s, 11), keys, 2, e) != 0)
                facts_clear(&f);
        return f;
}

void stored_job_fini(struct stored_job *job)
{
        job_row_fini(&job->row);
}

int attempt_read(sqlite3_stmt *s, struct attempt_row *a, struct err *e)
{
        a->run = sqlite3_column_int64(s, 0);
        a->attempt = sqlite3_column_int64(s, 1);
        a->started_at = sqlite3_column_int64(s, 2);
        db_text(s, 3, a->worker, sizeof(a->worker));
        a->redelivered = sqlite3_column_int(s, 4) != 0;
        a->ended_at = sqlite3_column_int64(s, 5);
        a->outcome = (enum attempt_outcome)sqlite3_column_int(s, 6);
        a->reason = (enum reason)sqlite3_column_int(s, 7);
        a->error_kind = (enum error_kind)sqlite3_column_int(s, 8);
        buffer_read(s, 10, &a->error);
        struct fold_key *keys[] = {&a->start, &a->end};
        return keys_unpack(db_bytes(s, 9), keys, 2, e);
}
