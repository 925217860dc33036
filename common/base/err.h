/* SPDX-License-Identifier: Apache-2.0
 *
 * err.h: the one error type. A function that can fail returns 0/-1 or a pointer, is marked
 * MUST_CHECK, takes a `struct err *` last and fills it once: the first failure wins.
 */
#pragma once

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

enum err_code {
        ERR_NONE,
        ERR_INVALID,   /* the input breaks its contract */
        ERR_TOO_LARGE, /* the input exceeds a limit */
        ERR_NOT_FOUND,
        ERR_CONFLICT, /* exists already, or is in another state */
        ERR_FORBIDDEN,
        ERR_FULL,        /* a bounded buffer is full: try later */
        ERR_UNAVAILABLE, /* the peer is not reachable or refuses */
        ERR_TIMEOUT,
        ERR_PROTOCOL, /* the peer broke the protocol */
        ERR_CORRUPT,  /* stored data is damaged */
        ERR_SYSTEM,   /* a system call failed */
};

enum { ERR_TEXT_SIZE = 512 };

struct err {
        enum err_code code;
        char text[ERR_TEXT_SIZE]; /* UTF-8, for people; NUL-terminated, cut when too long */
};

/* Fills e unless it is NULL or already filled. Always returns -1, so: return err_set(e, ...). */
int err_set(struct err *e, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* As err_set with ERR_SYSTEM and ": strerror(errno)" appended. */
int err_set_errno(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "context: " before the text of a filled error. Always returns -1. */
int err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

bool err_is_set(const struct err *e);
void err_clear(struct err *e);
