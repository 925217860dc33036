/* SPDX-License-Identifier: Apache-2.0
 *
 * why_json.c: the code of a job that waits, its text, and its evidence.
 */
#include "status-store/why/why_json.h"

#include <string.h>

#include "common/base/json_write.h"
#include "common/model/reason.h"
#include "status-store/why/why_holders.h"
#include "status-store/why/why_text.h"

/* Being written. */
struct answer {
        struct reader *reader;
        const struct why_case *of;
        bool all; /* the caller may see jobs of every tenant */
        struct buffer *out;
};

static void put_count(struct buffer *out, const char *name, int64_t count)
{
        if (count >= 0)
                json_put_int(out, name, count);
        else
                json_put_null(out, name);
}

static void put_word(struct buffer *out, const char *name, const char *word)
{
        json_put_text_or_null(out, name, bytes_of_text(word));
}

static void write_ahead(const struct why_case *c, struct buffer *out)
{
        int64_t ahead = c->facts.ahead;

        json_put_int(out, "ahead", ahead < WAITING_MAX ? ahead : WAITING_MAX);
        json_put_flag(out, "ahead_is_capped", ahead > WAITING_MAX);
}

static void write_backoff(const struct why_case *c, struct buffer *out)
{
        const struct job_row *row = &c->job->row;

        json_put_int(out, "attempt", row->failure.attempt);
        if (row->facts != NULL)
                json_put_int(out, "max_retries", row->facts->max_retries);
        json_put_time(out, "run_at", c->facts.run_at);
        json_put_text_or_null(out, "error", buffer_bytes(&row->error));
        put_word(out, "error_kind", error_kind_word(row->error_kind));
}

static void write_pause(const char *by, msec at, struct buffer *out)
{
        put_word(out, "by", by);
        json_put_time(out, "paused_at", at);
}

static void write_no_worker(const struct why_case *c, struct buffer *out)
{
        const struct why_workers *w = &c->workers;

        json_put_int(out, "live_workers", w->live);
        json_put_int(out, "draining", w->draining);
        if (w->last[0] == '\0') {
                json_put_null(out, "last");
                return;
        }
        json_begin_object(out, "last");
        json_put_string(out, "worker", w->last);
        json_put_time(out, "seen", w->last_seen);
        json_end(out);
}

static void write_rate(const struct why_case *c, struct buffer *out)
{
        char per[TIME_TEXT_SIZE];
        AUTO_BUFFER rate = {0};

        buffer_printf(&rate, "%lld/%s", (long long)c->limits.rate_count,
                      duration_format(c->limits.rate_per, per));
        json_put_text(out, "rate", buffer_bytes(&rate));
        json_put_int(out, "version", c->limits.rate_version);
        put_count(out, "cooling", c->cooling);
        json_put_int(out, "ahead_of_type", c->ahead_of_type);
}

static void write_limit(const struct why_limit *l, int64_t version, struct buffer *out)
{
        json_put_int(out, "limit", l->limit);
        json_put_int(out, "version", version);
        put_count(out, "free", l->free);
        json_put_int(out, "running", l->running);
}

static void write_full_workers(const struct why_case *c, struct buffer *out)
{
        json_begin_array(out, "workers");
        for (unsigned i = 0; i < c->facts.workers_full && i < WHY_FULL_MAX; i++) {
                const struct why_full *full = &c->workers.full[i];
                json_begin_object(out, NULL);
                json_put_string(out, "worker", full->worker);
                json_put_int(out, "running", full->running);
                json_put_int(out, "concurrency", full->limit);
                json_end(out);
        }
        json_end_array(out);
}

static int write_type_limit(const struct answer *a, struct err *e)
{
        const struct why_case *c = a->of;
        bool everywhere = why_is_used_up(&c->facts.type_slots);

        json_put_string(a->out, "scope", everywhere ? "all" : "consumer");
        if (!everywhere) {
                write_full_workers(c, a->out);
                return 0;
        }
        write_limit(&c->facts.type_slots, c->limits.slots_version, a->out);
        return why_holders_of_type(a->reader, c, a->all, a->out, e);
}

static void write_behind(const struct why_case *c, struct buffer *out)
{
        const struct why_workers *w = &c->workers;

        write_ahead(c, out);
        json_begin_object(out, "lanes");
        for (int lane = 0; lane < LANE_COUNT; lane++)
                if (c->ahead[lane] > 0)
                        json_put_int(out, lane_name((enum lane)lane), c->ahead[lane]);
        json_end(out);
        if (c->starts > 0)
                json_put_real(out, "per_second", c->starts);
        else
                json_put_null(out, "per_second");
        json_put_int(out, "workers", w->live);
        json_put_int(out, "busy", w->busy);
        json_put_int(out, "concurrency", w->concurrency);
}

