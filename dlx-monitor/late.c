/* SPDX-License-Identifier: Apache-2.0
 *
 * late.c: asks POST /internal/v1/deliveries/check of the primary about late letters.
 */
#include "dlx-monitor/late.h"

#include <stdlib.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/rounds.h"

enum { PAGE_MAX = 200, ANSWER_DEPTH = 8 };
#define LOOK_EVERY ((msec)2 * MSEC_SECOND)

/* A job is forgotten a minute after its death, or when its letter was seen: earlier letters were
 * there to be deleted. */
#define LATE "5000"

struct late {
        struct archive *archive;
        struct http_client *primary;
        int64_t seen; /* the thread's: letters up to this one were asked about; like warned */
        bool warned;
        struct rounds *rounds;
};

struct page {
        struct late_letter {
                int64_t seq;
                char job[UUID_SIZE], tenant[TENANT_SIZE];
                bool forgotten;
        } all[PAGE_MAX];
        size_t count, answered;
        bool primary;
        struct buffer question;
};

static void page_destroy(struct page **page)
{
        struct page *p = TAKE(*page);
        if (p == NULL)
                return;
        buffer_fini(&p->question);
        free(p);
}

/* What names no job that a status-store may know is left out. */
static int read_page(struct late *l, struct page *p, struct err *e)
{
        AUTO_QUERY *s = archive_query(l->archive,
                                      "SELECT seq, job_id, tenant, run, max(attempt, 1)"
                                      " FROM letters WHERE seq > ?1 AND run > 0 AND tenant <> ''"
                                      " AND archived_at > dead_at + " LATE " ORDER BY seq LIMIT ?2",
                                      DB_VALUES(value_int(l->seen), value_int(PAGE_MAX)), e);
        int found = 0;
        json_begin(&p->question);
        json_begin_array(&p->question, "deliveries");
        while ((found = db_step(s, e)) == 1) {
                struct late_letter *one = &p->all[p->count++];
                one->seq = sqlite3_column_int64(s, 0);
                db_text(s, 1, one->job, sizeof(one->job));
                db_text(s, 2, one->tenant, sizeof(one->tenant));
                json_begin_object(&p->question, NULL);
                json_put_string(&p->question, "tenant", one->tenant);
                json_put_string(&p->question, "id", one->job);
                json_put_int(&p->question, "run", sqlite3_column_int64(s, 3));
                json_put_int(&p->question, "attempt", sqlite3_column_int64(s, 4));
                json_put_int(&p->question, "copy", 0);
                json_end(&p->question);
        }
        json_end_array(&p->question);
        json_end(&p->question);
        return found;
}

static int read_answer(struct json_reader *r, const struct json_place *p, void *out)
{
        static const struct json_member members[] = {
                {"forgotten", json_read_flag, JSON_AT(struct late_letter, forgotten)},
                {0},
        };
        struct page *page = out;
        if (p->index >= page->count)
                return json_refuse(r, p->up, "more answers than questions");
        page->answered++;
        return json_read_members(r, p, members, &page->all[p->index]);
}

static int read_answers(struct bytes body, struct page *p)
{
        static const struct json_member members[] = {
                {"deliveries", json_read_list, .each = read_answer, .flags = JSON_REQUIRED},
                {"primary", json_read_flag, JSON_AT(struct page, primary)},
                {0},
        };
        struct json_reader r = {.lenient = true};
        struct json_place root;
        if (json_read_open(&r, body, ANSWER_DEPTH, &root) != 0)
                return -1;
        return json_read_members(&r, &root, members, p);
}

static int ask(struct late *l, struct page *p, struct err *e)
{
        const struct http_call call = {.method = "POST",
                                       .path = "/internal/v1/deliveries/check",
                                       .body = buffer_bytes(&p->question)};
        struct http_reply reply = {0};
        int done = http_client_call(l->primary, &call, &reply, e);
        if (done == 0 && reply.status != 200)
                done = err_set(e, ERR_UNAVAILABLE, "the primary answers %d", reply.status);
        else if (done == 0 && (read_answers(buffer_bytes(&reply.body), p) != 0 || !p->primary ||
                               p->answered != p->count))
                done = err_set(e, ERR_UNAVAILABLE, "the primary gives an unknown answer");
        http_reply_fini(&reply);
        return done;
}

/* 1: there may be more; 0; -1. */
static int look(struct late *l, struct err *e)
{
        AUTO(page) p = xcalloc(1, sizeof(*p));
        if (read_page(l, p, e) != 0 || (p->count > 0 && ask(l, p, e) != 0))
                return -1;
        for (size_t i = 0; i < p->count; i++) {
                const struct late_letter *one = &p->all[i];
                if (one->forgotten) {
                        if (archive_forget_job(l->archive, one->job, one->tenant, e) != 0)
                                return -1;
                        LOG_INFO("a letter came after its job was forgotten; deleted",
                                 log_text("job", one->job), log_text("tenant", one->tenant));
                }
                l->seen = one->seq;
        }
        return p->count == PAGE_MAX;
}

static msec round_of(void *owner)
{
        struct late *l = owner;
        struct err why = {0};
        int more = look(l, &why);
        if (more < 0 && !l->warned)
                LOG_WARN("it is not known whether jobs of late letters were forgotten;"
                         " trying again",
                         log_err(&why));
        l->warned = more < 0;
        return more == 1 ? 0 : LOOK_EVERY;
}

struct late *late_create(struct archive *archive, struct http_client *primary, struct err *e)
{
        AUTO(late) l = xcalloc(1, sizeof(*l));
        l->archive = archive;
        l->primary = primary;
        l->rounds = rounds_start("late letters", LOOK_EVERY, round_of, l, e);
        return l->rounds == NULL ? NULL : TAKE(l);
}

void late_destroy(struct late **late)
{
        struct late *l = TAKE(*late);
        if (l == NULL)
                return;
        rounds_end(&l->rounds);
        free(l);
}
