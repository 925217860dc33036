/* SPDX-License-Identifier: Apache-2.0
 *
 * memory_limit.c: RLIMIT_AS over what the process has, and malloc with a note of refusals.
 *
 * The allocator's functions are defined here, over glibc's own, and so serve the plugin as well: a
 * definition in the program comes before the library's. They cannot be given a context, hence the
 * two variables of this file. A sanitizer brings an allocator of its own that ends the process; it
 * tells so by __asan_on_error.
 */
#include "consumer/host/memory_limit.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/own.h"

static struct wire_page *limit_page;
static uint32_t limit_sequence;

static void note_refusal(void)
{
        if (limit_page != NULL)
                atomic_store(&limit_page->refused, limit_sequence);
}

void memory_limit_job(uint32_t sequence)
{
        limit_sequence = sequence;
}

/* The first number of statm is the size of the address space, in pages. */
static int address_space(rlim_t *bytes, struct err *e)
{
        AUTO_FCLOSE FILE *statm = fopen("/proc/self/statm", "re");
        char text[128];

        if (statm == NULL || fgets(text, sizeof(text), statm) == NULL)
                return err_set_errno(e, "/proc/self/statm");
        *bytes = (rlim_t)strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
        return 0;
}

int memory_limit_set(int64_t bytes, struct wire_page *page, struct err *e)
{
        rlim_t had = 0;

        if (address_space(&had, e) != 0)
                return -1;

        rlim_t allowed = had + (rlim_t)bytes;
        struct rlimit limit = {.rlim_cur = allowed, .rlim_max = allowed};
        if (setrlimit(RLIMIT_AS, &limit) != 0)
                return err_set_errno(e, "cannot set the memory limit");
        limit_page = page;
        return 0;
}

#if defined(__SANITIZE_ADDRESS__)

/* sanitizer/asan_interface.h promises both; called by the runtime. */
void __asan_on_error(void);
const char *__asan_default_options(void);
const char *__asan_get_report_description(void);

void __asan_on_error(void)
{
        const char *what = __asan_get_report_description();

        if (what != NULL && (strstr(what, "out-of-memory") != NULL ||
                             strstr(what, "allocation-size-too-big") != NULL))
                note_refusal();
}

/* A crash must end the process by its own signal, as it does without the sanitizer. */
const char *__asan_default_options(void)
{
        return "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0:"
               "abort_on_error=1";
}

#elif !defined(__SANITIZE_THREAD__)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static inline void *checked(void *pointer, size_t size)
{
        if (__builtin_expect(pointer == NULL && size > 0, 0))
                note_refusal();
        return pointer;
}

void *malloc(size_t size)
{
        return checked(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
        return checked(__libc_calloc(count, size), count > 0 ? size : 0);
}

void *realloc(void *old, size_t size)
{
        return checked(__libc_realloc(old, size), size);
}

void *memalign(size_t alignment, size_t size)
{
        return checked(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
        return checked(__libc_memalign(alignment, size), size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
        if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
                return EINVAL;

        void *pointer = checked(__libc_memalign(alignment, size), size);
        if (pointer == NULL)
                return ENOMEM;
        *out = pointer;
        return 0;
}

#endif
