/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes.h: a borrowed range of bytes, and a growable buffer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Borrowed; not NUL-terminated. {NULL, 0} is "absent"; data != NULL with length 0 is "empty". */
struct bytes {
        const char *data;
        size_t length;
};

static inline struct bytes bytes_of(const void *data, size_t length)
{
        return (struct bytes){.data = data, .length = length};
}

/* text may be NULL: absent. */
struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);
bool bytes_begin_with(struct bytes b, const char *text);
/* Finds a word in a table of `count` words. False: it is not there, or is empty. *at becomes its
 * index. */
bool bytes_find(struct bytes word, const char *const *words, unsigned count, unsigned *at);
/* memcmp order, the shorter first. <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_are_utf8(struct bytes b);
/* Copies into out as a C string. -1 (out empty) when it does not fit or holds a NUL. */
int bytes_to_text(struct bytes b, char *out, size_t size) MUST_CHECK;
/* FNV-1a, 64 bit (Fowler, Noll, Vo). Not cryptographic. */
uint64_t bytes_hash(struct bytes b);
/* A faster hash for long data, continued over several pieces: `digest` is the result for the piece
 * before, any start value for the first. Not cryptographic; depends on the byte order. */
uint64_t bytes_digest(uint64_t digest, struct bytes b);

/* Starts as {0}. Grows as needed: whoever adds limits the size. data is NUL-terminated. */
struct buffer {
        char *data;
        size_t length;
        size_t size;
};

void buffer_fini(struct buffer *b); /* frees, leaves {0} */
void buffer_clear(struct buffer *b);
void buffer_set(struct buffer *b, struct bytes content); /* replaces the content */
void buffer_reserve(struct buffer *b, size_t more);
void buffer_add(struct buffer *b, const void *data, size_t length);
void buffer_add_text(struct buffer *b, const char *text);
void buffer_add_char(struct buffer *b, char c);
void buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Drops the first `length` bytes. */
void buffer_drop(struct buffer *b, size_t length);
/* Adds text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buffer_add_json_string(struct buffer *b, struct bytes text);
/* Standard base64 with padding. */
void buffer_add_base64(struct buffer *b, struct bytes data);
struct bytes buffer_bytes(const struct buffer *b);
/* Returns the data, which the caller frees, and leaves {0}. Never NULL. */
char *buffer_take(struct buffer *b);

#define AUTO_BUFFER __attribute__((cleanup(buffer_fini))) struct buffer
