/* SPDX-License-Identifier: Apache-2.0
 *
 * letter.c: makes a dead letter from a message.
 */
#include "dlx-monitor/letter.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/amqp/properties.h"
#include "common/model/quote.h"

enum { GROUP_TEXT_MAX = 300, HASH_SIZE = 32 };

const char *letter_source_name(enum letter_source s)
{
        return s == FROM_DEAD ? "dead" : "unroutable";
}

static void hash_part(EVP_MD_CTX *hash, struct bytes part)
{
        uint64_t length = part.length;

        EVP_DigestUpdate(hash, &length, sizeof(length));
        EVP_DigestUpdate(hash, part.data, part.length);
}

static void hash_end(EVP_MD_CTX *hash, char *out, size_t digits)
{
        unsigned char digest[HASH_SIZE];

        EVP_DigestFinal_ex(hash, digest, NULL);
        EVP_MD_CTX_free(hash);
        for (size_t i = 0; i < digits / 2; i++)
                snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static EVP_MD_CTX *hash_begin(void)
{
        EVP_MD_CTX *hash = EVP_MD_CTX_new();

        EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
        return hash;
}

/* Copies the first line of error. Each word with a digit (number, address, id) becomes one '#'. */
static size_t generalise(struct bytes error, char out[GROUP_TEXT_MAX])
{
        size_t length = 0, word = 0;
        bool digits = false;

        for (size_t i = 0; i < error.length && length < GROUP_TEXT_MAX; i++) {
                unsigned char c = (unsigned char)error.data[i];
                if (c == '\n')
                        break;
                if (!isalnum(c)) {
                        digits = false;
                        out[length++] = (char)c;
                        word = length;
                } else if (!digits && isdigit(c)) {
                        digits = true;
                        out[word] = '#';
                        length = word + 1;
                } else if (!digits) {
                        out[length++] = (char)c;
                }
        }
        return length;
}

void letter_group(const char *type, enum reason reason, struct bytes error,
                  char out[LETTER_GROUP_SIZE])
{
        char text[GROUP_TEXT_MAX];
        EVP_MD_CTX *hash = hash_begin();

        /* These errors quote what breaks the contract, which differs each time: cut it off. */
        const char *quote = error.length > 0 ? memchr(error.data, '"', error.length) : NULL;
        if (quote != NULL && (reason == REASON_MALFORMED || reason == REASON_UNROUTABLE ||
                              job_error_quotes_body(error)))
                error.length = (size_t)(quote - error.data);
        hash_part(hash, bytes_of_text(type));
        hash_part(hash, bytes_of_text(reason_word(reason)));
        hash_part(hash, bytes_of(text, generalise(error, text)));
        hash_end(hash, out, LETTER_GROUP_SIZE - 1);
}

/* A hash of everything except what the broker adds to a redelivery. */
static void content_burial(const struct message *m, char out[LETTER_BURIAL_SIZE])
{
        EVP_MD_CTX *hash = hash_begin();
        AUTO_BUFFER published = {0};

        if (properties_as_published(m->properties, &published, NULL) != 0)
                buffer_add(&published, m->properties.data, m->properties.length);
        hash_part(hash, m->exchange);
        hash_part(hash, m->routing_key);
        hash_part(hash, m->body);
        hash_part(hash, buffer_bytes(&published));
        int length = snprintf(out, LETTER_BURIAL_SIZE, "content:");
        hash_end(hash, out + length, 2 * HASH_SIZE);
}

static void name_burial(const struct message *m, const struct job *job, bool valid,
                        struct letter *out)
{
        if (job->burial[0] != '\0') {
                snprintf(out->burial, sizeof(out->burial), "burial:%s", job->burial);
        } else if (valid && out->source == FROM_DEAD) {
                snprintf(out->burial, sizeof(out->burial),
                         "broker:%s/%s/%" PRId64 "/%" PRId64 "/%016" PRIx64, job->tenant, job->id,
                         job->run, job->attempt, bytes_hash(m->body));
        } else {
                content_burial(m, out->burial);
                out->by_content = out->source == FROM_UNROUTABLE;
        }
}

/* Whether only the routing key of an unroutable message breaks the contract: then its job id is
 * valid. */
static bool is_valid_but_for_its_key(const struct message *m, const struct job_limits *limits)
{
        struct message fixed = *m;
        struct job job;

        if (m->exchange.length < 5 || memcmp(m->exchange.data, "jobs.", 5) != 0)
                return false;
        fixed.routing_key = bytes_of_text(lane_name(LANE_MEDIUM));
        return job_decode(&fixed, limits, 0, &job, NULL) == 0;
}

static void explain(const struct message *m, const struct job *job, struct letter *out)
{
        char key[QUOTE_SIZE], exchange[QUOTE_SIZE];

        if (out->source == FROM_UNROUTABLE && !err_is_set(&out->fault))
                err_set(&out->fault, ERR_NOT_FOUND, "no queue for key %s of exchange %s",
                        quote_text(m->routing_key, key), quote_text(m->exchange, exchange));
        out->error = job->error;
        out->error_kind = job->error_kind;
        if (err_is_set(&out->fault) && (out->source == FROM_UNROUTABLE || job->error.length == 0))
                out->error = bytes_of_text(out->fault.text);
}

static enum reason broker_reason(const struct message *m)
{
        bool expired = bytes_equal_text(properties_last_death(m->properties), "expired");

        return expired ? REASON_EXPIRED : REASON_DELIVERY_LIMIT;
}

void letter_of_message(const struct message *m, enum letter_source source, msec now,
                       struct letter *out)
{
        const struct job_limits limits = {.payload_max = SIZE_MAX};
        struct job job;

        memset(out, 0, sizeof(*out));
        out->message = m;
        out->properties = m->properties;
        out->source = source;
        uuid7(out->id);
        bool valid = job_decode(m, &limits, now, &job, &out->fault) == 0;
        if (!valid && source == FROM_UNROUTABLE)
                valid = is_valid_but_for_its_key(m, &limits);

        if (valid)
                memcpy(out->job_id, job.id, sizeof(out->job_id));
        else
                uuid7(out->job_id);
        if (!valid || job.reason == REASON_MALFORMED)
                memcpy(out->claimed_id, job.claimed_id, sizeof(out->claimed_id));
        memcpy(out->tenant, job.tenant, sizeof(out->tenant));
        memcpy(out->type, job.type, sizeof(out->type));
        out->run = job.run;
        out->attempt = job.attempt;
        out->dead_at = out->archived_at = now;
        if (source == FROM_UNROUTABLE) {
                out->reason = REASON_UNROUTABLE;
                out->attempt++;
                out->announce = out->tenant[0] != '\0';
        } else if (job.reason != REASON_NONE) {
                out->reason = job.reason;
                out->dead_at = job.queued_at > 0 ? job.queued_at : now;
        } else {
                out->reason = broker_reason(m);
                out->attempt++;
                out->announce = out->tenant[0] != '\0';
        }
        if (job.original.data != NULL)
                out->properties = job.original;
        explain(m, &job, out);
        name_burial(m, &job, valid, out);
        letter_group(out->type, out->reason, out->error, out->group);
}
