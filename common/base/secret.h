/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: makes random secrets; reads the files of secrets.
 */
#pragma once

#include "common/base/err.h"

enum { SECRET_RANDOM_SIZE = 49 }; /* 24 bytes in hexadecimal digits, and a NUL */

void secret_random(char out[SECRET_RANDOM_SIZE]);
/* The content of a secret's file without its last newline, at most 4 KiB; the caller frees it.
 * Fails (NULL) when others can read the file. */
char *secret_read(const char *path, struct err *e) MUST_CHECK;
