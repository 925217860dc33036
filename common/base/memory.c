/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: allocation that aborts when there is no memory.
 */
#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *pointer)
{
        if (pointer == NULL) {
                fputs("out of memory\n", stderr);
                abort();
        }
        return pointer;
}

void *xmalloc(size_t size)
{
        return or_abort(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
        return or_abort(count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1));
}

void *xrealloc(void *old, size_t size)
{
        return or_abort(realloc(old, size > 0 ? size : 1));
}

char *xstrdup(const char *text)
{
        return or_abort(strdup(text));
}

char *xmemdup0(const void *data, size_t length)
{
        char *copy = xmalloc(length + 1);
        if (length > 0)
                memcpy(copy, data, length);
        copy[length] = '\0';
        return copy;
}

char *xasprintf(const char *format, ...)
{
        char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        int length = vasprintf(&text, format, arguments);
        va_end(arguments);
        return or_abort(length < 0 ? NULL : text);
}
