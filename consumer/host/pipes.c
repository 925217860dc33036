/* SPDX-License-Identifier: Apache-2.0
 *
 * pipes.c: reads and writes frames.
 */
#include "consumer/host/pipes.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ_AT_ONCE = 64 * 1024 };

/* Reads at least one byte. 1; 0 at the end of file; -1. */
static int read_more(struct buffer *in, size_t room, struct err *e)
{
        ssize_t got;

        buffer_reserve(in, room);
        do
                got = read(WIRE_IN_FD, in->data + in->length, room);
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return err_set_errno(e, "cannot read from the consumer");
        in->length += (size_t)got;
        in->data[in->length] = '\0';
        return got > 0;
}

int pipes_read(struct buffer *in, struct pipes_frame *out, struct err *e)
{
        struct wire_header header = {0};
        size_t want = sizeof(header);

        buffer_clear(in);
        while (in->length < want) {
                size_t missing = want - in->length;
                int got = read_more(in, missing > READ_AT_ONCE ? missing : READ_AT_ONCE, e);
                if (got < 0 || (got == 0 && in->length == 0))
                        return got;
                if (got == 0)
                        return err_set(e, ERR_PROTOCOL,
                                       "the consumer closed the pipe in mid-frame");
                if (want > sizeof(header) || in->length < sizeof(header))
                        continue;
                memcpy(&header, in->data, sizeof(header));
                if (header.length > WIRE_REQUEST_MAX)
                        return err_set(e, ERR_TOO_LARGE, "a frame of %u bytes is too long",
                                       header.length);
                want += header.length;
        }
        if (in->length != want)
                return err_set(e, ERR_PROTOCOL, "a frame came before the last one was answered");
        out->kind = (enum wire_kind)header.kind;
        out->body = bytes_of(in->data + sizeof(header), header.length);
        return 1;
}

/* Skips the `sent` bytes; returns how many parts are left. */
static int skip(struct iovec **parts, int count, size_t sent)
{
        while (count > 0 && sent >= (*parts)->iov_len) {
                sent -= (*parts)->iov_len;
                (*parts)++;
                count--;
        }
        if (count > 0) {
                (*parts)->iov_base = (char *)(*parts)->iov_base + sent;
                (*parts)->iov_len -= sent;
        }
        return count;
}

int pipes_write(enum wire_kind kind, const struct bytes parts[PIPES_PARTS_MAX], struct err *e)
{
        struct wire_header header = {.kind = (uint32_t)kind};
        struct iovec vector[1 + PIPES_PARTS_MAX] = {{&header, sizeof(header)}};

        for (size_t i = 0; i < PIPES_PARTS_MAX; i++) {
                vector[1 + i] = (struct iovec){(void *)parts[i].data, parts[i].length};
                header.length += (uint32_t)parts[i].length;
        }

        struct iovec *left = vector;
        int count = 1 + PIPES_PARTS_MAX;
        while (count > 0) {
                ssize_t sent = writev(WIRE_OUT_FD, left, count);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return err_set_errno(e, "cannot write to the consumer");
                count = skip(&left, count, (size_t)sent);
        }
        return 0;
}
