/* SPDX-License-Identifier: Apache-2.0
 *
 * projection.c: folds a batch of the stream in memory, and has it written in one transaction.
 */
#include "status-store/projection/projection.h"

#include <string.h>

#include "common/amqp/pack.h"
#include "common/base/json_read.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/projection/history.h"
#include "status-store/projection/job_entry.h"
#include "status-store/projection/milestones.h"
#include "status-store/projection/projection_write.h"

/* How far a consumer has read stream `marks`. */
struct seen_mark {
        char worker[WORKER_NAME_SIZE];
        int64_t mark;
};

struct projection {
        struct store *store;
        struct tally *tally;
        struct job_limits limits;
        struct projection_events on;
        void *owner; /* of `on` */

        /* The batch. */
        struct job_entry *jobs;
        struct buffer markers; /* UUID_SIZE bytes each */
        struct buffer acts;    /* lines */
        struct buffer seen;    /* struct seen_mark each */
        struct position next;  /* the position after the batch */
        size_t messages, bytes;
        int64_t new_seq, end_seq; /* seqs for new jobs of the message being folded */
        msec now;
        int64_t folding; /* place of the message being folded, in a pack that of its entry */
        bool from_service, from_gateway, from_consumer; /* who published it */
        uint64_t skipped;                               /* of it */
        struct err failure;

        struct position position;
};

struct projection *projection_create(struct store *store, size_t payload_max, struct err *e)
{
        AUTO(projection) p = xcalloc(1, sizeof(*p));
        p->store = store;
        p->limits.payload_max = payload_max;
        p->tally = tally_create(store_database(store));
        if (store_position(store, &p->position, e) != 0)
                return NULL;
        p->next = p->position;
        return TAKE(p);
}

void projection_destroy(struct projection **p)
{
        if (*p == NULL)
                return;
        projection_forget(*p);
        tally_destroy(&(*p)->tally);
        buffer_fini(&(*p)->markers);
        buffer_fini(&(*p)->acts);
        buffer_fini(&(*p)->seen);
        free(*p);
        *p = NULL;
}

void projection_on_commit(struct projection *p, const struct projection_events *on, void *owner)
{
        p->on = *on;
        p->owner = owner;
}

static void clear_batch(struct projection *p)
{
        struct job_entry *jobs = p->jobs;
        HASH_CLEAR(hh, p->jobs);
        while (jobs != NULL) {
                struct job_entry *j = jobs;
                jobs = j->hh.next;
                job_entry_free(j);
        }
        buffer_clear(&p->markers);
        buffer_clear(&p->acts);
        buffer_clear(&p->seen);
        tally_clear(p->tally);
        p->next = p->position;
        p->messages = 0;
        p->bytes = 0;
        err_clear(&p->failure);
}

void projection_forget(struct projection *p)
{
        if (p->messages > 0)
                store_rollback(p->store);
        clear_batch(p);
}

size_t projection_messages(const struct projection *p)
{
        return p->messages;
}

size_t projection_bytes(const struct projection *p)
{
        return p->bytes;
}

const struct position *projection_position(const struct projection *p)
{
        return &p->position;
}

int64_t projection_take_oldest_minute(struct projection *p)
{
        return tally_take_oldest(p->tally);
}

const struct position *projection_next(const struct projection *p)
{
        return &p->next;
}

void projection_note_gap(struct projection *p, int64_t from, int64_t to)
{
        p->next.gaps++;
        p->next.gap_from = from;
        p->next.gap_to = to;
}

/* The type's number in `names`; 0: unknown. */
static int64_t type_ref(struct projection *p, const struct job_row *row)
{
        const char *type = job_row_type(row);
        return type[0] == '\0' ? 0 : names_ref(store_names(p->store), type, &p->failure);
}

