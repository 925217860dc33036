/* SPDX-License-Identifier: Apache-2.0
 *
 * retention.c: passes over the tenants that have letters to delete, and applies three rules to
 * each.
 */
#include "dlx-monitor/retention.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/db.h"
#include "dlx-monitor/schema.h"

enum { STEP_WAIT = 20 /* ms between two steps, so that others can write */, PASS_WAIT = 10000 };
#define WARN_AHEAD (7 * (msec)MSEC_DAY)

enum rule { RULE_ENDED, RULE_SIZE, RULE_DEAD, RULE_COUNT };

static const struct {
        const char *word; /* label in metrics */
        const char *what; /* log line before the deletion */
} rules[RULE_COUNT] = {
        [RULE_ENDED] = {"ended", "deleting letters that were replayed or discarded long ago"},
        [RULE_SIZE] = {"size", "a tenant's letters take too much room: deleting replayed and "
                               "discarded ones, the oldest first"},
        [RULE_DEAD] = {"untouched", "deleting letters that nobody touched: they are too old"},
};

struct retention {
        struct retention_config config;
        struct alarm *alarm;
        struct metric *expired, *expiring, *bytes;
        /* The current pass. */
        bool begun;               /* tenant is set */
        char tenant[TENANT_SIZE]; /* the last one; "": letters without a tenant */
        enum rule rule;           /* at work on this tenant; RULE_COUNT: it is done */
        msec now;                 /* when this tenant was begun */
        msec warned;              /* letters archived before this were warned of long enough ago */
        int64_t due[RULE_COUNT];
        msec warned_at;
};

/* How long before its deletion an untouched letter is warned of. */
static msec notice(const struct retention *r)
{
        return r->config.keep_dead < WARN_AHEAD ? r->config.keep_dead : WARN_AHEAD;
}

static msec before(const struct retention *r, enum rule rule)
{
        msec dead = r->now - r->config.keep_dead;

        switch (rule) {
        case RULE_ENDED:
                return r->now - r->config.keep_ended;
        case RULE_DEAD:
                return dead < r->warned ? dead : r->warned;
        case RULE_SIZE:
        case RULE_COUNT:
                break;
        }
        return INT64_MAX;
}

/* clang-format off */
#define COUNT_DUE(dead, before) \
        "(SELECT count(*) FROM letters AS l WHERE " LETTERS_DUE("u.tenant", dead, before) ")"

/* A tenant, and its letters that are due by each rule. */
static const char due_sql[] =
        "SELECT u.tenant, " COUNT_DUE("0", "?3") ","
        " CASE WHEN u.bytes > ?2 THEN " COUNT_DUE("0", "?4") " ELSE 0 END,"
        " " COUNT_DUE("1", "?5")
        " FROM usage AS u WHERE ?1 IS NULL OR u.tenant > ?1 ORDER BY u.tenant";

static const char expiring_sql[] =
        "SELECT u.tenant, u.bytes, " COUNT_DUE("1", "?1") " FROM usage AS u WHERE u.bytes > 0";
/* clang-format on */

/* Finds the next tenant with letters to delete, and how many by each rule. 1; 0: none; -1. */
static int next_tenant(struct retention *r, struct err *e)
{
        int found;

        r->now = clock_wall();
        if (archive_warned(r->config.archive, r->now - notice(r), &r->warned, e) != 0)
                return -1;
        struct db_value after = {.kind = DB_NULL};
        if (r->begun)
                after = value_string(bytes_of_text(r->tenant));
        AUTO_QUERY *s = archive_query(r->config.archive, due_sql,
                                      DB_VALUES(after, value_int(r->config.tenant_bytes),
                                                value_int(before(r, RULE_ENDED)),
                                                value_int(before(r, RULE_SIZE)),
                                                value_int(before(r, RULE_DEAD))),
                                      e);
        while ((found = db_step(s, e)) == 1) {
                int64_t all = 0;
                for (int rule = 0; rule < RULE_COUNT; rule++) {
                        r->due[rule] = sqlite3_column_int64(s, 1 + rule);
                        all += r->due[rule];
                }
                if (all > 0) {
                        db_text(s, 0, r->tenant, sizeof(r->tenant));
                        r->begun = true;
                        return 1;
                }
        }
        return found;
}

static void begin_rule(struct retention *r, enum rule rule)
{
        r->rule = rule;
        if (rule == RULE_COUNT || r->due[rule] == 0)
                return;
        LOG_AT(rule == RULE_DEAD ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, rules[rule].what,
               log_text("tenant", r->tenant), log_int("letters", r->due[rule]));
}

/* Deletes some letters of the tenant by the current rule. 1: there may be more; 0: none left; -1.
 */
static int step(struct retention *r, struct err *e)
{
        const struct archive_expiry expiry = {
                .tenant = r->tenant,
                .dead = r->rule == RULE_DEAD,
                .before = before(r, r->rule),
                .down_to = r->rule == RULE_SIZE ? r->config.tenant_bytes : 0};
        size_t gone = 0;

        if (r->due[r->rule] == 0)
                return 0;
        if (archive_expire(r->config.archive, &expiry, &gone, e) != 0)
                return -1;
        metric_increment(r->expired, (double)gone, rules[r->rule].word);
        return gone > 0;
}

