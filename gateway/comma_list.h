/* SPDX-License-Identifier: Apache-2.0
 *
 * comma_list.h: a setting that lists words, separated by commas; blanks around a word do not count.
 * Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

/* The next word; *at starts at the list, NULL for none. False: there are no more. An empty word is
 * passed over. */
bool comma_list_next(const char **at, struct bytes *word);
/* The word, byte for byte, is in the list. */
bool comma_list_has(const char *list, struct bytes word);
