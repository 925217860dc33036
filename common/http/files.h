/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h: static files, read from a folder into memory once: a request opens no file, and no path
 * leads out of the folder. Changes in the folder need a restart. Immutable: any thread.
 */
#ifndef WARREN_HTTP_FILES_H
#define WARREN_HTTP_FILES_H

#include <stddef.h>

#include "common/base/err.h"

struct http_files;

/* Reads the folder and its subfolders, without symbolic links and names that begin with a dot.
 * ERR_TOO_LARGE: over `max` bytes together, or over 1000 files. ERR_SYSTEM: one cannot be read.
 * Must outlive the server that uses it (server.h). */
struct http_files *http_files_create(const char *folder, size_t max, struct err *e) MUST_CHECK;
void http_files_destroy(struct http_files **f);

#endif
