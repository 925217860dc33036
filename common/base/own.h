/* SPDX-License-Identifier: Apache-2.0
 *
 * own.h: ownership by scope. AUTO(limiter) declares a `struct limiter *` that is destroyed at the
 * end of its scope; TAKE gives its value and sets it to NULL.
 *
 *      AUTO(limiter) l = limiter_create(...);
 *      if (l == NULL)
 *              return NULL;
 *      return TAKE(l);
 *
 * AUTO(x) needs `void x_destroy(struct x **)`, which must accept a pointer to NULL.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(type) __attribute__((cleanup(type##_destroy))) struct type *
#define AUTO_FREE __attribute__((cleanup(own_free_)))
#define AUTO_CLOSE __attribute__((cleanup(own_close_)))
#define AUTO_FCLOSE __attribute__((cleanup(own_fclose_)))

#define TAKE(variable) \
        __extension__({ \
                __typeof__(variable) taken_ = (variable); \
                (variable) = NULL; \
                taken_; \
        })

/* TAKE for a file descriptor: sets it to -1. */
static inline int own_take_fd(int *fd)
{
        int taken = *fd;
        *fd = -1;
        return taken;
}

static inline void own_free_(void *pointer)
{
        free(*(void **)pointer);
        *(void **)pointer = NULL;
}

static inline void own_close_(const int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static inline void own_fclose_(FILE **file)
{
        if (*file != NULL)
                fclose(*file);
}
