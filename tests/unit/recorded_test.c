/* SPDX-License-Identifier: Apache-2.0
 *
 * recorded_test.c: messages that earlier versions and this one put into queues and into the event
 * stream (tests/upgrade/record wrote them): this version folds, decodes and archives them.
 */
#include "tests/unit/status_rig.h"

#include <jansson.h>

#include "common/amqp/pack.h"
#include "common/amqp/properties.h"
#include "common/base/json_write.h"
#include "dlx-monitor/letter.h"
#include "status-store/jobs/lookup.h"
#include "tests/unit/stored_text.h"

/* `direct`: each submission is a message of its own in the stream. `packs`: told in packs.
 * `expiry`: some jobs expire. `acts`: some are cancelled, moved, run again, forgotten, parked. */
static const char *const recordings[] = {"direct", "packs", "expiry", "acts"};

enum {
        FIELDS = 5,
        STATIONS = 6,
        LINES_MAX = 4096,
        MALFORMED = 2, /* job messages of each recording that break the contract */
};

/* One line (tests/upgrade/recording.py): borrows from the recording's text. */
struct line {
        struct bytes field[FIELDS];
};

struct recording {
        char *text;
        struct line lines[LINES_MAX];
        size_t count;
};

static unsigned hex(char c)
{
        return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Undoes \xNN, in place. */
static struct bytes unescape(char *text, size_t length)
{
        size_t used = 0;

        for (size_t i = 0; i < length; i++) {
                char c = text[i];
                if (c == '\\') {
                        assert_true(i + 3 < length && text[i + 1] == 'x');
                        c = (char)(hex(text[i + 2]) << 4 | hex(text[i + 3]));
                        i += 3;
                }
                text[used++] = c;
        }
        return bytes_of(text, used);
}

static void read_line(char *text, size_t length, struct line *line)
{
        char *end = text + length;

        for (size_t i = 0; i < FIELDS && text <= end; i++) {
                size_t taken = strcspn(text, "\t\n");
                line->field[i] = unescape(text, taken);
                text += taken + 1;
        }
}

static void recording_open(struct recording *r, const char *name)
{
        AUTO_FREE char *path = xasprintf(RECORDED_MESSAGES "/%s.txt", name);
        char *at;

        *r = (struct recording){.text = stored_text(path)};
        for (at = r->text; *at != '\0';) {
                size_t length = strcspn(at, "\n");
                assert_true(r->count < LINES_MAX);
                if (*at != '#')
                        read_line(at, length, &r->lines[r->count++]);
                at += length + 1;
        }
}

static bool line_is(const struct line *line, const char *what)
{
        return bytes_equal_text(line->field[0], what);
}

static void read_message(const struct line *line, struct message *m)
{
        struct err e = {0};

        if (properties_to_message(line->field[3], m, &e) != 0)
                fail_msg("%s", e.text);
        m->properties = line->field[3];
        m->exchange = line->field[1];
        m->routing_key = line->field[2];
        m->body = line->field[4];
}

static void fold(struct rig *r, const struct recording *recorded)
{
        for (size_t i = 0; i < recorded->count; i++) {
                struct message m;
                if (!line_is(&recorded->lines[i], "stream"))
                        continue;
                read_message(&recorded->lines[i], &m);
                projection_fold(r->projection, &m, r->offset++);
                if (i % 7 == 0)
                        rig_commit(r);
        }
        rig_commit(r);
}

static json_t *parsed(struct bytes text)
{
        json_error_t fault;
        json_t *value = json_loadb(text.data, text.length, 0, &fault);

        if (value == NULL)
                fail_msg("%s: %.*s", fault.text, (int)text.length, text.data);
        return value;
}

/* What the job shows has each member that it showed when it was recorded. */
static void assert_shown(struct reader *reader, const struct stored_job *job,
                         const struct line *line)
{
        struct err e = {0};
        AUTO_BUFFER got = {0};
        const char *name;
        json_t *want;

        json_begin(&got);
        assert_int_equal(lookup_write_job(reader, job, NULL, &got, &e), 0);
        assert_int_equal(lookup_write_attempts(reader, job, &got, &e), 0);
        json_end(&got);
        json_t *shown = parsed(buffer_bytes(&got));
        json_t *wanted = parsed(line->field[3]);
        json_object_set_new(wanted, "attempts", parsed(line->field[4]));
        json_object_foreach(wanted, name, want)
        {
                if (json_equal(json_object_get(shown, name), want))
                        continue;
                AUTO_FREE char *text = json_dumps(want, JSON_ENCODE_ANY);
                fail_msg("%s: not %s in %.*s", name, text, (int)got.length, got.data);
        }
        json_decref(wanted);
        json_decref(shown);
}

static void assert_row(struct reader *reader, const struct line *line, unsigned seen[])
{
        AUTO_STORED_JOB job = {0};
        char tenant[TENANT_SIZE], id[UUID_SIZE];
        struct err e = {0};

        assert_int_equal(bytes_to_text(line->field[1], tenant, sizeof(tenant)), 0);
        assert_int_equal(bytes_to_text(line->field[2], id, sizeof(id)), 0);
        int found = lookup_job(reader, tenant, id, &job, &e);
        assert_int_equal(found == 1 && job.row.shown, line_is(line, "job"));
        if (!line_is(line, "job"))
                return;
        seen[job.row.status]++;
        assert_shown(reader, &job, line);
}

static void assert_rows(struct rig *r, const struct recording *recorded)
{
        static const enum status statuses[] = {STATUS_SCHEDULED, STATUS_PENDING,   STATUS_RUNNING,
                                               STATUS_FAILED,    STATUS_COMPLETED, STATUS_DEAD};
        struct err e = {0};
        AUTO(readers) readers = readers_create(r->place.path, 1, &e);
        AUTO_READER *reader = readers_take(readers, &e);
        unsigned seen[STATUS_COUNT] = {0}, hidden = 0;

        assert_non_null(reader);
        for (size_t i = 0; i < recorded->count; i++) {
                const struct line *line = &recorded->lines[i];
                hidden += line_is(line, "hidden");
                if (line_is(line, "job") || line_is(line, "hidden"))
                        assert_row(reader, line, seen);
        }
        for (size_t i = 0; i < COUNT(statuses); i++)
                assert_true(seen[statuses[i]] > 0);
        assert_true(hidden > 0);
}

/* Also when the stream is read again from its first message. */
static void the_stream_gives_the_rows_that_were_shown(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(recordings); i++) {
                struct recording recorded;
                struct err e = {0};
                struct rig r;
                recording_open(&recorded, recordings[i]);
                rig_open(&r);
                fold(&r, &recorded);
                assert_int_equal(projection_position(r.projection)->skipped, MALFORMED);
                assert_rows(&r, &recorded);
                assert_int_equal(projection_rewind(r.projection, &e), 0);
                r.offset = 0;
                fold(&r, &recorded);
                assert_rows(&r, &recorded);
                rig_close(&r);
                free(recorded.text);
        }
}

