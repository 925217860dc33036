/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: makes random secrets, and writes secrets to files that only their owner can read.
 * secret_read (config.h) reads them.
 */
#ifndef WARREN_BASE_SECRET_H
#define WARREN_BASE_SECRET_H

#include "common/base/err.h"

enum { SECRET_RANDOM_SIZE = 49 }; /* 24 bytes in hexadecimal digits, and a NUL */

void secret_random(char out[SECRET_RANDOM_SIZE]);
/* Replaces the file, mode 0600, atomically by rename from `<path>.new` (an existing one is deleted,
 * none is left). 0: the text is on the disk. -1: the old file is unchanged; but if only the
 * folder's sync failed, the text is there, and a crash may bring the old file back. */
int secret_write(const char *path, const char *text, struct err *e) MUST_CHECK;

#endif
