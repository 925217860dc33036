/* SPDX-License-Identifier: Apache-2.0
 *
 * head.h: did civetweb see all of a request's head?
 *
 * civetweb (1.15 and 1.16 alike) stops at the first line that it does not take for a header, and
 * serves the request with the headers before it: behind obsolete folding, a byte over 126, a lone
 * line feed or its 64th header a Content-Length or a key is not seen. It skips white space before
 * the request line, but reckons the head's length with it, and then reads the same bytes again, or
 * what an earlier request left in its buffer. A proxy in front can take both otherwise, and then a
 * request can be smuggled past it. What was read is not to be had from civetweb, but it parses in
 * place: it puts a NUL where a word, a name or a value ends, and everything it returns points into
 * that buffer. So whatever stands between its words can be looked at afterwards.
 *
 * What cannot be told apart: CR LF after the request line, and any other two of CR, LF and blank:
 * civetweb puts two NULs for either.
 */
#ifndef WARREN_HTTP_HEAD_H
#define WARREN_HTTP_HEAD_H

#include <civetweb.h>

#include "common/base/err.h"

/* civetweb's buffer for a head, and what comes with it. */
#define HEAD_SIZE 16384

/* On the thread that civetweb serves the connection with, before anything else looks at the
 * request: it also takes the optional white space off the ends of values. Returns 0, or the status
 * to refuse the request with; then nothing of the connection can be trusted. */
int head_check(const struct mg_request_info *info, struct err *e) MUST_CHECK;

#endif
