/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h: static files, read from a folder into memory once, so that a request opens nothing and
 * no path leads out of it. Changes in the folder are seen by the next start. Immutable: any thread.
 */
#ifndef WARREN_HTTP_FILES_H
#define WARREN_HTTP_FILES_H

#include <stddef.h>

#include "common/base/err.h"

struct http_files;

/* Reads the folder and those in it; not what begins with a dot, and no symbolic links.
 * ERR_TOO_LARGE when the files have more than `max` bytes together, or are more than 1000;
 * ERR_SYSTEM for what cannot be read. Given to a server (server.h) it must outlive that. */
struct http_files *http_files_create(const char *folder, size_t max, struct err *e) MUST_CHECK;
void http_files_destroy(struct http_files **f);

#endif
