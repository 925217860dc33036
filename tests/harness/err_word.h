/* SPDX-License-Identifier: Apache-2.0
 *
 * err_word.h: the codes of errors as words, for what a test compares.
 */
#pragma once

#include "common/base/err.h"

static inline const char *err_code_word(enum err_code code)
{
        static const char *const words[] = {
                [ERR_NONE] = "none",           [ERR_INVALID] = "invalid",
                [ERR_TOO_LARGE] = "too_large", [ERR_NOT_FOUND] = "not_found",
                [ERR_CONFLICT] = "conflict",   [ERR_FORBIDDEN] = "forbidden",
                [ERR_FULL] = "full",           [ERR_UNAVAILABLE] = "unavailable",
                [ERR_TIMEOUT] = "timeout",     [ERR_PROTOCOL] = "protocol",
                [ERR_CORRUPT] = "corrupt",     [ERR_SYSTEM] = "system",
        };

        return words[code];
}
