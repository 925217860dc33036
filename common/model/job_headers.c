/* SPDX-License-Identifier: Apache-2.0
 *
 * job_headers.c: the table of a job message's headers.
 */
#include "common/model/job_headers.h"

#include <string.h>

#include "common/model/quote.h"

enum field_kind {
        FIELD_NONE, /* read and written elsewhere */
        FIELD_INT,
        FIELD_FLAG,
        FIELD_TEXT, /* printable ASCII that fits, else empty */
        FIELD_TRACE,
        FIELD_UUID,
        FIELD_BYTES, /* cut to `most` bytes */
        FIELD_ERROR_KIND,
        FIELD_REASON,
};

struct field {
        const char *name;
        enum { PUBLIC, INTERNAL } use; /* INTERNAL: read only from a service's message */
        unsigned stations;             /* for which job_headers_write writes it */
        enum header_kind wire;
        enum field_kind kind;
        size_t at, size;
        /* FIELD_INT: the range, and the value when absent. FIELD_BYTES: most: size limit. */
        int64_t least, most, absent;
};

/* clang-format off */
#define PLACE(member) .at = offsetof(struct job, member), .size = sizeof(((struct job *)NULL)->member)
#define INT(member, low, high, otherwise) .wire = HEADER_INT, .kind = FIELD_INT, PLACE(member), \
        .least = (low), .most = (high), .absent = (otherwise)
#define TIME(member) INT(member, 0, JOB_TIME_MAX, 0)
#define FLAG(member) .wire = HEADER_INT, .kind = FIELD_FLAG, PLACE(member)
#define TEXT(form, member) .wire = HEADER_STRING, .kind = (form), PLACE(member)
#define BYTES(member, high) TEXT(FIELD_BYTES, member), .most = (high)
#define OTHER(on_the_wire) .wire = (on_the_wire), .kind = FIELD_NONE

enum {
        NOWHERE = 0,
        PARKED = STATION_PARK | STATION_UNPARK,
        /* The same attempt waits, elsewhere or until another time. */
        ON_THE_WAY = STATION_HOP | STATION_LANE_MOVE | STATION_MOVE | PARKED,
        WITH_ERROR = ON_THE_WAY | STATION_RETRY | STATION_BURIAL,
        SUBMITTED = STATION_SUBMISSION | STATION_REPLAY,
        EVERYWHERE = WITH_ERROR | SUBMITTED | STATION_FIRST_HOP,
        FIRST_RUN = EVERYWHERE & ~STATION_REPLAY, /* a replay does not expire */
        AGAIN = SUBMITTED | ON_THE_WAY,
};

static const struct field fields[] = {
        {"x-max-retries", PUBLIC, EVERYWHERE,
         INT(max_retries, 0, JOB_MAX_RETRIES_MAX, JOB_MAX_RETRIES_DEFAULT)},
        {"x-timeout-ms", PUBLIC, EVERYWHERE, INT(timeout, JOB_TIMEOUT_MIN, JOB_TIMEOUT_MAX, 0)},
        {"x-run-at", PUBLIC, EVERYWHERE, TIME(run_at)},
        {"x-expires-at", PUBLIC, FIRST_RUN, INT(expires_at, 1, JOB_TIME_MAX, 0)}, /* 0: never */
        {"x-delay", PUBLIC, NOWHERE, OTHER(HEADER_INT)},
        {"x-priority", PUBLIC, NOWHERE, OTHER(HEADER_INT)},
        {"x-submitted-at", PUBLIC, EVERYWHERE, TIME(submitted_at)},
        {"traceparent", PUBLIC, EVERYWHERE, TEXT(FIELD_TRACE, traceparent)},
        {"x-key", INTERNAL, EVERYWHERE, TEXT(FIELD_TEXT, key)},
        {"x-key-hash", INTERNAL, EVERYWHERE, TEXT(FIELD_TEXT, key_hash)},
        {"x-run", INTERNAL, EVERYWHERE, INT(run, 1, JOB_COUNTER_MAX, 1)},
        {"x-attempt", INTERNAL, EVERYWHERE, INT(attempt, 0, JOB_COUNTER_MAX, 0)},
        {"x-copy", INTERNAL, EVERYWHERE, INT(copy, 0, JOB_COUNTER_MAX, 0)},
        {"x-outside", INTERNAL, EVERYWHERE, FLAG(outside)},
        {"x-moved", INTERNAL, ON_THE_WAY, INT(moved, MOVED_NOT, MOVED_GIVEN_BACK, MOVED_NOT)},
        {"x-queued-at", INTERNAL, NOWHERE, TIME(queued_at)},
        {"x-due-at", INTERNAL, NOWHERE, TIME(due_at)},
        {"x-hop", INTERNAL, NOWHERE, FLAG(hop)},
        {"x-again", INTERNAL, AGAIN, FLAG(again)},
        {"x-doubt", INTERNAL, STATION_SUBMISSION, FLAG(doubt)},
        {"x-unhandled-at", INTERNAL, STATION_HOP | PARKED, TIME(unhandled_at)},
        {"x-error", INTERNAL, WITH_ERROR, BYTES(error, JOB_ERROR_MAX)},
        {"x-error-kind", INTERNAL, WITH_ERROR, TEXT(FIELD_ERROR_KIND, error_kind)},
        {"x-reason", INTERNAL, STATION_BURIAL, TEXT(FIELD_REASON, reason)},
        {"x-burial", INTERNAL, STATION_BURIAL, TEXT(FIELD_UUID, burial)},
        {"x-claimed-id", INTERNAL, STATION_BURIAL, TEXT(FIELD_TEXT, claimed_id)},
        {"x-original", INTERNAL, STATION_BURIAL, BYTES(original, INT64_MAX)},
        /* The broker's own, in deliveries. */
        {"x-stream-offset", INTERNAL, NOWHERE, OTHER(HEADER_INT)},
        {"x-delivery-count", INTERNAL, NOWHERE, OTHER(HEADER_INT)},
        {"x-first-death-reason", INTERNAL, NOWHERE, OTHER(HEADER_STRING)},
};
/* clang-format on */

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };
_Static_assert((int)FIELD_COUNT <= (int)MESSAGE_HEADERS_MAX, "one of each fits");

