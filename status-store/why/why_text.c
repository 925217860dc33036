/* SPDX-License-Identifier: Apache-2.0
 *
 * why_text.c: a sentence for each code.
 */
#include "status-store/why/why_text.h"

#include <inttypes.h>

static void add_time(const char *before, msec at, struct buffer *out)
{
        char text[TIME_TEXT_SIZE];

        buffer_printf(out, "%s%s", before, time_format(at, text));
}

static void add_not_waiting(const struct why_case *c, struct buffer *out)
{
        const struct job_row *row = &c->job->row;

        if (c->facts.status == STATUS_RUNNING) {
                buffer_add_text(out, "it runs");
                return;
        }
        buffer_printf(out, "it has ended: %s", status_name(c->facts.status));
        if (c->facts.status != STATUS_CANCELLED || !job_row_is_to_be_cancelled(row))
                return;
        buffer_printf(out, " by %s", row->act_by);
        add_time(", asked for at ", row->cancel_at, out);
}

static void add_failed(const struct why_case *c, struct buffer *out)
{
        buffer_printf(out, "attempt %" PRId64 " failed; the next one is due at",
                      c->job->row.failure.attempt);
        add_time(" ", c->facts.run_at, out);
}

static void add_broker(const struct why_case *c, struct buffer *out)
{
        buffer_add_text(out, c->broker == WHY_BROKER_DOWN
                                     ? "the gateway cannot publish to the broker"
                                     : "the broker takes no messages: it is short of memory or "
                                       "disk space");
}

static void add_pause(const struct why_case *c, struct buffer *out)
{
        buffer_printf(out, "jobs of type %s are paused", c->type);
        if (c->paused_by == PAUSE_TENANT_TYPE)
                buffer_printf(out, " for tenant %s", c->job->row.tenant);
}

static void add_rate(const struct why_case *c, struct buffer *out)
{
        char per[TIME_TEXT_SIZE];

        buffer_printf(out, "type %s may start %" PRId64 " jobs in %s, and these have started",
                      c->type, c->limits.rate_count, duration_format(c->limits.rate_per, per));
}

static void add_type_limit(const struct why_case *c, struct buffer *out)
{
        const struct why_limit *slots = &c->facts.type_slots;

        if (why_is_used_up(slots))
                buffer_printf(out, "all %" PRId64 " slots of type %s are in use", slots->limit,
                              c->type);
        else
                buffer_printf(out, "every worker runs as many jobs of type %s as it may", c->type);
}

static void add_behind(const struct why_case *c, struct buffer *out)
{
        const struct why_facts *f = &c->facts;

        if (f->ahead > WAITING_MAX)
                buffer_printf(out, "more than %d jobs of its tenant are ahead of it", WAITING_MAX);
        else if (f->ahead == 1)
                buffer_add_text(out, "a job of its tenant is ahead of it");
        else if (f->ahead > 0)
                buffer_printf(out, "%" PRId64 " jobs of its tenant are ahead of it", f->ahead);
        else
                buffer_printf(out, "every worker that handles type %s is busy", c->type);
}

void why_text(const struct why_case *c, enum why_code code, struct buffer *out)
{
        switch (code) {
        case WHY_NONE:
                add_not_waiting(c, out);
                return;
        case WHY_LAGGING:
                buffer_add_text(out, "what is known of the jobs is too old to say");
                return;
        case WHY_DELAYED:
                add_time("it is due at ", c->facts.run_at, out);
                return;
        case WHY_BACKOFF:
                add_failed(c, out);
                return;
        case WHY_BROKER_BLOCKED:
                add_broker(c, out);
                return;
        case WHY_TENANT_PAUSED:
                buffer_printf(out, "tenant %s is paused", c->job->row.tenant);
                return;
        case WHY_TYPE_PAUSED:
                add_pause(c, out);
                return;
        case WHY_NO_WORKER:
                buffer_printf(out, "no live worker handles type %s", c->type);
                return;
        case WHY_RATE:
                add_rate(c, out);
                return;
        case WHY_NO_SLOT:
                buffer_printf(out, "all %" PRId64 " slots of tenant %s are in use",
                              c->facts.slots.limit, c->job->row.tenant);
                return;
        case WHY_TYPE_LIMIT:
                add_type_limit(c, out);
                return;
        case WHY_BEHIND:
                add_behind(c, out);
                return;
        case WHY_UNKNOWN:
                buffer_add_text(out, "nothing is known that keeps it from its start");
                return;
        }
}
