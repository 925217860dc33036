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
/* Writes the text to the file (0600, the caller's), in place of what was there: whole and on the
 * disk when it returns 0. Else what was there is there still, unless it was only the folder that
 * did not reach the disk: then the text is there whole, and a crash can bring the old back. Uses
 * `<path>.new` beside it, replaces one that is there, and leaves none. */
int secret_write(const char *path, const char *text, struct err *e) MUST_CHECK;

#endif
