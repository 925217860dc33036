/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: secrets made at random, and written to files that only their owner can read.
 * secret_read of config.h reads them back.
 */
#ifndef WARREN_BASE_SECRET_H
#define WARREN_BASE_SECRET_H

#include "common/base/err.h"

enum { SECRET_RANDOM_SIZE = 49 }; /* 24 bytes in hexadecimal digits, and a NUL */

void secret_random(char out[SECRET_RANDOM_SIZE]);
/* Writes the text to the file (0600), in place of what was there: whole and on the disk when it
 * returns 0, else not at all. Uses `<path>.new` beside it. */
int secret_write(const char *path, const char *text, struct err *e) MUST_CHECK;

#endif