/* The job's entry, loaded when new; NULL: the batch failed, or the message has too many jobs. */
static struct job_entry *find_job(struct projection *p, const struct event *e)
{
        struct job_entry_key key = {
                .tenant = names_ref(store_names(p->store), e->tenant, &p->failure)};
        if (key.tenant < 0 || !uuid_pack(bytes_of_text(e->id), key.id))
                return NULL;
        struct job_entry *j = NULL;
        HASH_FIND(hh, p->jobs, &key, sizeof(key), j);
        if (j != NULL)
                return j;
        if (p->new_seq == p->end_seq) {
                p->next.skipped++;
                return NULL;
        }
        j = xcalloc(1, sizeof(*j));
        j->key = key;
        j->was_shelf = -1;
        int found = store_find(p->store, key.tenant, key.id, &j->job, &p->failure);
        if (found < 0) {
                job_entry_free(j);
                return NULL;
        }
        j->stored = found == 1;
        if (j->stored) {
                j->was_shelf = j->job.shelf;
                j->forgotten = j->job.row.forgotten_run;
                j->type = type_ref(p, &j->job.row);
                j->was_type = j->type;
                if (j->job.others > 0 &&
                    store_load_others(p->store, j->job.seq, &j->job.row.facts, &p->failure) != 0)
                        (void)err_wrap(&p->failure, "other contents");
                j->was_keyed = job_row_key(&j->job.row) != NULL;
                j->was_find = job_row_find(&j->job.row);
                if (j->job.history.length == 0) /* written before there were histories */
                        history_note_gap(&j->job.history);
        } else {
                j->job.seq = p->new_seq++;
        }
        HASH_ADD(hh, p->jobs, key, sizeof(j->key), j);
        return j;
}

static void load_attempt(void *owner, const struct attempt_row *a)
{
        struct job_entry *j = owner;
        struct attempt_entry *into = job_entry_attempt(j, a->run, a->attempt);
        into->row = *a;
        into->row.error = (struct buffer){0};
        if (a->error.length > 0)
                buffer_add(&into->row.error, a->error.data, a->error.length);
}

/* Notes a start, or that its worker gave it back. A start given back did not kill its worker. */
static void note_start(struct job_entry *j, const struct event *e)
{
        struct start *s = job_entry_add_start(j);
        *s = (struct start){.run = e->run,
                            .attempt = e->attempt,
                            .digest = e->digest,
                            .at = e->at,
                            .released = e->kind == EVENT_RELEASED};
        event_worker(e, s->worker);
        j->dirty = true;
}

/* Folds the event into its attempt. True when it is the first event that ends the attempt. */
static bool fold_attempt(struct projection *p, struct job_entry *j, const struct event *e,
                         const struct arrival *arrival)
{
        int64_t run = 0;
        int64_t attempt = 0;
        if (e->run <= j->job.row.forgotten_run)
                return false;
        if (job_entry_must_spill(j, e))
                job_entry_spill(j);
        if (!event_attempt(e, &run, &attempt))
                return false;
        if (!j->job.spilled)
                return e->kind == EVENT_COMPLETED && j->job.row.finish.run == 0;
        if (!j->attempts_loaded) {
                j->attempts_loaded = true;
                if (store_each_attempt(p->store, j->job.seq, load_attempt, j, &p->failure) != 0)
                        return false;
        }
        struct attempt_entry *a = job_entry_attempt(j, run, attempt);
        bool had_ended = attempt_row_has_ended(&a->row);
        if (attempt_row_fold(&a->row, e, arrival))
                a->dirty = j->dirty = true;
        if (e->kind == EVENT_STARTED || (e->kind == EVENT_RELEASED && !e->lost))
                note_start(j, e);
        return !had_ended && attempt_row_has_ended(&a->row);
}

/* Events before the first time of a service get that time. */
static void date_all(struct projection *p, msec first)
{
        for (struct job_entry *j = p->jobs; j != NULL; j = j->hh.next)
                job_entry_date(j, first);
        if (!err_is_set(&p->failure) && store_date(p->store, first, &p->failure) != 0)
                (void)err_wrap(&p->failure, "setting times");
}

static void advance_clock(struct projection *p, msec at)
{
        if (at <= p->next.clock)
                return;
        if (p->next.clock == 0)
                date_all(p, at);
        p->next.clock = at;
}