/* Calls `each` for every tenant with letters: their bytes, and how many untouched ones expire
 * within the notice. */
static int each_tenant(const struct retention *r, msec now, retention_tenant_fn *each, void *owner,
                       struct err *e)
{
        AUTO_QUERY *s =
                archive_query(r->config.archive, expiring_sql,
                              DB_VALUES(value_int(now - r->config.keep_dead + notice(r))), e);
        char tenant[TENANT_SIZE];
        int found;

        while ((found = db_step(s, e)) == 1) {
                db_text(s, 0, tenant, sizeof(tenant));
                each(owner, tenant, sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2));
        }
        return found;
}

static void warn_of_one(void *owner, const char *tenant, int64_t bytes, int64_t expiring)
{
        const struct retention *r = owner;

        if (expiring > 0)
                LOG_WARN("letters that nobody touched will be deleted within 7 days: replay or "
                         "copy them",
                         log_text("tenant", tenant), log_int("letters", expiring));
        if (bytes > r->config.tenant_bytes)
                LOG_WARN("a tenant's letters take more than tenant_bytes",
                         log_text("tenant", tenant), log_int("bytes", bytes));
}

/* Once a day; more often when the notice is shorter, so that letters do not outstay keep_dead. */
static void warn_ahead(struct retention *r)
{
        struct err e = {0};
        msec now = clock_wall(), ahead = notice(r);

        if (r->warned_at != 0 && now - r->warned_at < (ahead < MSEC_DAY ? ahead : MSEC_DAY))
                return;
        r->warned_at = now;
        if (each_tenant(r, now, warn_of_one, r, &e) != 0 ||
            archive_note_warning(r->config.archive, now, now - r->config.keep_dead + ahead,
                                 now - ahead, &e) != 0)
                LOG_WARN("cannot count expiring letters", log_err(&e));
}

/* 1: call again soon; 0: the pass is over; -1. */
static int advance(struct retention *r, struct err *e)
{
        if (r->rule == RULE_COUNT) {
                int found = next_tenant(r, e);
                if (found == 1)
                        begin_rule(r, RULE_ENDED);
                return found;
        }
        int more = step(r, e);
        if (more != 0)
                return more;
        begin_rule(r, r->rule + 1);
        return 1;
}

static void on_alarm(void *owner)
{
        struct retention *r = owner;
        struct err e = {0};
        int more;

        warn_ahead(r);
        more = advance(r, &e);
        if (more == 0)
                more = archive_give_back(r->config.archive, &e);
        if (more > 0) {
                alarm_set(r->alarm, STEP_WAIT);
                return;
        }
        if (more < 0)
                LOG_WARN("cannot delete old letters; trying again", log_err(&e));
        r->begun = false;
        r->rule = RULE_COUNT;
        alarm_set(r->alarm, PASS_WAIT);
}

static void set_gauges(void *owner, const char *tenant, int64_t bytes, int64_t expiring)
{
        const struct retention *r = owner;

        metric_set(r->bytes, (double)bytes, tenant);
        metric_set(r->expiring, (double)expiring, tenant);
}

void retention_collect(struct retention *r)
{
        struct err e = {0};

        metric_reset(r->bytes);
        metric_reset(r->expiring);
        if (each_tenant(r, clock_wall(), set_gauges, r, &e) != 0)
                LOG_WARN("cannot count expiring letters", log_err(&e));
}

int retention_each_tenant(const struct retention *r, retention_tenant_fn *each, void *owner,
                          struct err *e)
{
        return each_tenant(r, clock_wall(), each, owner, e);
}

struct retention *retention_create(const struct retention_config *c)
{
        static const struct metric_spec expired = {
                .name = "warren_dead_letters_expired_total",
                .help = "Letters deleted from the archive, by rule: ended, size, untouched",
                .kind = METRIC_COUNTER,
                .labels = {"rule"},
        };
        static const struct metric_spec expiring = {
                .name = "warren_dead_letters_expiring",
                .help = "Letters that nobody touched and that will be deleted within 7 days",
                .kind = METRIC_GAUGE,
                .labels = {"tenant"},
        };
        static const struct metric_spec bytes = {
                .name = "warren_dead_letters_bytes",
                .help = "Bytes that a tenant's letters take in the archive",
                .kind = METRIC_GAUGE,
                .labels = {"tenant"},
        };
        struct retention *r = xcalloc(1, sizeof(*r));

        r->config = *c;
        r->rule = RULE_COUNT;
        r->expired = metric_add(c->metrics, &expired);
        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
                metric_increment(r->expired, 0,
                                 rules[i].word); /* so that it is shown from the start */
        r->expiring = metric_add(c->metrics, &expiring);
        r->bytes = metric_add(c->metrics, &bytes);
        r->alarm = alarm_create(c->loop, on_alarm, r);
        alarm_set(r->alarm, 0);
        return r;
}

void retention_destroy(struct retention **retention)
{
        struct retention *r = TAKE(*retention);

        if (r == NULL)
                return;
        alarm_destroy(&r->alarm);
        free(r);
}
