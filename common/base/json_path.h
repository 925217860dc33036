/* SPDX-License-Identifier: Apache-2.0
 *
 * json_path.h: one member of a document that was checked before, by its path. For a few members;
 * json_read.h reads a whole object into a struct. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/json_scan.h"

/* "progress.value": a member of a member; "": the object itself. False: there is none, or a name in
 * the path has 64 bytes or more. */
bool json_path_find(struct scan_value object, const char *path, struct scan_value *out);
/* Adds the member as text: a string without quotes and escapes, anything else as it is written.
 * False, and nothing added, when it is absent or null. */
bool json_path_add(struct scan_value object, const char *path, struct buffer *out);
/* -1 when it is absent or no integer. */
int64_t json_path_int(struct scan_value object, const char *path);
bool json_path_is(struct scan_value object, const char *path, const char *text);
bool json_path_is_true(struct scan_value object, const char *path);
