/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h: static files, read from a folder into memory once: a request opens no file, and no path
 * leads out of the folder. Changes in the folder need a restart. Immutable: any thread.
 */
#pragma once

#include <stddef.h>

#include "common/base/err.h"

struct http_file;
struct http_files;
struct http_request;
struct path;

/* Reads the folder and its subfolders, without symbolic links and names that begin with a dot.
 * ERR_TOO_LARGE: over `max` bytes together, or over 1000 files. ERR_SYSTEM: one cannot be read.
 * Must outlive the server that uses it (server.h). */
struct http_files *http_files_create(const char *folder, size_t max, struct err *e) MUST_CHECK;
void http_files_destroy(struct http_files **f);

/* For the server. NULL: none, or f is NULL. `/` gives index.html; other folders have no index. */
const struct http_file *files_find(const struct http_files *f, const struct path *path);
/* For the server. Answers 200, or 304 when the client has the file. */
void files_answer(struct http_request *r, const struct http_file *file);
