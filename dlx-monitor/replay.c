/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c: replaying letters, by request and after a crash.
 */
#include "dlx-monitor/replay.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/amqp/properties.h"
#include "common/amqp/wait.h"
#include "common/base/alarm.h"
#include "common/base/json_scan.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "dlx-monitor/grant.h"

enum { SWEEP_MAX = 100, SWEEP_PERIOD = 1000 /* ms */ };

#define AUTO_CONTENT __attribute__((cleanup(letter_content_fini))) struct letter_content

/* A letter that is being published right now. */
struct flight {
        char id[UUID_SIZE];
        struct replayer *replayer;
        UT_hash_handle hh;
};

struct replayer {
        struct replayer_config config;
        struct alarm *alarm;
        char swept[UUID_SIZE]; /* loop thread: the last letter swept, "" at the start. A letter that
                                  cannot be published is passed over, so that it does not block the
                                  others. */
        struct metric *replays;
        atomic_bool left; /* some letter may be "replaying" without a flight */
        pthread_mutex_t mutex;
        struct flight *flights; /* guarded by mutex */
};

/* NULL: the letter already has a flight. */
static struct flight *flight_begin(struct replayer *r, const char *id)
{
        struct flight *known, *f = NULL;

        pthread_mutex_lock(&r->mutex);
        HASH_FIND_STR(r->flights, id, known);
        if (known == NULL) {
                f = xcalloc(1, sizeof(*f));
                memcpy(f->id, id, UUID_SIZE);
                f->replayer = r;
                HASH_ADD_STR(r->flights, id, f);
        }
        pthread_mutex_unlock(&r->mutex);
        return f;
}

static void flight_destroy(struct flight **flight)
{
        struct flight *f = TAKE(*flight);

        if (f == NULL)
                return;
        pthread_mutex_lock(&f->replayer->mutex);
        HASH_DEL(f->replayer->flights, f);
        pthread_mutex_unlock(&f->replayer->mutex);
        free(f);
}

static void choose_lane(struct job *job, int priority)
{
        if (priority >= 0)
                job->priority = (enum priority)priority;
        if (job->lane != LANE_LONG)
                job->lane = (enum lane)job->priority;
}

/* checked: it is known to be JSON. */
static int check_payload(struct bytes payload, bool checked, size_t max, struct err *e)
{
        struct scan_fault fault;

        if (payload.length > max)
                return err_set(e, ERR_INVALID, "the payload has %zu bytes, more than %zu",
                               payload.length, max);
        if (!checked && scan_check(payload, SCAN_DEPTH_MAX, &fault) != 0)
                return err_set(e, ERR_INVALID,
                               "the payload is not one JSON value (%s): give another",
                               fault.detail);
        return 0;
}

/* Properties that cannot be read may contain a time, so run_at must be given too. */
static int view_properties(const struct letter_content *c, const struct replay_edit *edit,
                           struct message *m, struct err *e)
{
        if (properties_to_message(buffer_bytes(&c->properties), m, NULL) == 0)
                return 0;
        if (edit->type[0] == '\0' || !edit->sets_run_at)
                return err_set(e, ERR_INVALID,
                               "the dead letter's properties cannot be read: give type and run_at");
        *m = (struct message){.timestamp = -1};
        return 0;
}

/* Refuses a message whose time cannot be understood: it was meant to wait, so it must not run at
 * once. */
static int check_time(const struct message *m, struct err *e)
{
        static const char *const names[] = {"x-run-at", "x-delay"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                const struct header *h = message_header(m, names[i]);
                if (h != NULL && h->kind != HEADER_INT)
                        return err_set(e, ERR_INVALID,
                                       "the dead letter's %s cannot be understood: give run_at, or "
                                       "null for at once",
                                       names[i]);
        }
        return 0;
}

/* Never early: the letter's time stays, unless the edit sets another. x-delay counts from the
 * submission, which was before the burial. */
static int choose_time(const struct message *m, const struct replay_edit *edit, msec now,
                       struct job *job, struct err *e)
{
        if (edit->sets_run_at)
                job->run_at = edit->run_at;
        else if (check_time(m, e) != 0)
                return -1;
        if (job->run_at <= now)
                job->run_at = 0;
        return 0;
}

int replay_job(const struct letter_content *c, const struct replay_edit *edit, size_t payload_max,
               struct message *m, struct job *job, struct err *e)
{
        const struct job_limits limits = {.payload_max = SIZE_MAX};

