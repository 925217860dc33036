/* SPDX-License-Identifier: Apache-2.0
 *
 * health_watch.c: the thread that checks.
 */
#include "status-store/health_watch.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/doctor/broker_checks.h"
#include "common/doctor/queue_checks.h"
#include "common/doctor/token_checks.h"
#include "status-store/health_facts.h"
#include "status-store/health_work.h"

#define WORK_EVERY ((msec)5 * MSEC_SECOND)
#define WORK_VALID ((msec)MSEC_SECOND)
#define NODES_EVERY ((msec)10 * MSEC_SECOND)
#define FIRST_PASS ((msec)5 * MSEC_SECOND) /* the other programs may be starting */
#define READ_LATELY ((msec)5 * MSEC_MINUTE)
#define LOOK_PAUSE ((msec)3300)         /* so the third look settles what is idle */
#define READER_WAIT ((msec)MSEC_SECOND) /* less than a gateway waits for the answer */

enum { RARELY = 10, COST = 20 };

struct health_watch {
        struct health_watch_config config;
        struct doctor_broker broker;
        struct metric *metric;
        pthread_t thread;
        /* the thread's */
        struct token_checks *tokens;
        msec work_at, nodes_at; /* when the next is due */
        bool reachable;         /* the management API, at the last look */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool ending;
        struct findings *work, *nodes, *queues;
        msec worked_at; /* when the look that made `work` began */
        msec read_at;   /* when somebody read the findings; 0: never */
        msec pass_at;   /* when the last pass over the queues ended; 0: the next is due */
        msec pass_took; /* all its calls of the management API, without the pauses between them */
};

static void check_provisioning(const struct health_watch *w, struct findings *f)
{
        struct err why = {0};

        if (provisioning_check(w->config.provisioning, &why) == 0)
                findings_add(f, CHECK_PROVISIONING, FINDING_OK, NULL, NULL);
        else
                findings_add(f, CHECK_PROVISIONING, FINDING_WRONG, why.text,
                             "start the broker, or see the log of the primary status-store, whose "
                             "login warren-provision may be refused");
}

/* Takes the new findings over, with their times. */
static void replace_locked(struct findings **kept, struct findings **made)
{
        findings_note_times(*made, *kept, clock_wall());
        findings_destroy(kept);
        *kept = TAKE(*made);
}

static void replace(struct health_watch *w, struct findings **kept, struct findings **made)
{
        pthread_mutex_lock(&w->mutex);
        replace_locked(kept, made);
        pthread_mutex_unlock(&w->mutex);
}

/* The store may be busy for seconds: nobody waits for it with the mutex held. Of two threads that
 * look at once, the one that began later has the last word. */
static void check_work(struct health_watch *w)
{
        const msec began = clock_mono();
        AUTO(findings) made = findings_create();
        struct lag lag = freshness_lag(w->config.freshness, clock_wall());
        struct err why = {0};
        AUTO_READER *reader = readers_take_within(w->config.readers, READER_WAIT, &why);

        if (reader == NULL || health_work_check(reader, &lag, made, &why) != 0)
                findings_add(made, CHECK_PROJECTION, FINDING_WRONG, why.text,
                             "see the log of the primary status-store");
        readers_give(&reader);
        check_provisioning(w, made);
        pthread_mutex_lock(&w->mutex);
        if (began >= w->worked_at) {
                replace_locked(&w->work, &made);
                w->worked_at = began;
        }
        pthread_mutex_unlock(&w->mutex);
}

static void check_nodes(struct health_watch *w)
{
        AUTO(findings) made = findings_create();
        AUTO(findings) none = findings_create();
        bool was = w->reachable;

        w->reachable = broker_checks_nodes(&w->broker,
                                           "start the broker, or see management_url, "
                                           "management_login and management_password_file of the "
                                           "primary status-store",
                                           made);
        replace(w, &w->nodes, &made);
        if (!w->reachable)
                replace(w, &w->queues, &none);
        if (was || !w->reachable)
                return;
        pthread_mutex_lock(&w->mutex);
        w->pass_at = 0; /* the broker is back: look soon */
        pthread_mutex_unlock(&w->mutex);
}

/* False when the thread is to end. */
static bool wait_until(struct health_watch *w, msec until)
{
        pthread_mutex_lock(&w->mutex);
        while (!w->ending && condition_wait(&w->changed, &w->mutex, until))
                continue;
        bool goes_on = !w->ending;
        pthread_mutex_unlock(&w->mutex);
        return goes_on;
}

