/* SPDX-License-Identifier: Apache-2.0
 *
 * reason.c: the words for reasons and error kinds.
 */
#include "common/model/reason.h"

static const char *const reasons[] = {
#define X(code, word) [code] = word,
        REASONS(X)
#undef X
};

static const char *const error_kinds[] = {
#define X(code, word) [code] = word,
        ERROR_KINDS(X)
#undef X
};

enum {
        REASON_COUNT = sizeof(reasons) / sizeof(reasons[0]),
        ERROR_KIND_COUNT = sizeof(error_kinds) / sizeof(error_kinds[0]),
};

const char *reason_word(enum reason r)
{
        return reasons[r];
}

bool reason_parse(struct bytes word, enum reason *out)
{
        return bytes_find(word, reasons, REASON_COUNT, (unsigned *)out);
}

const char *error_kind_word(enum error_kind k)
{
        return error_kinds[k];
}

bool error_kind_parse(struct bytes word, enum error_kind *out)
{
        return bytes_find(word, error_kinds, ERROR_KIND_COUNT, (unsigned *)out);
}