        if (view_properties(c, edit, m, e) != 0)
                return -1;
        m->exchange = buffer_bytes(&c->exchange);
        m->routing_key = buffer_bytes(&c->routing_key);
        m->body = buffer_bytes(&c->body);
        /* The edit may mend what is invalid, so a failure is ignored here. */
        (void)!job_decode(m, &limits, c->dead_at, job, NULL);

        memcpy(job->id, c->job_id, sizeof(job->id));
        if (edit->type[0] != '\0')
                memcpy(job->type, edit->type, sizeof(job->type));
        if (edit->payload.length > 0)
                job->payload = edit->payload;
        choose_lane(job, edit->priority);
        job->attempt = job->copy = 0;
        job->due_at = 0;
        job->hop = job->again = false;
        if (job->tenant[0] == '\0')
                return err_set(e, ERR_INVALID, "the dead letter names no tenant");
        if (!job_type_is_valid(bytes_of_text(job->type)))
                return err_set(e, ERR_INVALID, "the dead letter has no valid type: give one");
        if (choose_time(m, edit, clock_wall(), job, e) != 0)
                return -1;
        /* A payload from an edit was checked as part of the request. */
        return check_payload(job->payload, edit->payload.length > 0, payload_max, e);
}

/* -1: not sent, or the outcome is unknown. */
static int publish(struct replayer *r, const struct job *job, enum link_result *result,
                   struct err *e)
{
        struct job_message m;

        job_encode(job, STATION_REPLAY, clock_wall(), &m);
        if (publish_and_wait(r->config.link, &m.message, result, e) != 0)
                return -1;
        return *result == LINK_CONFIRMED ? 0 : err_set(e, ERR_UNAVAILABLE, "no confirm");
}

/* The primary's numbers for the next run of the letter's job. */
static int ask_run(struct replayer *r, const char *letter, const struct letter_content *content,
                   struct replay_run *out, struct err *e)
{
        struct grant_ask ask = {.tenant = content->tenant,
                                .job = content->job_id,
                                .holder = letter,
                                .run = content->run};

        if (letters_greatest_run(r->config.archive, content, &ask.after, e) != 0)
                return -1;
        return grant_run(r->config.primary, &ask, out, e);
}

static void end_replay(struct replayer *r, const char *letter)
{
        struct err e = {0};

        if (archive_end_replay(r->config.archive, letter, clock_wall(), &e) == 0) {
                metric_increment(r->replays, 1);
                return;
        }
        LOG_WARN("a replay was published, but this was not stored: it will be published again",
                 log_text("letter", letter), log_err(&e));
        atomic_store(&r->left, true);
}

/* ERR_CONFLICT: the tenant is deleted. ERR_UNAVAILABLE: not now. */
static int check_can_publish(struct replayer *r, const char *tenant, struct err *e)
{
        struct tenant_record record;
        /* Asked first: until all tenants are known, one that exists may seem to be missing. */
        bool known = control_is_ready(r->config.control);

        if (!control_tenant(r->config.control, tenant, &record))
                return known ? err_set(e, ERR_CONFLICT, "tenant %s no longer exists", tenant)
                             : err_set(e, ERR_UNAVAILABLE,
                                       "tenants have not been read from the broker yet");
        if (!link_is_up(r->config.link))
                return err_set(e, ERR_UNAVAILABLE, "the broker is not reachable now");
        return 0;
}

int replayer_replay(struct replayer *r, const char *letter, const char *tenant,
                    const struct replay_edit *edit, struct replay_result *out, struct err *e)
{
        AUTO_CONTENT content = {0};
        struct err lost = {0};
        enum link_result result;
        struct replay_run run = {0};
        struct message m;
        struct job job;

        if (letters_content(r->config.archive, letter, tenant, &content, e) != 0 ||
            replay_job(&content, edit, r->config.payload_max, &m, &job, e) != 0 ||
            check_can_publish(r, job.tenant, e) != 0)
                return -1;
        AUTO(flight) flight = flight_begin(r, letter);
        if (flight == NULL)
                return err_set(e, ERR_CONFLICT, "the dead letter is being replayed");
        if (ask_run(r, letter, &content, &run, e) != 0 ||
            archive_begin_replay(r->config.archive, letter, edit, &run, e) != 0)
                return -1;
        job.run = run.run;
        job.copy = run.copy;
        memcpy(out->job_id, job.id, sizeof(out->job_id));
        memcpy(out->tenant, job.tenant, sizeof(out->tenant));
        out->run = job.run;
        out->run_at = job.run_at;
        out->confirmed = publish(r, &job, &result, &lost) == 0;
        if (out->confirmed)
                end_replay(r, letter);
        else
                atomic_store(&r->left, true);
        return 0;
}

