/* SPDX-License-Identifier: Apache-2.0
 *
 * record.h: the records of stream `control` (docs/amqp.md): tenants, types, API keys, pauses, and
 * markers that show a reader that it has caught up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/model/event.h"
#include "common/model/job.h"
#include "common/model/parked.h"

#define RECORD_UNLIMITED ((int64_t)-1) /* null on the wire */

enum scope {
        SCOPE_SUBMIT = 1,
        SCOPE_READ = 2,
        SCOPE_OPERATE = 4,
        SCOPE_ADMIN = 8,
};

enum {
        KEY_ID_SIZE = 9,      /* [a-z0-9]{8} and a NUL */
        KEY_SECRET_SIZE = 44, /* [A-Za-z0-9]{43} and a NUL */
        KEY_TEXT_SIZE = 56,   /* wk_<id>_<secret> and a NUL */
        KEY_HASH_SIZE = 32,   /* SHA-256 of the secret */
};

struct tenant_record {
        char name[TENANT_SIZE];
        int64_t v;
        int64_t rate_count; /* per rate_per; RECORD_UNLIMITED */
        msec rate_per;
        int64_t burst;
        int64_t max_running; /* RECORD_UNLIMITED */
        int64_t slots_version;
        int64_t max_pending; /* RECORD_UNLIMITED */
        int64_t weight;      /* 1.. */
        bool paused, deleted;
        msec paused_at;       /* when it was last paused; 0: unknown */
        char by[ACT_BY_SIZE]; /* who paused it last; "": unknown */
};

/* A tenant made over HTTP: 10 a minute, burst 10, 5 running, 100 000 pending, weight 1. */
extern const struct tenant_record tenant_record_default;

/* The limits of a job type over all consumers. A version names the queues that hold the limit's
 * tokens (limit_queue.h); it grows with each change of the limit. */
struct type_record {
        char name[JOB_TYPE_SIZE];
        int64_t v;
        int64_t max_running; /* RECORD_UNLIMITED */
        int64_t slots_version;
        int64_t rate_count; /* starts per rate_per; RECORD_UNLIMITED */
        msec rate_per;
        int64_t rate_version;
};

struct key_record {
        char id[KEY_ID_SIZE];
        int64_t v;
        char tenant[TENANT_SIZE]; /* "": an admin key */
        unsigned char sha256[KEY_HASH_SIZE];
        unsigned scopes; /* enum scope, or-ed */
        msec expires;    /* 0: never */
        bool revoked;
};

struct pause_record {
        char key[PAUSE_KEY_SIZE]; /* see parked.h */
        int64_t v;
        bool paused;
        msec paused_at;       /* when it was last paused; 0: unknown */
        char by[ACT_BY_SIZE]; /* who paused or resumed it last; "": unknown */
};

enum record_kind {
        RECORD_TENANT,
        RECORD_KEY,
        RECORD_PAUSE,
        RECORD_SYNC,
        RECORD_TYPE,
        RECORD_UNKNOWN
};

struct record {
        enum record_kind kind;
        union {
                struct tenant_record tenant;
                struct key_record key;
                struct pause_record pause;
                struct type_record type;
                char sync[UUID_SIZE];
        };
};

int record_parse(struct bytes json, struct record *out, struct err *e) MUST_CHECK;
void record_write(const struct record *r, struct buffer *out);

const char *scope_name(enum scope s);
bool scope_parse(struct bytes name, unsigned *scope);
/* Splits wk_<id>_<secret>; false when the form is wrong. */
bool api_key_split(const char *text, char id[KEY_ID_SIZE], char secret[KEY_SECRET_SIZE]);
void api_key_generate(char text[KEY_TEXT_SIZE], char id[KEY_ID_SIZE],
                      unsigned char sha256[KEY_HASH_SIZE]);
/* Constant time. */
bool api_key_matches(const struct key_record *k, const char *secret);