static msec look_pause(msec looked)
{
        return looked > LOOK_PAUSE ? looked : LOOK_PAUSE;
}

/* What a pass of the costly checks knows and makes. */
struct pass {
        struct doctor_facts facts;
        struct findings *made;
        msec took; /* its calls of the management API, without the pauses between them */
};

/* One look at all queues; its time is added to p->took. `tokens`: a look at the limits too. */
static int look_at_queues(struct health_watch *w, struct pass *p, struct queue_checks *checks,
                          struct token_checks *tokens, struct err *e)
{
        AUTO_QUEUES queues = {0};
        const struct doctor_look look = {&p->facts, &queues, clock_mono()};
        int failed = queue_list_read(&queues, &w->broker, e);

        if (failed == 0 && tokens != NULL)
                token_checks_look(tokens, &look);
        if (failed == 0)
                failed = queue_checks_look(checks, &w->broker, &look, e);
        p->took += clock_mono() - look.at;
        return failed;
}

/* Looks until the counts of queues are settled; that takes some seconds when one is idle. A pause
 * is at least as long as the look before it. False: the thread is to end. */
static bool check_queues(struct health_watch *w, struct pass *p)
{
        AUTO(queue_checks) checks = queue_checks_create();
        struct token_checks *tokens = w->tokens; /* once */
        struct err why = {0};

        for (;;) {
                const msec before = p->took;
                if (look_at_queues(w, p, checks, tokens, &why) != 0) {
                        findings_add(p->made, CHECK_CONSUMERS, FINDING_UNKNOWN, why.text, NULL);
                        if (tokens != NULL)
                                findings_add(p->made, CHECK_LIMITS, FINDING_UNKNOWN, why.text,
                                             NULL);
                        return true;
                }
                if (tokens != NULL)
                        token_checks_report(tokens, p->made);
                tokens = NULL;
                if (queue_checks_are_settled(checks, clock_mono()))
                        break;
                if (!wait_until(w, clock_mono() + look_pause(p->took - before)))
                        return false;
        }
        queue_checks_report(checks, true, p->made);
        return true;
}

/* False: the thread is to end. */
static bool check_broker(struct health_watch *w, struct pass *p)
{
        struct err why = {0};
        const msec began = clock_mono();

        if (health_facts_read(w->config.registry, w->config.control, &p->facts, &why) != 0) {
                findings_add(p->made, CHECK_TOPOLOGY, FINDING_UNKNOWN, why.text, NULL);
                return true;
        }
        broker_checks_version(&w->broker, p->made);
        broker_checks_topology(&w->broker, &p->facts, p->made);
        p->took = clock_mono() - began;
        return check_queues(w, p);
}

/* The costly checks, once. False: the thread is to end. */
static bool pass(struct health_watch *w)
{
        struct pass p = {.made = findings_create()};
        bool goes_on = check_broker(w, &p);

        doctor_facts_fini(&p.facts);
        if (goes_on)
                replace(w, &w->queues, &p.made);
        findings_destroy(&p.made);
        pthread_mutex_lock(&w->mutex);
        w->pass_at = clock_mono();
        w->pass_took = p.took;
        pthread_mutex_unlock(&w->mutex);
        return goes_on;
}

/* While something is wrong or suspected, sooner: whoever mends it waits for it. */
static msec next_pass_locked(const struct health_watch *w)
{
        msec every = w->config.every;
        bool read_lately = w->read_at != 0 && clock_mono() - w->read_at < READ_LATELY;
        bool is_wrong = findings_in(w->queues, FINDING_WRONG) > 0;

        if (w->pass_at == 0)
                return 0;
        if (!read_lately)
                every *= RARELY;
        else if (is_wrong && every > NODES_EVERY)
                every = NODES_EVERY;
        if (token_checks_suspect(w->tokens) && every > NODES_EVERY)
                every = NODES_EVERY;
        return w->pass_at + (every > COST * w->pass_took ? every : COST * w->pass_took);
}

/* When the next check is due. Wakes up when somebody begins to read the findings. */
static bool wait_for_next(struct health_watch *w)
{
        pthread_mutex_lock(&w->mutex);
        while (!w->ending) {
                msec next = w->work_at;
                if (w->config.management != NULL && w->nodes_at < next)
                        next = w->nodes_at;
                if (w->reachable && next_pass_locked(w) < next)
                        next = next_pass_locked(w);
                if (next <= clock_mono() || !condition_wait(&w->changed, &w->mutex, next))
                        break;
        }
        bool goes_on = !w->ending;
        pthread_mutex_unlock(&w->mutex);
        return goes_on;
}

