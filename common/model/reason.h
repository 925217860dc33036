/* SPDX-License-Identifier: Apache-2.0
 *
 * reason.h: why a job was buried, and the kind of error of an attempt.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

#define REASONS(X) \
        X(REASON_NONE, "") \
        X(REASON_PERMANENT, "permanent") \
        X(REASON_EXHAUSTED, "exhausted") \
        X(REASON_NO_HANDLER, "no_handler") \
        X(REASON_MALFORMED, "malformed") \
        X(REASON_UNROUTABLE, "unroutable") \
        X(REASON_POISON, "poison") \
        X(REASON_DELIVERY_LIMIT, "delivery_limit") \
        X(REASON_EXPIRED, "expired")

enum reason {
#define X(code, word) code,
        REASONS(X)
#undef X
};

#define ERROR_KINDS(X) \
        X(ERROR_KIND_NONE, "") \
        X(ERROR_KIND_ERROR, "error") \
        X(ERROR_KIND_TIMEOUT, "timeout") \
        X(ERROR_KIND_CRASH, "crash") \
        X(ERROR_KIND_MEMORY, "memory") \
        X(ERROR_KIND_OUTPUT, "output") \
        X(ERROR_KIND_HTTP, "http")

enum error_kind {
#define X(code, word) code,
        ERROR_KINDS(X)
#undef X
};

const char *reason_word(enum reason r);
/* False for an unknown word and for "". */
bool reason_parse(struct bytes word, enum reason *out);
const char *error_kind_word(enum error_kind k);
/* As reason_parse. */
bool error_kind_parse(struct bytes word, enum error_kind *out);