static void read_text(struct bytes text, char *out, size_t size)
{
        for (size_t i = 0; i < text.length; i++) {
                if (text.data[i] < ' ' || text.data[i] > '~')
                        return;
        }
        if (text.data != NULL && bytes_to_text(text, out, size) != 0)
                out[0] = '\0';
}

/* The member is zero, and stays so when the header has a wrong type or value. */
static void read_field(const struct field *f, const struct header *h, void *member)
{
        struct bytes text = h->kind == HEADER_STRING ? h->text : (struct bytes){0};
        bool number = h->kind == HEADER_INT;

        switch (f->kind) {
        case FIELD_NONE:
                break;
        case FIELD_INT:
                if (number)
                        *(int64_t *)member = clamp(h->number, f->least, f->most);
                break;
        case FIELD_FLAG:
                *(bool *)member = number && h->number != 0;
                break;
        case FIELD_TEXT:
                read_text(text, member, f->size);
                break;
        case FIELD_TRACE:
                if (text.data != NULL && traceparent_is_valid(text))
                        memcpy(member, text.data, text.length);
                break;
        case FIELD_UUID:
                if (!uuid_parse(text, member))
                        *(char *)member = '\0';
                break;
        case FIELD_BYTES:
                if (text.length > (uint64_t)f->most)
                        text.length = (size_t)f->most;
                *(struct bytes *)member = text;
                break;
        case FIELD_ERROR_KIND:
                error_kind_parse(text, member);
                break;
        case FIELD_REASON:
                reason_parse(text, member);
                break;
        }
}

void job_headers_read(const struct message *m, struct job *job)
{
        for (size_t i = 0; i < FIELD_COUNT; i++) {
                const struct field *f = &fields[i];
                void *member = (char *)job + f->at;
                if (f->kind == FIELD_INT)
                        *(int64_t *)member = f->absent;
                if (f->kind == FIELD_NONE || (job->from_outside && f->use == INTERNAL))
                        continue;
                const struct header *h = message_header(m, f->name);
                if (h != NULL)
                        read_field(f, h, member);
        }
}

int job_headers_check(const struct message *m, struct err *e)
{
        char value[QUOTE_SIZE];

        for (size_t i = 0; i < FIELD_COUNT; i++) {
                const struct header *h =
                        fields[i].use == PUBLIC ? message_header(m, fields[i].name) : NULL;
                if (h == NULL || h->kind == fields[i].wire)
                        continue;
                return err_set(e, ERR_INVALID, "the header %s is not %s: %s", fields[i].name,
                               fields[i].wire == HEADER_INT ? "an integer of at most 64 bits"
                                                            : "a string",
                               quote_header(m, h, value));
        }
        return 0;
}

static void write_text(struct message *m, const char *name, const char *text)
{
        if (text != NULL && text[0] != '\0')
                message_add_text(m, name, bytes_of_text(text));
}

static void write_field(const struct field *f, const void *member, struct message *m)
{
        const struct bytes *bytes = member;

        switch (f->kind) {
        case FIELD_NONE:
                break;
        case FIELD_INT:
                if (*(const int64_t *)member != f->absent)
                        message_add_int(m, f->name, *(const int64_t *)member);
                break;
        case FIELD_FLAG:
                if (*(const bool *)member)
                        message_add_int(m, f->name, 1);
                break;
        case FIELD_TEXT:
        case FIELD_TRACE:
        case FIELD_UUID:
                write_text(m, f->name, member);
                break;
        case FIELD_BYTES:
                if (bytes->data != NULL)
                        message_add_text(m, f->name, *bytes);
                break;
        case FIELD_ERROR_KIND:
                write_text(m, f->name, error_kind_word(*(const enum error_kind *)member));
                break;
        case FIELD_REASON:
                write_text(m, f->name, reason_word(*(const enum reason *)member));
                break;
        }
}

void job_headers_write(const struct job *job, enum job_station station, struct message *m)
{
        for (size_t i = 0; i < FIELD_COUNT; i++) {
                if ((fields[i].stations & station) != 0)
                        write_field(&fields[i], (const char *)job + fields[i].at, m);
        }
}

const char *job_header_known(struct bytes name)
{
        for (size_t i = 0; i < FIELD_COUNT; i++) {
                if (bytes_equal_text(name, fields[i].name))
                        return fields[i].name;
        }
        return NULL;
}