/* What a stream holds that only one of the recordings has. */
struct forms {
        unsigned packs, packed, doubts, rejected, hints, expiring, expired, acts;
};

static void count_packed(void *owner, const struct message *m)
{
        struct forms *found = owner;

        found->packed++;
        found->doubts += message_header_int(m, "x-doubt", 0) != 0;
        found->expiring += message_header(m, "x-expires-at") != NULL;
}

static unsigned has(struct bytes body, const char *text)
{
        return memmem(body.data, body.length, text, strlen(text)) != NULL;
}

static void find_forms(const struct recording *recorded, struct forms *found)
{
        uint64_t skipped = 0;

        for (size_t i = 0; i < recorded->count; i++) {
                struct message m;
                if (!line_is(&recorded->lines[i], "stream"))
                        continue;
                read_message(&recorded->lines[i], &m);
                if (bytes_equal_text(m.content_type, PACK_CONTENT_TYPE)) {
                        found->packs++;
                        pack_each(&m, count_packed, found, &skipped);
                }
                found->rejected += has(m.body, "\"event\":\"rejected\"");
                found->hints += has(m.body, "\"submitted_at\"");
                found->acts += has(m.body, "\"event\":\"moved\"") +
                               has(m.body, "\"event\":\"cancel_requested\"") +
                               has(m.body, "\"event\":\"forgotten\"");
                found->expired += has(m.body, "\"running\":false,\"reason\":\"expired\"");
        }
        assert_int_equal(skipped, 0);
}

static void each_recording_has_the_forms_of_its_version(void **state)
{
        struct forms found[COUNT(recordings)] = {0};

        (void)state;
        for (size_t i = 0; i < COUNT(recordings); i++) {
                struct recording recorded;
                recording_open(&recorded, recordings[i]);
                find_forms(&recorded, &found[i]);
                free(recorded.text);
        }
        assert_int_equal(found[0].packs + found[0].hints, 0);
        assert_int_equal(found[0].rejected, 1);
        for (size_t i = 1; i < COUNT(recordings); i++) {
                assert_true(found[i].packs > 0 && found[i].packed > found[i].packs);
                assert_true(found[i].hints > 0);
                assert_int_equal(found[i].doubts, 1);
                assert_int_equal(found[i].rejected, 0);
        }
        assert_int_equal(found[1].expiring + found[1].expired, 0);
        assert_true(found[2].expiring > 0);
        /* In its delay queue, on arrival, and in the queue of a paused tenant. */
        assert_int_equal(found[2].expired, 3);
        assert_int_equal(found[0].acts + found[1].acts + found[2].acts, 0);
        /* A job was run now, one moved to later, one retried; one was stopped, one forgotten. */
        assert_int_equal(found[3].acts, 5);
}

