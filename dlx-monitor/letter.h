/* SPDX-License-Identifier: Apache-2.0
 *
 * letter.h: makes a dead letter from a message of `dead` or `unroutable`. Pure.
 */
#pragma once

#include "common/model/job.h"

enum letter_source { FROM_DEAD, FROM_UNROUTABLE };

enum {
        LETTER_GROUP_SIZE = 17,   /* 16 hexadecimal digits and a NUL */
        LETTER_BURIAL_SIZE = 160, /* of letter.burial */
};

const char *letter_source_name(enum letter_source s);

/* Borrows from the message. */
struct letter {
        const struct message *message;
        struct bytes properties; /* the message's, or those of the malformed original */
        char id[UUID_SIZE];      /* new */
        char job_id[UUID_SIZE];  /* new when the message breaks the contract */
        char claimed_id[JOB_KEY_SIZE];
        char tenant[TENANT_SIZE]; /* "": none known */
        char type[JOB_TYPE_SIZE]; /* "": none */
        enum reason reason;
        enum error_kind error_kind;
        struct bytes error; /* from the message, or the text of `fault` */
        struct err fault;   /* why no consumer could take it */
        int64_t run, attempt;
        enum letter_source source;
        bool redelivered;
        bool announce; /* the broker buried it, so the stream may lack the burial or its reason */
        msec dead_at, archived_at;
        char group[LETTER_GROUP_SIZE];
        /* Deliveries with the same text are one letter: it is x-burial, or for a burial by the
         * broker the job, run, attempt and body, or else a hash of the content. by_content: an
         * unroutable message whose content hash finds redeliveries only; the same bytes published
         * twice are two letters. */
        char burial[LETTER_BURIAL_SIZE];
        bool by_content;
};

/* Do not move or copy out: `error` may point into it. */
void letter_of_message(const struct message *m, enum letter_source source, msec now,
                       struct letter *out);

/* The group: a hash of type, reason and error, in which numbers and ids make no difference. */
void letter_group(const char *type, enum reason reason, struct bytes error,
                  char out[LETTER_GROUP_SIZE]);
