/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h: the wall clock, the monotonic clock, and times and durations as text. Policy code takes
 * `now` as a value; a test that must move time wraps the clocks at link time
 * (-Wl,--wrap=clock_wall).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

typedef int64_t msec; /* a duration, or a time since the epoch, in milliseconds */

enum {
        MSEC_SECOND = 1000,
        MSEC_MINUTE = 60 * MSEC_SECOND,
        MSEC_HOUR = 60 * MSEC_MINUTE,
        MSEC_DAY = 24 * MSEC_HOUR,
};

msec clock_wall(void); /* since 1970-01-01 UTC; can jump */
msec clock_mono(void); /* never goes back; only differences have a meaning */
int64_t clock_mono_us(void);
msec clock_boot(void); /* as clock_mono, but it goes on while the machine is suspended */

enum { TIME_TEXT_SIZE = 32 };

/* RFC 3339 in UTC with milliseconds: 2026-01-01T00:00:30.000Z. Years 0000 to 9999. */
const char *time_format(msec at, char out[TIME_TEXT_SIZE]);
/* RFC 3339 with any offset and up to nine fraction digits, else ERR_INVALID. A part of a
 * millisecond is rounded up, so nothing that waits for the time is early. */
int time_parse(const char *text, msec *at, struct err *e) MUST_CHECK;
/* Likewise, for bounds of which 0 means none: a time before 1970-01-01T00:00:00.001Z becomes that
 * one. */
int time_parse_bound(const char *text, msec *at, struct err *e) MUST_CHECK;

/* The form of a duration, for error texts. */
#define DURATION_FORM "a number of seconds, or numbers with d, h, m, s or ms, such as 1h30m"
/* "250ms", "1.5s", "2d", "1h30m": numbers with units, larger units first, none twice; or a number
 * of seconds alone. Not negative, at most 10000 d. Only the last number may have a fraction, of at
 * most nine digits; a part of a millisecond is rounded up. Else ERR_INVALID. */
int duration_parse(const char *text, msec *out, struct err *e) MUST_CHECK;
/* The shortest exact form that duration_parse reads back: "1500ms" → "1.5s", 90000 → "90s". */
const char *duration_format(msec duration, char out[TIME_TEXT_SIZE]);
