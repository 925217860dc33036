/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_version.c: the broker's version and its known faults.
 */
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/topology/topology.h"
#include "ui/cli/doctor.h"

/* Known faults, and the versions that have them: `from` and later, but not `before`. */
static const struct {
        struct broker_version from, before;
        enum health health; /* HEALTH_OK: nothing has to be done */
        const char *problem, *remedy;
} known[] = {
        {{0, 0, 0}, {3, 10, 0}, HEALTH_WRONG, "Warren needs 3.10 or later", "upgrade RabbitMQ"},
        {{3, 10, 0},
         {4, 0, 0},
         HEALTH_OK,
         "no longer maintained; a queue created less than 0.5 s before the broker is killed may "
         "come "
         "back without a leader, a stream misses what other systems publish in the first second "
         "after a start, and any AMQP login can stop the delays, retries and burials of all "
         "tenants with one message (docs/guarantees.md says what to do)",
         NULL},
        {{4, 2, 6},
         {4, 2, 7},
         HEALTH_WRONG,
         "a login that looks at a queue needs the right to delete it, so Warren's logins have it",
         "upgrade RabbitMQ to 4.2.7 or later, then run: warren topology apply"},
        {{4, 3, 0},
         {4, 3, 1},
         HEALTH_WRONG,
         "a login that looks at a queue needs the right to delete it, so Warren's logins have it; "
         "and "
         "a quorum queue may not come back after the broker was killed",
         "upgrade RabbitMQ to 4.3.1 or later, then run: warren topology apply"},
};

static int compare(const struct broker_version *a, const struct broker_version *b)
{
        if (a->major != b->major)
                return a->major - b->major;
        return a->minor != b->minor ? a->minor - b->minor : a->patch - b->patch;
}

/* Shows the version even without a fault: it helps to understand the other findings. */
static void report(struct diagnosis *d, const struct broker_version *v)
{
        enum health health = HEALTH_OK;
        const char *remedy = NULL;
        AUTO_BUFFER text = {0};

        buffer_printf(&text, "RabbitMQ %d.%d.%d", v->major, v->minor, v->patch);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                if (compare(v, &known[i].from) < 0 || compare(v, &known[i].before) >= 0)
                        continue;
                buffer_printf(&text, ": %s", known[i].problem);
                health = known[i].health;
                remedy = known[i].remedy;
        }
        diagnosis_add(d, "broker version", health, text.data, remedy);
}

void doctor_check_version(const struct broker_checks *b)
{
        struct err e = {0};
        struct broker_version version;

        if (topology_broker_version(b->management, &version, &e) < 0)
                diagnosis_add(b->d, "broker version", HEALTH_UNKNOWN, e.text, NULL);
        else
                report(b->d, &version);
}