static bool pass_is_due(struct health_watch *w)
{
        pthread_mutex_lock(&w->mutex);
        bool due = w->reachable && next_pass_locked(w) <= clock_mono();
        pthread_mutex_unlock(&w->mutex);
        return due;
}

static void *run(void *owner)
{
        struct health_watch *w = owner;

        do {
                if (clock_mono() >= w->work_at) {
                        check_work(w);
                        w->work_at = clock_mono() + WORK_EVERY;
                }
                if (w->config.management != NULL && clock_mono() >= w->nodes_at) {
                        check_nodes(w);
                        w->nodes_at =
                                clock_mono() +
                                (w->config.every < NODES_EVERY ? w->config.every : NODES_EVERY);
                }
                if (pass_is_due(w) && !pass(w))
                        break;
        } while (wait_for_next(w));
        return NULL;
}

static void set_metric(const struct health_watch *w, const struct findings *f)
{
        for (size_t i = 0; i < findings_count(f); i++) {
                const struct finding *found = findings_at(f, i);
                const char *check = check_kinds[found->check].name;
                metric_increment(w->metric, 0, check); /* so that it is shown */
                if (found->state == FINDING_WRONG)
                        metric_set(w->metric, 1, check);
        }
}

static void collect(void *owner)
{
        struct health_watch *w = owner;

        metric_reset(w->metric);
        pthread_mutex_lock(&w->mutex);
        set_metric(w, w->work);
        set_metric(w, w->nodes);
        set_metric(w, w->queues);
        pthread_mutex_unlock(&w->mutex);
}

void health_watch_write(struct health_watch *w, struct buffer *out)
{
        AUTO(findings) all = findings_create();

        pthread_mutex_lock(&w->mutex);
        w->read_at = clock_mono();
        pthread_cond_signal(&w->changed);
        bool looks = findings_in(w->work, FINDING_OK) < findings_count(w->work) ||
                     clock_mono() - w->worked_at >= WORK_VALID;
        pthread_mutex_unlock(&w->mutex);
        if (looks)
                check_work(w);
        pthread_mutex_lock(&w->mutex);
        findings_copy(all, w->work, LAYER_WORK);
        findings_copy(all, w->nodes, LAYER_BROKER);
        findings_copy(all, w->queues, LAYER_BROKER);
        pthread_mutex_unlock(&w->mutex);
        findings_write_checks(all, out);
}

static void fini(struct health_watch *w)
{
        pthread_cond_destroy(&w->changed);
        pthread_mutex_destroy(&w->mutex);
        findings_destroy(&w->work);
        findings_destroy(&w->nodes);
        findings_destroy(&w->queues);
        token_checks_destroy(&w->tokens);
        free(w);
}

struct health_watch *health_watch_create(const struct health_watch_config *c, struct err *e)
{
        struct health_watch *w = xcalloc(1, sizeof(*w));

        w->config = *c;
        w->broker = (struct doctor_broker){.management = c->management, .vhost = c->vhost};
        w->tokens = token_checks_create();
        w->work = findings_create();
        w->nodes = findings_create();
        w->queues = findings_create();
        w->reachable = c->management != NULL;
        w->pass_at = clock_mono() + FIRST_PASS - c->every * RARELY;
        if (c->management == NULL) {
                findings_add(w->nodes, CHECK_BROKER, FINDING_UNKNOWN,
                             "the primary status-store has no management_url",
                             "set management_url of the primary");
                findings_note_times(w->nodes, NULL, clock_wall());
        }
        pthread_mutex_init(&w->mutex, NULL);
        condition_init(&w->changed);
        if (pthread_create(&w->thread, NULL, run, w) != 0) {
                (void)err_set(e, ERR_SYSTEM, "cannot start the thread that checks the health");
                fini(w);
                return NULL;
        }
        w->metric = metric_add(c->metrics,
                               &(struct metric_spec){.name = "warren_health",
                                                     .help = "1: this check finds something wrong.",
                                                     .kind = METRIC_GAUGE,
                                                     .labels = {"check"}});
        metrics_on_collect(c->metrics, collect, w);
        return w;
}

void health_watch_destroy(struct health_watch **watch)
{
        struct health_watch *w = TAKE(*watch);

        if (w == NULL)
                return;
        pthread_mutex_lock(&w->mutex);
        w->ending = true;
        pthread_cond_signal(&w->changed);
        pthread_mutex_unlock(&w->mutex);
        pthread_join(w->thread, NULL);
        fini(w);
}
