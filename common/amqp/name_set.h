/* SPDX-License-Identifier: Apache-2.0
 *
 * name_set.h: a set of names.
 */
#pragma once

#include <stdbool.h>

struct named;

/* Zero-initialised: empty. */
struct name_set {
        struct named *names;
};

bool name_set_has(const struct name_set *s, const char *name);
void name_set_add(struct name_set *s, const char *name);
void name_set_remove(struct name_set *s, const char *name);
void name_set_clear(struct name_set *s);
