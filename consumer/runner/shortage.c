/* SPDX-License-Identifier: Apache-2.0
 *
 * shortage.c: the values of errno that mean a shortage; counts programs and plugin hosts.
 */
#include "consumer/runner/shortage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <utlist.h>

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

/* The programs that can run at once. */
static int64_t programs(const struct handlers *h, int64_t concurrency)
{
        int64_t count = 0;

        for (const struct handler *at = handlers_first(h); at != NULL; at = at->hh.next) {
                if (at->kind == HANDLER_EXEC)
                        count += at->concurrency > 0 ? at->concurrency : concurrency;
        }
        return count < concurrency ? count : concurrency;
}

/* The plugin hosts: each pool has one more while it replaces one. */
static int64_t hosts(const struct handlers *h, int64_t concurrency)
{
        const struct plugin *at;
        int64_t count = 0;

        LL_FOREACH (handlers_first_plugin(h), at)
                count += (at->processes > 0 ? at->processes : concurrency) + 1;
        return count;
}

int64_t open_files_needed(const struct handlers *h, int64_t concurrency)
{
        return FILES_OF_CONSUMER + FILES_SPARED + FILES_OF_START +
               FILES_OF_PROGRAM * programs(h, concurrency) + FILES_OF_HOST * hosts(h, concurrency);
}
