/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.c: writes asks and ends, reads answers.
 */
#include "gateway/claim.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"

enum { ANSWER_DEPTH = 3 };

void claim_write_ending(const struct claim_ending *end, struct buffer *out)
{
        json_begin_object(out, NULL);
        json_put_string(out, "tenant", end->tenant);
        json_put_string(out, "key", end->key);
        json_put_string(out, "holder", end->holder);
        json_put_string(out, "how", claim_end_word(end->how));
        json_end(out);
}

void claim_write_ask(const struct claim_ask *ask, struct buffer *out)
{
        json_begin_object(out, NULL);
        json_put_string(out, "tenant", ask->tenant);
        json_put_string(out, "key", ask->key);
        json_put_string(out, "hash", ask->hash);
        json_put_string(out, "holder", ask->holder);
        json_put_int(out, "submitted_at", ask->submitted_at);
        json_put_int(out, "run_at", ask->run_at);
        json_put_int(out, "expires_at", ask->expires_at);
        json_put_flag(out, "scheduled", ask->scheduled);
        json_put_flag(out, "look", ask->look);
        json_put_flag(out, "known", ask->known);
        json_end(out);
}

static int read_state(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[16];

        if (json_copy_text(p->value, word, sizeof(word)) &&
            claim_state_parse(bytes_of_text(word), out))
                return 0;
        return json_refuse(r, p, "not a state of a claim");
}

/* clang-format off */
#define ANSWER(name, field, fn, ...) {name, fn, JSON_AT(struct claim_answer, field), __VA_ARGS__}
#define TIME(name, field) \
        ANSWER(name, field, json_read_int, .most = JOB_TIME_MAX, .flags = JSON_NULLABLE)

static const struct json_member answer_members[] = {
        ANSWER("state", state, read_state, .flags = JSON_REQUIRED),
        ANSWER("id", id, json_read_uuid, .flags = JSON_NULLABLE),
        TIME("submitted_at", submitted_at),
        TIME("run_at", run_at),
        TIME("expires_at", expires_at),
        ANSWER("scheduled", scheduled, json_read_flag, .flags = JSON_NULLABLE),
        ANSWER("taken", taken, json_read_int, .most = INT32_MAX, .flags = JSON_NULLABLE),
        TIME("retry_ms", retry),
        {0},
};
/* clang-format on */

struct reply {
        struct claim_answer *all;
        size_t count, room;
        msec lease;
};

static int read_answer(struct json_reader *r, const struct json_place *p, void *out)
{
        struct reply *reply = r->owner;

        (void)out;
        if (reply->count++ == reply->room)
                return json_refuse(r, p->up, "more answers than claims");
        struct claim_answer *a = &reply->all[p->index];
        if (json_read_members(r, p, answer_members, a) != 0)
                return -1;
        if ((a->state == CLAIM_GRANTED || a->state == CLAIM_SETTLED) && a->id[0] == '\0')
                return json_refuse(r, p, "a claim without an id");
        return 0;
}

static const struct json_member reply_members[] = {
        {"claims", json_read_list, .each = read_answer, .flags = JSON_REQUIRED},
        {"lease_ms", json_read_int, JSON_AT(struct reply, lease), .least = 1, .most = JOB_TIME_MAX,
         .flags = JSON_REQUIRED},
        {0},
};

int claim_read_answers(struct bytes body, struct claim_answer *answers, size_t count, msec *lease,
                       struct err *e)
{
        struct reply reply = {.all = answers, .room = count};
        struct scan_fault fault;
        struct json_reader r = {.fault = &fault, .lenient = true, .owner = &reply};
        struct json_place root;

        memset(answers, 0, count * sizeof(*answers));
        if (json_read_open(&r, body, ANSWER_DEPTH, &root) != 0 ||
            json_read_members(&r, &root, reply_members, &reply) != 0)
                return err_set(e, ERR_PROTOCOL, "the answer about claims: %s: %s", fault.pointer,
                               fault.detail);
        if (reply.count != count)
                return err_set(e, ERR_PROTOCOL, "%zu answers to %zu claims", reply.count, count);
        *lease = reply.lease;
        return 0;
}