static const struct line *row_of(const struct recording *recorded, const char *id)
{
        for (size_t i = 0; i < recorded->count; i++) {
                const struct line *line = &recorded->lines[i];
                bool row = line_is(line, "job") || line_is(line, "hidden");
                if (row && bytes_equal_text(line->field[2], id))
                        return line;
        }
        fail_msg("%s has no row", id);
        return NULL;
}

static const char *shown_text(json_t *row, const char *name)
{
        const char *text = json_string_value(json_object_get(row, name));

        return text != NULL ? text : "";
}

/* What was delivered is the job that was shown. Another content, or a replay's, may be another; an
 * act may have changed its priority. */
static void assert_delivery(const struct recording *recorded, const struct job *job)
{
        const struct line *line = row_of(recorded, job->id);

        assert_true(bytes_equal_text(line->field[1], job->tenant));
        if (line_is(line, "hidden"))
                return;
        json_t *row = parsed(line->field[3]);
        assert_string_equal(job->type, shown_text(row, "type"));
        bool before_act = job->copy == 0 && shown_text(row, "act_by")[0] != '\0';
        if (!before_act)
                assert_string_equal(priority_name(job->priority), shown_text(row, "priority"));
        assert_int_equal(job->max_retries, json_integer_value(json_object_get(row, "max_retries")));
        assert_true(job->run <= json_integer_value(json_object_get(row, "run")));
        json_decref(row);
}

static void assert_letter(const struct recording *recorded, const struct message *m)
{
        bool buried = !bytes_equal_text(m->routing_key, "bogus");
        struct letter letter;

        letter_of_message(m, buried ? FROM_DEAD : FROM_UNROUTABLE, 1, &letter);
        const struct line *line = row_of(recorded, letter.job_id);
        json_t *row = parsed(line->field[3]);
        if (json_integer_value(json_object_get(row, "run")) == letter.run) {
                assert_string_equal("dead", shown_text(row, "status"));
                assert_string_equal(reason_word(letter.reason), shown_text(row, "reason"));
        }
        json_decref(row);
}

static void assert_queued(const struct recording *recorded, unsigned stations[])
{
        static const char *const exchanges[STATIONS] = {"jobs.", "delay.", "due",
                                                        "work",  "hold.",  "parked"};
        const struct job_limits limits = {.payload_max = JOB_PAYLOAD_MAX_DEFAULT};
        unsigned refused = 0;

        for (size_t i = 0; i < recorded->count; i++) {
                struct message m;
                struct job job;
                if (!line_is(&recorded->lines[i], "queue"))
                        continue;
                read_message(&recorded->lines[i], &m);
                for (size_t j = 0; j < COUNT(exchanges); j++)
                        stations[j] += bytes_begin_with(m.exchange, exchanges[j]);
                if (bytes_equal_text(m.exchange, "dead") ||
                    bytes_equal_text(m.routing_key, "bogus"))
                        assert_letter(recorded, &m);
                else if (job_decode(&m, &limits, 0, &job, NULL) == 0)
                        assert_delivery(recorded, &job);
                else
                        refused++;
        }
        assert_int_equal(refused, MALFORMED);
}

static void what_queues_hold_is_decoded_and_archived(void **state)
{
        /* jobs.*, delay.*, due, work, hold.*, parked* */
        static const bool want[COUNT(recordings)][STATIONS] = {
                {true, true, true, false, false, false},
                {true, true, true, true, true, false},
                {true, true, true, true, true, false},
                {true, true, true, true, true, true},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(recordings); i++) {
                struct recording recorded;
                unsigned stations[STATIONS] = {0};
                recording_open(&recorded, recordings[i]);
                assert_queued(&recorded, stations);
                for (size_t j = 0; j < COUNT(stations); j++)
                        assert_int_equal(stations[j] > 0, want[i][j]);
                free(recorded.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_stream_gives_the_rows_that_were_shown),
                cmocka_unit_test(each_recording_has_the_forms_of_its_version),
                cmocka_unit_test(what_queues_hold_is_decoded_and_archived),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