static void on_republished(void *owner, enum link_result result)
{
        AUTO(flight) f = owner;

        if (result == LINK_CONFIRMED)
                end_replay(f->replayer, f->id);
}

static int republish(struct replayer *r, struct flight *f, struct letter_content *content,
                     struct err *e)
{
        const struct publish_wait wait = {.done = on_republished, .owner = f};
        struct job_message out;
        struct message m;
        struct job job;

        content->edit.payload = buffer_bytes(&content->edited);
        if (replay_job(content, &content->edit, SIZE_MAX, &m, &job, e) != 0)
                return -1;
        job.run = content->replay_run;
        job.copy = content->replay_copy;
        job.again = true;
        job_encode(&job, STATION_REPLAY, clock_wall(), &out);
        return link_publish(r->config.link, &out.message, &wait, e);
}

/* A letter of a deleted tenant must not reach a later tenant of the same name. */
static void abandon(struct replayer *r, const char *letter, const char *tenant)
{
        struct err e = {0};

        if (archive_abandon_replay(r->config.archive, letter, &e) == 0)
                LOG_WARN("a replay is abandoned: its tenant is deleted", log_text("letter", letter),
                         log_text("tenant", tenant));
        else
                LOG_WARN("cannot abandon a deleted tenant's replay", log_text("letter", letter),
                         log_err(&e));
}

static void sweep_one(struct replayer *r, const char *id)
{
        AUTO_CONTENT content = {0};
        struct err e = {0};

        AUTO(flight) f = flight_begin(r, id);
        if (f == NULL)
                return;
        if (letters_content(r->config.archive, id, NULL, &content, &e) != 0) {
                LOG_WARN("cannot read a replay", log_text("letter", id), log_err(&e));
                return;
        }
        /* The replay may have ended since the ids were read. */
        if (!content.replaying)
                return;
        if (check_can_publish(r, content.tenant, &e) != 0) {
                if (e.code == ERR_CONFLICT)
                        abandon(r, id, content.tenant);
                return;
        }
        if (republish(r, f, &content, &e) == 0)
                (void)TAKE(f);
        else if (e.code == ERR_CORRUPT || e.code == ERR_INVALID)
                LOG_WARN("cannot publish a replay", log_text("letter", id), log_err(&e));
}

static void on_alarm(void *owner)
{
        struct replayer *r = owner;
        char ids[SWEEP_MAX][UUID_SIZE];
        struct err e = {0};
        size_t count = 0;

        if (!link_is_up(r->config.link) || !atomic_exchange(&r->left, false))
                return;
        if (letters_replaying(r->config.archive, ids, SWEEP_MAX, r->swept, &count, &e) != 0) {
                atomic_store(&r->left, true);
                LOG_WARN("cannot read which letters are being replayed", log_err(&e));
                return;
        }
        /* Nothing found from the start: no letter is being replayed. */
        if (count > 0 || r->swept[0] != '\0')
                atomic_store(&r->left, true);
        for (size_t i = 0; i < count; i++)
                sweep_one(r, ids[i]);
        r->swept[0] = '\0';
        if (count == SWEEP_MAX)
                memcpy(r->swept, ids[count - 1], sizeof(r->swept));
}

struct replayer *replayer_create(const struct replayer_config *c)
{
        struct replayer *r = xcalloc(1, sizeof(*r));
        const struct metric_spec replays = {
                .name = "warren_dead_letters_replayed_total",
                .help = "Dead letters that were sent back as new runs",
                .kind = METRIC_COUNTER,
        };

        r->config = *c;
        r->replays = metric_add(c->metrics, &replays);
        atomic_store(&r->left, true);
        pthread_mutex_init(&r->mutex, NULL);
        r->alarm = alarm_create(c->loop, on_alarm, r);
        alarm_set_every(r->alarm, SWEEP_PERIOD);
        return r;
}

void replayer_destroy(struct replayer **replayer)
{
        struct replayer *r = TAKE(*replayer);

        if (r == NULL)
                return;
        alarm_destroy(&r->alarm);
        pthread_mutex_destroy(&r->mutex);
        free(r);
}
