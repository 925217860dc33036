/* SPDX-License-Identifier: Apache-2.0
 *
 * stored_text.h: reads a file that is stored beside the tests.
 */
#pragma once

#include "tests/unit/unit.h"

#include <stdio.h>

#include "common/base/bytes.h"

/* Owned by the caller. */
static inline char *stored_text(const char *path)
{
        AUTO_BUFFER text = {0};
        char part[4096];
        FILE *f = fopen(path, "re");

        assert_non_null(f);
        for (size_t got; (got = fread(part, 1, sizeof(part), f)) > 0;)
                buffer_add(&text, part, got);
        assert_int_equal(fclose(f), 0);
        return buffer_take(&text);
}
