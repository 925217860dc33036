/* SPDX-License-Identifier: Apache-2.0
 *
 * shortage.c: the values of errno that mean a shortage.
 */
#include "consumer/runner/shortage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

static bool shortage_is(int number)
{
        switch (number) {
        case EMFILE: /* of this process */
        case ENFILE: /* of the machine; or of the user's pipes */
        case EAGAIN: /* processes, of the user or the unit */
        case ENOMEM:
        case ENOSPC: /* watches of epoll, of the user */
                return true;
        }
        return false;
}

int shortage_err(struct err *e, const char *format, ...)
{
        int number = errno;
        char what[ERR_TEXT_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(what, sizeof(what), format, arguments);
        va_end(arguments);
        if (err_is_set(e))
                return -1;
        errno = number;
        err_set_errno(e, "%s", what);
        if (shortage_is(number))
                e->code = ERR_FULL;
        return -1;
}

/* The system gives the lowest free number, so the last one tells how many are open. */
int shortage_spare_files(int last_fd, int spared, struct err *e)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
            (rlim_t)last_fd + (rlim_t)spared >= limit.rlim_cur)
                return err_set(
                        e, ERR_FULL,
                        "Too many open files: the last %d of %llu are reserved for connections",
                        spared, (unsigned long long)limit.rlim_cur);
        return 0;
}