/* True after a rewind, until the clock passes what was counted before it. */
static bool repeats_history(const struct projection *p)
{
        return p->next.counted > 0 && p->next.clock <= p->next.counted;
}

/* The row is older than the last rewind. */
static bool is_from_before_rewind(const struct projection *p, const struct job_entry *j)
{
        return j->job.seq < p->next.base * SEQ_PER_OFFSET;
}

/* A client published the job or another with its id. A service's publication counts only when it
 * is the submission itself: no other message with that content is known, or only later ones, which
 * were read before it. */
static bool is_published(const struct stored_job *job, const struct event *e)
{
        if (e->kind != EVENT_SUBMITTED || e->job.from_outside)
                return e->kind == EVENT_SUBMITTED;
        bool first = job->published == 0 || facts_find(job->row.facts, e->content) == NULL;
        return e->run == 1 && e->copy == 0 && !e->job.again && first;
}

/* In the transaction of the batch; the records need no folding. */
static void write_worker(struct projection *p, const struct event *e)
{
        struct scan_value state = {0};
        char word[16] = "";
        if (scan_find(scan_root(e->raw), "state", &state))
                (void)json_copy_text(state, word, sizeof(word));
        (void)!store_put_worker(p->store, e->worker, e->at, word, e->raw, &p->failure);
}

/* Of any other publisher it proves nothing. */
static void note_act(struct projection *p, const struct event *e)
{
        if (!p->from_gateway || p->on.acts == NULL)
                return;
        buffer_add(&p->acts, e->raw.data, e->raw.length);
        buffer_add_char(&p->acts, '\n');
}

static void note_seen(struct projection *p, const struct event *e)
{
        struct seen_mark seen = {.mark = e->mark};
        event_worker(e, seen.worker);
        if (seen.worker[0] != '\0')
                buffer_add(&p->seen, &seen, sizeof(seen));
}

static void fold_event(void *owner, const struct event *e)
{
        struct projection *p = owner;
        p->next.events++;
        if (p->from_service)
                advance_clock(p, e->at);
        if (err_is_set(&p->failure))
                return;
        if (e->kind == EVENT_WORKER && p->from_consumer)
                write_worker(p, e);
        if (e->kind == EVENT_ACT || e->kind == EVENT_ACTED)
                note_act(p, e);
        if (e->kind == EVENT_SEEN && p->from_consumer)
                note_seen(p, e);
        if (!event_is_of_job(e))
                return;
        struct job_entry *j = find_job(p, e);
        if (j == NULL)
                return;
        struct job_row *row = &j->job.row;
        const struct milestones was = milestones_of(row);
        int64_t was_run = row->message.run;
        uint64_t was_content = job_row_facts(row)->content;
        uint64_t was_hint = row->hint_key.digest;
        if (is_published(&j->job, e) && !(repeats_history(p) && is_from_before_rewind(p, j))) {
                j->job.published++;
                j->dirty = true;
        }
        const struct arrival arrival = {p->folding, p->next.clock};
        bool attempt_ended = fold_attempt(p, j, e, &arrival);
        if (job_row_fold(row, e, &arrival))
                j->dirty = true;
        if (history_add(&j->job.history, e, event_time(e, &arrival)))
                j->dirty = true;
        if (was_run != 0 && was_run != row->message.run)
                j->drop_payloads = true;
        if (was_run != row->message.run || was_content != job_row_facts(row)->content ||
            was_hint != row->hint_key.digest)
                j->type = type_ref(p, row);
        if (!repeats_history(p))
                milestones_count(p->tally, &(struct job_change){.tenant = j->key.tenant,
                                                                .type = j->type,
                                                                .row = row,
                                                                .event = e,
                                                                .was = was,
                                                                .attempt_ended = attempt_ended,
                                                                .clock = p->next.clock,
                                                                .now = p->now});
}

