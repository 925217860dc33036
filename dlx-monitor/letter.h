/* SPDX-License-Identifier: Apache-2.0
 *
 * letter.h: what a message of `dead` or `unroutable` is worth as a dead letter. Pure.
 */
#ifndef WARREN_DLX_MONITOR_LETTER_H
#define WARREN_DLX_MONITOR_LETTER_H

#include "common/model/job.h"

enum letter_source { FROM_DEAD, FROM_UNROUTABLE };

enum letter_state { LETTER_DEAD, LETTER_REPLAYED, LETTER_DISCARDED };
enum { LETTER_STATE_COUNT = 3 };

enum {
        LETTER_GROUP_SIZE = 17,   /* 16 hexadecimal digits and a NUL */
        LETTER_BURIAL_SIZE = 160, /* see below */
};

const char *letter_source_name(enum letter_source s);
bool letter_state_parse(const char *name, enum letter_state *out);

/* Borrows from the message. */
struct letter {
        const struct message *message;
        struct bytes properties; /* as they came: the message's, or of what it is the burial of */
        char id[UUID_SIZE];      /* fresh */
        char job_id[UUID_SIZE];  /* fresh too when the message breaks the contract */
        char claimed_id[JOB_KEY_SIZE];
        char tenant[TENANT_SIZE]; /* "": none to be told */
        char type[JOB_TYPE_SIZE]; /* "": none */
        enum reason reason;
        enum error_kind error_kind;
        struct bytes error; /* of the message, or `fault` */
        struct err fault;   /* why nobody could take it */
        int64_t run, attempt;
        enum letter_source source;
        bool redelivered;
        bool announce; /* the broker buried it: the stream does not hold that, or why, for sure */
        msec dead_at, archived_at;
        char group[LETTER_GROUP_SIZE];
        /* What makes two deliveries the same burial: x-burial; for the broker's own, the job, run,
         * attempt and body; else the content. Of what could not be routed the content only tells a
         * redelivery from its first delivery (`by_content`): whoever publishes the same bytes twice
         * has two letters. */
        char burial[LETTER_BURIAL_SIZE];
        bool by_content;
};

/* out must stay where it is: `error` may point into it. */
void letter_of_message(const struct message *m, enum letter_source source, msec now,
                       struct letter *out);

/* The fingerprint of what went wrong: numbers and ids in the error make no difference. */
void letter_group(const char *type, enum reason reason, struct bytes error,
                  char out[LETTER_GROUP_SIZE]);

#endif
