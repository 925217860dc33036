/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_page.c: a memory page, in a memfd.
 */
#include "consumer/runner/plugin_page.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/own.h"
#include "consumer/runner/shortage.h"

int page_init(struct plugin_page *p, int *fd, struct err *e)
{
        AUTO_CLOSE int page_fd = memfd_create("warren-page", MFD_CLOEXEC);
        if (page_fd < 0 || ftruncate(page_fd, sizeof(struct wire_page)) != 0)
                return shortage_err(e, "cannot make a shared page");

        void *shared = mmap(NULL, sizeof(struct wire_page), PROT_READ | PROT_WRITE, MAP_SHARED,
                            page_fd, 0);
        if (shared == MAP_FAILED)
                return shortage_err(e, "cannot map a shared page");
        *p = (struct plugin_page){.shared = shared};
        *fd = own_take_fd(&page_fd);
        return 0;
}

void page_fini(struct plugin_page *p)
{
        if (p->shared != NULL)
                munmap(p->shared, sizeof(*p->shared));
        p->shared = NULL;
}

uint32_t page_begin_job(struct plugin_page *p)
{
        if (++p->sequence == 0)
                p->sequence = 1;
        page_ask_notice(p);
        return p->sequence;
}

void page_cancel_job(struct plugin_page *p)
{
        atomic_store(&p->shared->cancelled, p->sequence);
}

void page_ask_notice(struct plugin_page *p)
{
        atomic_store(&p->shared->notified, 0);
}

/* Copies the latest progress; false when the host is writing it now. */
static bool copy_latest(struct wire_latest *from, struct wire_latest *out, uint32_t *version)
{
        *version = atomic_load_explicit(&from->version, memory_order_acquire);
        out->sequence = from->sequence;
        out->done = from->done;
        uint32_t length = atomic_load_explicit(&from->length, memory_order_relaxed);
        out->length = length < sizeof(out->text) ? length : sizeof(out->text);
        memcpy(out->text, from->text, out->length);
        atomic_thread_fence(memory_order_acquire);
        return *version % 2 == 0 &&
               *version == atomic_load_explicit(&from->version, memory_order_relaxed);
}

enum page_news page_read(struct plugin_page *p, struct wire_latest *out)
{
        uint32_t version;

        if (!copy_latest(&p->shared->latest, out, &version))
                return PAGE_BUSY;
        if (version == p->seen)
                return PAGE_NO_NEWS;
        p->seen = version;
        return out->sequence == p->sequence ? PAGE_NEWS : PAGE_NO_NEWS;
}
