/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h: replaces a small file.
 */
#pragma once

#include "common/base/err.h"

/* Replaces the file, mode 0600, atomically by rename from `<path>.new` (an existing one is deleted,
 * none is left). 0: the text is on the disk. -1: the old file is unchanged; but if only the
 * folder's sync failed, the text is there, and a crash may bring the old file back. */
int file_replace(const char *path, const char *text, struct err *e) MUST_CHECK;
/* `<path>.new`; owned. */
char *file_replace_path(const char *path) MUST_CHECK;
