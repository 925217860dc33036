/* SPDX-License-Identifier: Apache-2.0
 *
 * marks.c: a hash table of the marks of single jobs, another of bulk marks by tenant and type, and
 * a list of each in the order in which they came.
 */
#include "consumer/marks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* Zero-padded, for hashing. */
struct single_key {
        char tenant[TENANT_SIZE];
        unsigned char id[UUID_BYTES];
};

struct single {
        struct single_key key;
        bool ends; /* the job */
        struct mark_place place;
        msec at;
        struct single *prev, *next; /* in the order in which they came */
        UT_hash_handle hh;
};

/* "" for any. Zero-padded, for hashing. */
struct group_key {
        char tenant[TENANT_SIZE];
        char type[JOB_TYPE_SIZE];
};

struct bulk {
        struct mark mark;
        struct group *group;
        struct bulk *next_in_group;
        struct bulk *prev, *next; /* in the order in which they came */
};

struct group {
        struct group_key key;
        struct bulk *all;
        UT_hash_handle hh;
};

struct marks {
        size_t max_singles;
        msec keep;
        struct single *table, *singles;
        size_t single_count;
        struct group *groups;
        struct bulk *bulks;
        unsigned bulk_count;
        msec forgotten_until; /* `at` of the latest mark that was dropped for want of room; 0: none
                               */
};

/* With each come two pointers of the hash's buckets, and two words of malloc's. */
enum { SINGLE_BYTES = sizeof(struct single) + 4 * sizeof(void *) };

struct marks *marks_create(size_t max_bytes, msec keep)
{
        struct marks *m = xcalloc(1, sizeof(*m));

        m->max_singles = max_bytes / SINGLE_BYTES;
        m->keep = keep;
        return m;
}

static void drop_single(struct marks *m, struct single *s)
{
        assert(m->table != NULL);
        HASH_DEL(m->table, s);
        DL_DELETE(m->singles, s);
        m->single_count--;
        free(s);
}

static void drop_bulk(struct marks *m, struct bulk *b)
{
        struct group *g = b->group;

        assert(g->all != NULL && m->groups != NULL && m->bulks != NULL);
        struct bulk **at = &g->all;
        while (*at != b)
                at = &(*at)->next_in_group;
        *at = b->next_in_group;
        if (g->all == NULL) {
                HASH_DEL(m->groups, g);
                free(g);
        }
        DL_DELETE(m->bulks, b);
        m->bulk_count--;
        free(b);
}

void marks_destroy(struct marks **marks)
{
        struct marks *m = TAKE(*marks);

        if (m == NULL)
                return;
        while (m->singles != NULL)
                drop_single(m, m->singles);
        while (m->bulks != NULL)
                drop_bulk(m, m->bulks);
        free(m);
}

static void note_forgotten(struct marks *m, msec at)
{
        if (at > m->forgotten_until)
                m->forgotten_until = at;
}

/* It was dropped for want of room, and comes again with the stream after a reconnect. */
static bool was_forgotten(const struct marks *m, const struct mark *mark)
{
        return mark->at < m->forgotten_until;
}

static void make_room(struct marks *m)
{
        while (m->single_count > m->max_singles) {
                note_forgotten(m, m->singles->at);
                drop_single(m, m->singles);
        }
        while (m->bulk_count > MARKS_BULK_MAX) {
                note_forgotten(m, m->bulks->mark.at);
                drop_bulk(m, m->bulks);
        }
}

static bool key_of(const char *tenant, const char *id, struct single_key *out)
{
        memset(out, 0, sizeof(*out));
        memcpy(out->tenant, tenant, strnlen(tenant, sizeof(out->tenant)));
        return uuid_pack(bytes_of_text(id), out->id);
}

static bool note_single(struct marks *m, const struct mark *mark)
{
        struct single_key key;
        struct single *s;

        if (!key_of(mark->tenant, mark->id, &key))
                return false;
        HASH_FIND(hh, m->table, &key, sizeof(key), s);
        const struct mark_place place = {mark->run, mark->attempt, mark->copy};
        if (s == NULL ? was_forgotten(m, mark) : !mark_covers(place, s->place))
                return false;
        if (s == NULL) {
                s = xcalloc(1, sizeof(*s));
                s->key = key;
                HASH_ADD(hh, m->table, key, sizeof(s->key), s);
                m->single_count++;
        } else {
                DL_DELETE(m->singles, s);
        }
        DL_APPEND(m->singles, s);
        s->ends = mark_ends_the_job(mark);
        s->place = place;
        s->at = mark->at;
        return true;
}

static struct group *find_group(const struct marks *m, const char *tenant, const char *type)
{
        struct group_key key;
        struct group *g;

        memset(&key, 0, sizeof(key));
        memcpy(key.tenant, tenant, strnlen(tenant, sizeof(key.tenant)));
        memcpy(key.type, type, strnlen(type, sizeof(key.type)));
        HASH_FIND(hh, m->groups, &key, sizeof(key), g);
        return g;
}

