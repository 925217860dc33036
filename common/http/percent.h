/* SPDX-License-Identifier: Apache-2.0
 *
 * percent.h: percent-encoding (RFC 3986), strict. Pure.
 */
#ifndef WARREN_HTTP_PERCENT_H
#define WARREN_HTTP_PERCENT_H

#include "common/base/err.h"

enum percent_where { PERCENT_PATH, PERCENT_QUERY /* + is a space */ };

/* Decodes text in place. ERR_INVALID: a bad escape, an escaped NUL, or the result is not UTF-8. e's
 * text has no subject: the caller puts "the path" or the like before it. */
int percent_decode(char *text, enum percent_where where, struct err *e) MUST_CHECK;

#endif
