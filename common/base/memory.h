/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h: allocation that aborts when there is no memory. For small sizes of our own: check any
 * size that a peer chooses against a limit first.
 */
#pragma once

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
/* Copies length bytes and adds a NUL. */
char *xmemdup0(const void *data, size_t length) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
        __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
