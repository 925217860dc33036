/* SPDX-License-Identifier: Apache-2.0
 *
 * name_set.h: a set of names.
 */
#ifndef WARREN_AMQP_NAME_SET_H
#define WARREN_AMQP_NAME_SET_H

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

#endif