/* What was looked at. */
static void write_unknown(const struct why_case *c, struct buffer *out)
{
        const struct why_facts *f = &c->facts;

        json_put_int(out, "lag_ms", f->lag);
        json_put_int(out, "workers", f->workers);
        json_put_int(out, "workers_free", f->workers_free);
        put_count(out, "slots_free", f->slots.free);
        put_count(out, "type_slots_free", f->type_slots.free);
        put_count(out, "starts_free", f->starts_free);
        json_put_int(out, "ahead", f->ahead);
}

static int write_evidence(const struct answer *a, enum why_code code, struct err *e)
{
        const struct why_case *c = a->of;
        struct buffer *out = a->out;

        switch (code) {
        case WHY_NONE:
                break;
        case WHY_LAGGING:
                json_put_int(out, "lag_ms", c->facts.lag);
                break;
        case WHY_DELAYED:
                json_put_time(out, "run_at", c->facts.run_at);
                break;
        case WHY_BACKOFF:
                write_backoff(c, out);
                break;
        case WHY_BROKER_BLOCKED:
                json_put_string(out, "broker", c->broker == WHY_BROKER_DOWN ? "down" : "blocked");
                break;
        case WHY_TENANT_PAUSED:
                write_pause(c->tenant.by, c->tenant.paused_at, out);
                break;
        case WHY_TYPE_PAUSED:
                write_pause(c->pause.by, c->pause.paused_at, out);
                json_put_flag(out, "of_tenant", c->paused_by == PAUSE_TENANT_TYPE);
                break;
        case WHY_NO_WORKER:
                write_no_worker(c, out);
                break;
        case WHY_RATE:
                write_rate(c, out);
                break;
        case WHY_NO_SLOT:
                write_limit(&c->facts.slots, c->tenant.slots_version, out);
                write_ahead(c, out);
                return why_holders_of_tenant(a->reader, c, out, e);
        case WHY_TYPE_LIMIT:
                return write_type_limit(a, e);
        case WHY_BEHIND:
                write_behind(c, out);
                break;
        case WHY_UNKNOWN:
                write_unknown(c, out);
                break;
        }
        return 0;
}

static msec since_of(const struct why_case *c, enum why_code code)
{
        switch (code) {
        case WHY_NONE:
        case WHY_LAGGING:
        case WHY_UNKNOWN:
                return 0;
        case WHY_DELAYED:
                return c->job->row.created_at;
        case WHY_BACKOFF:
                return c->job->row.failure.at;
        case WHY_BROKER_BLOCKED:
                return c->broker_since;
        case WHY_TENANT_PAUSED:
                return c->tenant.paused_at;
        case WHY_TYPE_PAUSED:
                return c->pause.paused_at;
        case WHY_NO_WORKER:
                return c->workers.last_seen > c->pending_since ? c->workers.last_seen
                                                               : c->pending_since;
        case WHY_RATE:
        case WHY_NO_SLOT:
        case WHY_TYPE_LIMIT:
        case WHY_BEHIND:
                return c->pending_since;
        }
        return 0;
}

/* When it is expected to start; 0: nobody can say. */
static msec next_of(const struct why_case *c, enum why_code code)
{
        const struct why_facts *f = &c->facts;

        if (code == WHY_DELAYED || code == WHY_BACKOFF)
                return f->run_at;
        if (code == WHY_RATE && c->ahead_of_type < WAITING_MAX)
                return f->now + c->limits.rate_per * (c->ahead_of_type + 1) / c->limits.rate_count;
        if (code == WHY_BEHIND && c->starts > 0 && f->ahead > 0 && f->ahead <= WAITING_MAX)
                return f->now + (msec)((double)f->ahead * MSEC_SECOND / c->starts);
        return 0;
}

int why_json_write(struct reader *r, const struct why_case *c, bool all, struct buffer *out,
                   struct err *e)
{
        enum why_code also[WHY_COUNT];
        enum why_code code = why_judge(&c->facts, also);
        const struct answer answer = {.reader = r, .of = c, .all = all, .out = out};
        AUTO_BUFFER text = {0};

        why_text(c, code, &text);
        json_put_string(out, "id", c->job->row.id);
        json_put_string(out, "tenant", c->job->row.tenant);
        json_put_string(out, "type", c->type);
        json_put_string(out, "status", status_name(c->job->row.status));
        json_put_string(out, "code", why_code_name(code));
        json_put_time(out, "since", since_of(c, code));
        json_put_time(out, "next", next_of(c, code));
        json_put_text(out, "text", buffer_bytes(&text));
        json_begin_object(out, "evidence");
        if (write_evidence(&answer, code, e) != 0)
                return -1;
        json_end(out);
        json_begin_array(out, "also");
        for (size_t i = 0; also[i] != WHY_NONE; i++)
                json_put_string(out, NULL, why_code_name(also[i]));
        json_end_array(out);
        return 0;
}
