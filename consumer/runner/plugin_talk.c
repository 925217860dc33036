/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_talk.c: writes and reads frames and the shared page, which is a memfd.
 */
#include "consumer/runner/plugin_talk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/own.h"
#include "consumer/runner/shortage.h"

void talk_init(struct plugin_talk *t)
{
        *t = (struct plugin_talk){.from_host.fd = -1, .to_host.fd = -1};
}

void talk_fini(struct plugin_talk *t)
{
        buffer_fini(&t->in);
        buffer_fini(&t->out);
}

static void write_more(void *owner, struct polled *w)
{
        struct plugin_talk *t = owner;
        ssize_t sent = write(w->fd, t->out.data, t->out.length);

        if (sent > 0)
                buffer_drop(&t->out, (size_t)sent);
        if (t->out.length == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR)) {
                buffer_fini(&t->out);
                polled_stop(w);
        }
}

static void keep_unsent(struct plugin_talk *t, const struct iovec *v, size_t count, size_t sent)
{
        for (size_t i = 0; i < count; i++) {
                size_t skip = sent < v[i].iov_len ? sent : v[i].iov_len;
                buffer_add(&t->out, (const char *)v[i].iov_base + skip, v[i].iov_len - skip);
                sent -= skip;
        }
        if (t->out.length > 0)
                polled_start(&t->to_host, UV_WRITABLE, write_more, t);
}

int talk_send(struct plugin_talk *t, enum wire_kind kind, const struct bytes parts[TALK_PARTS_MAX],
              struct err *e)
{
        struct wire_header header = {.kind = (uint32_t)kind};
        struct iovec vector[1 + TALK_PARTS_MAX] = {{&header, sizeof(header)}};
        size_t total = 0;

        for (size_t i = 0; i < TALK_PARTS_MAX; i++) {
                vector[1 + i] = (struct iovec){(void *)parts[i].data, parts[i].length};
                total += parts[i].length;
        }
        if (total > WIRE_REQUEST_MAX)
                return err_set(e, ERR_TOO_LARGE, "a job of %zu bytes is too long for a plugin host",
                               total);
        header.length = (uint32_t)total;

        ssize_t sent = 0;
        if (t->out.length == 0)
                sent = writev(t->to_host.fd, vector, 1 + TALK_PARTS_MAX);
        if (sent < 0 && errno != EAGAIN)
                return err_set_errno(e, "cannot write to its host");
        keep_unsent(t, vector, 1 + TALK_PARTS_MAX, sent > 0 ? (size_t)sent : 0);
        return 0;
}

/* Copies a text with its NUL; returns its size. */
static size_t put_text(char *at, const char *text)
{
        size_t size = strlen(text) + 1;

        memcpy(at, text, size);
        return size;
}

int talk_send_job(struct plugin_talk *t, const struct run_request *q, uint32_t sequence,
                  struct err *e)
{
        const struct job *job = q->job;
        const struct wire_job head = {
                .sequence = sequence,
                .redelivered = q->redelivered,
                .run = job->run,
                .attempt = job->attempt + 1,
                .max_retries = job->max_retries,
                .deadline_ms = clock_wall() + q->timeout,
                .payload_length = job->payload.length,
        };
        char texts[HANDLER_NAME_SIZE + UUID_SIZE + TENANT_SIZE + JOB_TYPE_SIZE +
                   JOB_TRACEPARENT_SIZE];
        size_t length = put_text(texts, q->handler->plugin_handler);

        length += put_text(texts + length, job->id);
        length += put_text(texts + length, job->tenant);
        length += put_text(texts + length, job->type);
        length += put_text(texts + length, job->traceparent);

        const struct bytes parts[TALK_PARTS_MAX] = {
                bytes_of(&head, sizeof(head)),
                bytes_of(texts, length),
                job->payload,
        };
        return talk_send(t, WIRE_JOB, parts, e);
}

/* Whole frames are decoded in `scratch`, without a copy. */
int talk_read(struct plugin_talk *t, char *scratch)
{
        ssize_t got = read(t->from_host.fd, scratch, TALK_READ_SIZE);

        if (got <= 0)
                return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        t->unread = bytes_of(scratch, (size_t)got);
        if (t->in.length > 0) {
                buffer_add(&t->in, scratch, (size_t)got);
                t->unread = buffer_bytes(&t->in);
        }
        return 1;
}

/* Keeps the incomplete frame for the next read. */
static void keep_unread(struct plugin_talk *t)
{
        if (t->in.length > 0)
                buffer_drop(&t->in, t->in.length - t->unread.length);
        else
                buffer_add(&t->in, t->unread.data, t->unread.length);
        t->unread = (struct bytes){0};
}

static bool take_head(struct bytes *body, void *head, size_t size)
{
        if (body->length < size)
                return false;
        memcpy(head, body->data, size);
        *body = bytes_of(body->data + size, body->length - size);
        return true;
}

static int breaks_protocol(struct err *e, const char *what)
{
        return err_set(e, ERR_PROTOCOL, "its host broke the protocol: %s", what);
}

static int read_end(struct bytes body, struct plugin_frame *out, struct err *e)
{
        struct wire_end *end = &out->end;

        if (!take_head(&body, end, sizeof(*end)) ||
            (uint64_t)end->error_length + end->result_length != body.length)
                return breaks_protocol(e, "end");
        out->text = bytes_of(body.data, end->error_length);
        out->value = bytes_of(body.data + end->error_length, end->result_length);
        return 1;
}

static int read_frame(uint32_t kind, struct bytes body, struct plugin_frame *out, struct err *e)
{
        struct wire_progress progress;

        *out = (struct plugin_frame){.kind = (enum wire_kind)kind};
        switch (kind) {
        case WIRE_READY:
                if (body.length > 0 && body.data[body.length - 1] != '\0')
                        return breaks_protocol(e, "ready");
                out->text = body;
                return 1;
        case WIRE_FAILED:
                out->text = body;
                return 1;
        case WIRE_PROGRESS:
                if (!take_head(&body, &progress, sizeof(progress)) || body.length > 0)
                        return breaks_protocol(e, "progress");
                out->sequence = progress.sequence;
                return 1;
        case WIRE_LOG:
                if (!take_head(&body, &out->log, sizeof(out->log)))
                        return breaks_protocol(e, "log");
                out->text = body;
                return 1;
        case WIRE_END:
                return read_end(body, out, e);
        }
        return breaks_protocol(e, "a frame of no known kind");
}

int talk_next(struct plugin_talk *t, struct plugin_frame *out, struct err *e)
{
        struct bytes rest = t->unread;
        struct wire_header header;

        if (!take_head(&rest, &header, sizeof(header))) {
                keep_unread(t);
                return 0;
        }
        if (header.length > WIRE_REPLY_MAX)
                return breaks_protocol(e, "a frame too long");
        if (rest.length < header.length) {
                keep_unread(t);
                return 0;
        }
        t->unread = bytes_of(rest.data + header.length, rest.length - header.length);
        return read_frame(header.kind, bytes_of(rest.data, header.length), out, e);
}

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
