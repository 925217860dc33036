/* SPDX-License-Identifier: Apache-2.0
 *
 * err.c: fills, wraps and names errors.
 */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static int fill(struct err *e, enum err_code code, const char *format, va_list arguments)
{
        if (e == NULL || e->code != ERR_NONE)
                return -1;
        e->code = code;
        vsnprintf(e->text, sizeof(e->text), format, arguments);
        return -1;
}

int err_set(struct err *e, enum err_code code, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        fill(e, code, format, arguments);
        va_end(arguments);
        return -1;
}

int err_set_errno(struct err *e, const char *format, ...)
{
        int number = errno;
        va_list arguments;

        if (e == NULL || e->code != ERR_NONE)
                return -1;
        va_start(arguments, format);
        fill(e, ERR_SYSTEM, format, arguments);
        va_end(arguments);

        char reason[128];
        size_t used = strlen(e->text);
        snprintf(e->text + used, sizeof(e->text) - used, ": %s",
                 strerror_r(number, reason, sizeof(reason)));
        errno = number;
        return -1;
}

int err_wrap(struct err *e, const char *format, ...)
{
        if (e == NULL || e->code == ERR_NONE)
                return -1;

        char inner[ERR_TEXT_SIZE];
        memcpy(inner, e->text, sizeof(inner));

        va_list arguments;
        va_start(arguments, format);
        vsnprintf(e->text, sizeof(e->text), format, arguments);
        va_end(arguments);

        size_t used = strlen(e->text);
        snprintf(e->text + used, sizeof(e->text) - used, ": %s", inner);
        return -1;
}

bool err_is_set(const struct err *e)
{
        return e->code != ERR_NONE;
}

void err_clear(struct err *e)
{
        e->code = ERR_NONE;
        e->text[0] = '\0';
}
