/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_broker.c: makes the checks of the broker, and waits until they are certain.
 */
#include <poll.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/doctor/broker_checks.h"
#include "common/doctor/queue_checks.h"
#include "common/doctor/token_checks.h"
#include "ui/cli/broker.h"
#include "ui/cli/doctor.h"
#include "ui/cli/token_fix.h"

enum { QUEUE_PAUSE_MS = 500, TOKEN_PAUSE_MS = 1000 };
static const msec token_looks_end = (msec)60 * MSEC_SECOND;

/* The remedy is another key only when the gateway refused this one. */
static void report_unknown_tenants(const struct err *why, struct findings *f)
{
        AUTO_FREE char *problem = xasprintf("the list of tenants could not be read: %s", why->text);

        findings_add(f, CHECK_CONSUMERS, FINDING_UNKNOWN, problem,
                     why->code == ERR_FORBIDDEN ? "set WARREN_ADMIN_KEY to an admin key" : NULL);
}

/* unknown: why the tenants are not known; NULL: they are. */
static void check_queues(const struct doctor_broker *b, const struct doctor_facts *facts,
                         const struct err *unknown, struct findings *f)
{
        AUTO(queue_checks) q = queue_checks_create();
        struct err e = {0};

        for (;;) {
                AUTO_QUEUES queues = {0};
                const struct doctor_look look = {facts, &queues, clock_mono()};
                if (queue_list_read(&queues, b, &e) != 0 ||
                    queue_checks_look(q, b, &look, &e) != 0) {
                        findings_add(f, CHECK_CONSUMERS, FINDING_UNKNOWN, e.text, NULL);
                        return;
                }
                if (queue_checks_are_settled(q, clock_mono()))
                        break;
                poll(NULL, 0, QUEUE_PAUSE_MS);
        }
        if (unknown != NULL)
                report_unknown_tenants(unknown, f);
        queue_checks_report(q, unknown == NULL, f);
}

static int look_once(struct cli *c, struct token_checks *t, const struct doctor_broker *b,
                     struct err *e)
{
        AUTO_FACTS facts = {0};
        AUTO_QUEUES queues = {0};

        if (doctor_read_tenants(c, &facts, e) < 0 || doctor_read_types(c, &facts, e) < 0 ||
            (facts.limit_count > 0 && queue_list_read(&queues, b, e) != 0))
                return -1;
        token_checks_look(t, &(struct doctor_look){&facts, &queues, clock_mono()});
        return 0;
}

/* Until each loss was seen for long enough, or is gone. */
static int look_long_enough(struct cli *c, struct token_checks *t, const struct doctor_broker *b,
                            struct err *e)
{
        msec end = clock_mono() + token_looks_end;
        bool said = false;

        for (;;) {
                if (look_once(c, t, b, e) < 0)
                        return -1;
                if (!token_checks_suspect(t) || clock_mono() >= end)
                        return 0;
                if (!said)
                        cli_note(c, "tokens of a limit seem to be lost: counting them again for "
                                    "30 s");
                said = true;
                poll(NULL, 0, TOKEN_PAUSE_MS);
        }
}

static void fix(struct cli *c, const struct token_finding *found, struct findings *f)
{
        const struct doctor_limit *limit = &found->limit;
        const struct token_fix wanted = {limit->kind, limit->of, limit->version};
        struct err e = {0};
        AUTO_BUFFER problem = {0};
        AUTO_FREE char *remedy =
                xasprintf("run: warren %s slots %s", doctor_noun(limit->kind), limit->of);

        token_checks_add_problem(found, &problem);
        int64_t version = token_fix_run(c, &wanted, &e);
        if (version < 0) {
                buffer_printf(&problem, "; it could not be fixed: %s", e.text);
                findings_add(f, CHECK_LIMITS, FINDING_WRONG, problem.data, remedy);
                return;
        }
        buffer_printf(&problem, "; new ones are in force: version %lld", (long long)version);
        findings_add(f, CHECK_LIMITS, FINDING_FIXED, problem.data, NULL);
}

struct reporting {
        struct cli *c;
        struct findings *f;
};

static void report_limit(void *owner, const struct token_finding *found)
{
        const struct reporting *r = owner;

        if (found->certain && cli_has(r->c, "fix") && found->loss != TOKENS_NOT_MADE)
                fix(r->c, found, r->f);
        else
                token_checks_report_one(found, r->f);
}

static void check_tokens(struct cli *c, const struct doctor_broker *b, struct findings *f)
{
        AUTO(token_checks) t = token_checks_create();
        struct reporting reporting = {.c = c, .f = f};
        struct err e = {0};

        if (look_long_enough(c, t, b, &e) < 0) {
                findings_add(f, CHECK_LIMITS, FINDING_UNKNOWN, e.text, NULL);
                return;
        }
        size_t before = findings_count(f);
        token_checks_each(t, report_limit, &reporting);
        if (findings_count(f) == before)
                findings_add(f, CHECK_LIMITS, FINDING_OK, NULL, NULL);
}

void doctor_report_unfixed(const struct cli *c, const char *why, struct findings *f)
{
        if (cli_has(c, "fix"))
                findings_add(f, CHECK_LIMITS, FINDING_UNKNOWN, why, NULL);
}

void doctor_check_broker(struct cli *c, struct findings *f)
{
        static const char no_queues[] = "the queues of their tokens could not be read";
        struct err e = {0}, unknown = {0};
        AUTO(http_client) management = broker_management(c, &e);
        AUTO_FREE char *vhost = broker_vhost(c);
        const struct doctor_broker b = {.management = management, .vhost = vhost};
        AUTO_FACTS facts = {0};

        if (management == NULL) {
                findings_add(f, CHECK_BROKER, FINDING_UNKNOWN, e.text,
                             "set WARREN_MANAGEMENT_URL to check the broker too");
                doctor_report_unfixed(c, no_queues, f);
                return;
        }
        bool known = doctor_read_tenants(c, &facts, &unknown) == 0;
        if (known)
                doctor_read_pauses(c, &facts);
        if (!broker_checks_nodes(&b,
                                 "start the broker, or set WARREN_MANAGEMENT_URL to its management "
                                 "API with an administrator's login",
                                 f)) {
                doctor_report_unfixed(c, no_queues, f);
                return;
        }
        broker_checks_version(&b, f);
        broker_checks_topology(&b, &facts, f);
        check_queues(&b, &facts, known ? NULL : &unknown, f);
        if (known)
                check_tokens(c, &b, f);
        else
                doctor_report_unfixed(c, unknown.text, f);
}