static struct group *group_of(struct marks *m, const struct mark *mark)
{
        struct group *g = find_group(m, mark->tenant, mark->type);

        if (g != NULL)
                return g;
        g = xcalloc(1, sizeof(*g));
        memcpy(g->key.tenant, mark->tenant, strnlen(mark->tenant, sizeof(g->key.tenant)));
        memcpy(g->key.type, mark->type, strnlen(mark->type, sizeof(g->key.type)));
        HASH_ADD(hh, m->groups, key, sizeof(g->key), g);
        return g;
}

/* It covers all that the other covers. */
static bool covers_bulk(const struct mark *m, const struct mark *other)
{
        return m->before >= other->before && m->copy >= other->copy;
}

static bool is_covered_in(const struct group *g, const struct mark *mark)
{
        for (const struct bulk *b = g->all; b != NULL; b = b->next_in_group) {
                if (covers_bulk(&b->mark, mark))
                        return true;
        }
        return false;
}

static void drop_covered_by(struct marks *m, struct bulk *new)
{
        for (struct bulk *b = new->next_in_group, *next; b != NULL; b = next) {
                next = b->next_in_group;
                if (covers_bulk(&new->mark, &b->mark))
                        drop_bulk(m, b);
        }
}

static bool note_bulk(struct marks *m, const struct mark *mark)
{
        if (was_forgotten(m, mark))
                return false;
        struct group *g = group_of(m, mark);
        if (is_covered_in(g, mark))
                return false;
        struct bulk *b = xcalloc(1, sizeof(*b));
        b->mark = *mark;
        b->group = g;
        LL_PREPEND2(g->all, b, next_in_group);
        DL_APPEND(m->bulks, b);
        m->bulk_count++;
        drop_covered_by(m, b);
        return true;
}

bool marks_note(struct marks *m, const struct mark *mark, msec now)
{
        bool bulk = mark->id[0] == '\0';

        /* A job is moved by a mark of its own: there is a copy of it. */
        if (mark->at < now - m->keep || (bulk && !mark_ends_the_job(mark)))
                return false;
        bool changed = bulk ? note_bulk(m, mark) : note_single(m, mark);
        make_room(m);
        return changed;
}

void marks_drop_old(struct marks *m, msec now)
{
        while (m->singles != NULL && m->singles->at < now - m->keep)
                drop_single(m, m->singles);
        while (m->bulks != NULL && m->bulks->mark.at < now - m->keep)
                drop_bulk(m, m->bulks);
        if (m->forgotten_until < now - m->keep) /* by now they would be gone anyway */
                m->forgotten_until = 0;
}

static enum mark_verdict judge_single(const struct marks *m, const struct job *job)
{
        struct single_key key;
        struct single *s;

        if (m->table == NULL || !key_of(job->tenant, job->id, &key))
                return MARK_NONE;
        HASH_FIND(hh, m->table, &key, sizeof(key), s);
        const struct mark_place place = {job->run, job->attempt + 1, job->copy};
        if (s == NULL || !mark_covers(s->place, place))
                return MARK_NONE;
        return s->ends ? MARK_CANCELLED : MARK_MOVED;
}

static enum mark_verdict judge_in_group(const struct group *g, const struct job *job)
{
        if (g == NULL)
                return MARK_NONE;
        if (job->outside) /* its time of submission is what its publisher claims */
                return MARK_ASK;
        for (const struct bulk *b = g->all; b != NULL; b = b->next_in_group) {
                if (mark_covers_bulk(&b->mark, job))
                        return MARK_CANCELLED;
        }
        return MARK_NONE;
}

static enum mark_verdict judge_bulk(const struct marks *m, const struct job *job)
{
        enum mark_verdict verdict = MARK_NONE;

        for (int any = 0; any < 4 && m->groups != NULL && verdict == MARK_NONE; any++)
                verdict = judge_in_group(
                        find_group(m, any & 1 ? "" : job->tenant, any & 2 ? "" : job->type), job);
        return verdict;
}

/* A mark of it may have been dropped. */
static bool may_be_forgotten(const struct marks *m, const struct job *job)
{
        return m->forgotten_until != 0 &&
               (job->queued_at == 0 || job->queued_at <= m->forgotten_until + MARKS_CLOCKS);
}

enum mark_verdict marks_judge(const struct marks *m, const struct job *job)
{
        enum mark_verdict verdict = judge_single(m, job);

        if (verdict == MARK_NONE)
                verdict = judge_bulk(m, job);
        if (verdict == MARK_NONE && may_be_forgotten(m, job))
                return MARK_ASK;
        return verdict;
}

size_t marks_count(const struct marks *m)
{
        return m->single_count + m->bulk_count;
}

size_t marks_bytes(const struct marks *m)
{
        return m->single_count * SINGLE_BYTES +
               m->bulk_count * (sizeof(struct bulk) + sizeof(struct group));
}
