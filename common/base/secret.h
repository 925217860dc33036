/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: makes random secrets; reads and writes the files of secrets.
 */
#pragma once

#include "common/base/err.h"

enum { SECRET_RANDOM_SIZE = 49 }; /* 24 bytes in hexadecimal digits, and a NUL */

void secret_random(char out[SECRET_RANDOM_SIZE]);
/* The content of a secret's file without its last newline, at most 4 KiB; the caller frees it.
 * Fails (NULL) when others can read the file. */
char *secret_read(const char *path, struct err *e) MUST_CHECK;
/* Replaces the file, mode 0600, atomically by rename from `<path>.new` (an existing one is deleted,
 * none is left). 0: the text is on the disk. -1: the old file is unchanged; but if only the
 * folder's sync failed, the text is there, and a crash may bring the old file back. */
int secret_write(const char *path, const char *text, struct err *e) MUST_CHECK;
