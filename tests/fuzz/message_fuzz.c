/* SPDX-License-Identifier: Apache-2.0
 *
 * message_fuzz.c: any property list and body, as from a queue. A list that is whole can be shown
 * and compared with others. A job that keeps the contract still keeps it when it is published
 * again. No output exceeds its bound.
 *
 * Input: one byte that picks exchange and key, two with the length of the property list (big
 * endian), the list, the body.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "common/amqp/properties.h"
#include "common/model/fold.h"
#include "dlx-monitor/letter.h"

#define NOW ((msec)1732250000000)

static const struct {
        const char *exchange, *key;
} places[] = {
        {"jobs.acme", "high"}, {"jobs.acme", "long"}, {"delay.30s", "acme.high"},
        {"due", "acme.high"},  {"dead", "acme.high"}, {"jobs.acme", "bogus"},
};

static const struct job_limits limits = {.payload_max = 4096};

static void publish_again(const struct job *job)
{
        static const char user[] = "warren-consumer";
        struct job_message sent;
        struct job again;

        job_encode(job, STATION_RETRY, NOW, &sent);
        sent.message.user_id = bytes_of_text(user);
        int status = job_decode(&sent.message, &limits, NOW, &again, NULL);
        assert(status == 0);
        (void)status;
        assert(strcmp(again.id, job->id) == 0 && strcmp(again.type, job->type) == 0);
        assert(again.run == job->run && again.attempt == job->attempt && again.copy == job->copy);
        assert(again.max_retries == job->max_retries && again.timeout == job->timeout);
        assert(again.run_at == job->run_at && again.lane == job->lane);
        assert(again.priority == job->priority);
}

static void check_job(const struct message *m)
{
        struct err e = {0};
        struct job job;
        int status = job_decode(m, &limits, NOW, &job, &e);

        assert((status != 0) == err_is_set(&e));
        assert(job.max_retries >= 0 && job.max_retries <= JOB_MAX_RETRIES_MAX);
        assert(job.timeout == 0 ||
               (job.timeout >= JOB_TIMEOUT_MIN && job.timeout <= JOB_TIMEOUT_MAX));
        assert(job.run >= 1 && job.attempt >= 0 && job.copy >= 0 && job.run_at >= 0);
        if (job.from_outside)
                assert(job.run == 1 && job.attempt == 0 && job.reason == REASON_NONE);
        if (status == 0 && !bytes_equal_text(m->exchange, "dead"))
                publish_again(&job);
}

static void fold_it(void *owner, const struct event *event)
{
        job_row_fold(owner, event, &(struct arrival){.offset = 1, .clock = NOW});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct job_row row = {0};
        uint64_t skipped = 0;
        struct letter letter;
        struct message m;

        if (length < 3)
                return 0;
        size_t listed = (size_t)data[1] << 8 | data[2];
        size_t place = data[0] % (sizeof(places) / sizeof(places[0]));
        listed = listed < length - 3 ? listed : length - 3;
        struct bytes wire = bytes_of(data + 3, listed);
        AUTO_BUFFER published = {0};
        int status = properties_as_published(wire, &published, NULL);
        if (properties_to_message(wire, &m, NULL) != 0)
                return 0;
        assert(status == 0);
        (void)status;
        json_t *shown = properties_to_json(wire, NULL);
        assert(shown != NULL);
        json_decref(shown);

        m.exchange = bytes_of_text(places[place].exchange);
        m.routing_key = bytes_of_text(places[place].key);
        m.body = bytes_of(data + 3 + listed, length - 3 - listed);
        check_job(&m);
        events_of_message(&m, &limits, fold_it, &row, &skipped);
        job_row_fini(&row);
        letter_of_message(&m, data[0] % 2 == 0 ? FROM_DEAD : FROM_UNROUTABLE, NOW, &letter);
        assert(letter.job_id[0] != '\0' && letter.burial[0] != '\0');
        return 0;
}