static void note_marker(struct projection *p, const struct message *m)
{
        char id[UUID_SIZE];
        if (bytes_equal_text(m->type, "probe") && uuid_parse(m->message_id, id))
                buffer_add(&p->markers, id, sizeof(id));
}

/* m: a message of the stream, or one that came in a pack. */
static void fold_message(void *owner, const struct message *m)
{
        struct projection *p = owner;
        events_of_message(m, &p->limits, fold_event, p, &p->skipped);
        p->folding++;
        p->messages++;
}

void projection_fold(struct projection *p, const struct message *m, int64_t offset)
{
        size_t before = p->messages;
        if (p->messages == 0) {
                p->now = clock_wall();
                /* Folding may insert names. */
                if (store_begin(p->store, &p->failure) != 0)
                        (void)err_wrap(&p->failure, "begin");
        }
        if (!p->next.known) {
                p->next.known = true;
                p->next.first_offset = offset;
        }
        p->folding = p->new_seq = (p->next.base + offset) * SEQ_PER_OFFSET;
        p->end_seq = p->new_seq + SEQ_PER_OFFSET;
        p->from_service = job_message_is_from_service(m);
        p->from_gateway = bytes_equal_text(m->user_id, "warren-gateway");
        p->from_consumer = bytes_equal_text(m->user_id, "warren-consumer");
        p->skipped = 0;
        pack_each(m, fold_message, p, &p->skipped);
        p->messages += p->messages == before; /* a pack may carry none */
        note_marker(p, m);
        p->next.skipped += (int64_t)p->skipped;
        p->next.messages++;
        p->next.offset = offset;
        p->next.hash = message_fingerprint(m);
        p->bytes += m->body.length + m->properties.length;
}

static int write_batch(struct projection *p, struct err *e)
{
        if (err_is_set(&p->failure))
                return err_set(e, p->failure.code, "%s", p->failure.text);
        if (projection_write(p->store, p->tally, p->jobs, e) != 0 || tally_write(p->tally, e) != 0)
                return -1;
        if (p->acts.length > 0 && p->on.acts(p->owner, buffer_bytes(&p->acts), e) != 0)
                return -1;
        return store_commit(p->store, &p->next, e);
}

static void notify_keyed(struct projection *p, const struct job_entry *j)
{
        const char *key = j->was_keyed ? NULL : job_row_key(&j->job.row);
        if (key == NULL)
                return;
        const struct keyed_job job = {.tenant = j->job.row.tenant, .key = key, .id = j->job.row.id};
        p->on.keyed(p->owner, &job);
}

static void notify_seen(struct projection *p)
{
        struct seen_mark s;
        for (size_t at = 0; at < p->seen.length; at += sizeof(s)) {
                memcpy(&s, p->seen.data + at, sizeof(s));
                p->on.seen(p->owner, bytes_of_text(s.worker), s.mark);
        }
}

static void notify_batch(struct projection *p)
{
        for (struct job_entry *j = p->jobs; p->on.changed != NULL && j != NULL; j = j->hh.next) {
                if (j->dirty)
                        p->on.changed(p->owner, j->job.row.tenant, j->job.row.id);
        }
        for (struct job_entry *j = p->jobs; p->on.keyed != NULL && j != NULL; j = j->hh.next)
                notify_keyed(p, j);
        if (p->on.seen != NULL)
                notify_seen(p);
        for (size_t at = 0; p->on.passed != NULL && at < p->markers.length; at += UUID_SIZE)
                p->on.passed(p->owner, p->markers.data + at);
}

int projection_commit(struct projection *p, struct err *e)
{
        if (p->messages == 0)
                return 0;
        if (write_batch(p, e) != 0) {
                projection_forget(p);
                return -1;
        }
        p->position = p->next;
        notify_batch(p);
        clear_batch(p);
        return 0;
}

int projection_rewind(struct projection *p, struct err *e)
{
        projection_forget(p);
        if (store_rewind(p->store, e) != 0)
                return -1;
        if (store_position(p->store, &p->position, e) != 0)
                return -1;
        p->next = p->position;
        return 0;
}
