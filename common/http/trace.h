/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.h: W3C trace context.
 */
#ifndef WARREN_HTTP_TRACE_H
#define WARREN_HTTP_TRACE_H

enum { TRACEPARENT_SIZE = 56, TRACE_ID_SIZE = 33 };

/* Copies `given` if it is a valid traceparent of version 00; else makes a new one. */
void trace_continue(const char *given, char out[TRACEPARENT_SIZE]);
void trace_id(const char *traceparent, char out[TRACE_ID_SIZE]);

#endif
