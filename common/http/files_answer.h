/* SPDX-License-Identifier: Apache-2.0
 *
 * files_answer.h: answers with a static file, for the files of common/http.
 */
#ifndef WARREN_HTTP_FILES_ANSWER_H
#define WARREN_HTTP_FILES_ANSWER_H

#include "common/http/request.h"

struct http_file;
struct http_files;

/* NULL: none, or f is NULL. `/` gives index.html; other folders have no index. */
const struct http_file *files_find(const struct http_files *f, const struct path *path);
/* Answers 200, or 304 when the client has the file. */
void files_answer(struct http_request *r, const struct http_file *file);

#endif
