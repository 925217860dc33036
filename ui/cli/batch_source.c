/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_source.c: the jobs of a batch from a file or standard input.
 */
#include "ui/cli/batch_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json_split.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { PIECE_SIZE = 64 << 10, JOB_MAX = 4 << 20, PATIENCE_MS = 200 };

struct batch_source {
        int fd;
        const char *name; /* for messages; borrowed */
        const volatile sig_atomic_t *stop;
        struct stat info;
        struct json_split split;
        bool begun; /* the form is known, split is initialised */
        bool ended; /* the input has no more bytes */
        char piece[PIECE_SIZE];
        size_t at, filled; /* of the piece: bytes used, bytes there */
        int64_t total;     /* bytes read */
};

void batch_source_destroy(struct batch_source **s)
{
        if (*s == NULL)
                return;
        if ((*s)->begun)
                json_split_fini(&(*s)->split);
        if ((*s)->fd > STDIN_FILENO)
                close((*s)->fd);
        free(*s);
        *s = NULL;
}

struct batch_source *batch_source_open(const char *path, const volatile sig_atomic_t *stop,
                                       struct err *e)
{
        AUTO(batch_source) s = xcalloc(1, sizeof(*s));
        bool standard = strcmp(path, "-") == 0;

        s->stop = stop;
        s->name = standard ? "standard input" : path;
        s->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (s->fd < 0 || fstat(s->fd, &s->info) < 0) {
                err_set_errno(e, "%s", s->name);
                return NULL;
        }
        if (S_ISDIR(s->info.st_mode)) {
                err_set(e, ERR_INVALID, "%s is a folder", s->name);
                return NULL;
        }
        return TAKE(s);
}

bool batch_source_is_file(const struct batch_source *s)
{
        return s->fd != STDIN_FILENO && S_ISREG(s->info.st_mode);
}

int64_t batch_source_size(const struct batch_source *s)
{
        return s->info.st_size;
}

int64_t batch_source_changed(const struct batch_source *s)
{
        return (int64_t)s->info.st_mtim.tv_sec * MSEC_SECOND + s->info.st_mtim.tv_nsec / 1000000;
}

bool batch_source_is(const struct batch_source *s, const char *path)
{
        struct stat other;

        return stat(path, &other) == 0 && other.st_dev == s->info.st_dev &&
               other.st_ino == s->info.st_ino;
}

int batch_source_lock(const struct batch_source *s, struct err *e)
{
        if (flock(s->fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        if (errno == EWOULDBLOCK)
                return err_set(e, ERR_CONFLICT, "%s is being submitted by another process",
                               s->name);
        return err_set_errno(e, "%s cannot be locked", s->name);
}

bool batch_source_is_array(const struct batch_source *s)
{
        return s->begun && s->split.form == SPLIT_ARRAY;
}

/* Reads a piece. A read that may wait is polled for, so that a signal is noticed. */
static enum batch_read fill(struct batch_source *s, struct err *e)
{
        struct pollfd readable = {.fd = s->fd, .events = POLLIN};

        if (poll(&readable, 1, PATIENCE_MS) <= 0 || *s->stop != 0)
                return BATCH_READ_LATER;
        if (s->begun)
                s->at = s->filled = 0;
        ssize_t got = read(s->fd, s->piece + s->filled, sizeof(s->piece) - s->filled);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
                return BATCH_READ_LATER;
        if (got < 0) {
                err_set_errno(e, "%s", s->name);
                return BATCH_READ_FAILED;
        }
        if (got == 0 && batch_source_is_file(s) && s->total < s->info.st_size) {
                err_set(e, ERR_CONFLICT, "%s became shorter while it was read", s->name);
                return BATCH_READ_FAILED;
        }
        s->total += got;
        s->filled += (size_t)got;
        s->ended = got == 0;
        return BATCH_READ_JOB;
}

/* The first character that is not white space decides the form. Until it comes, the piece grows; a
 * piece that has none means lines. */
static void begin(struct batch_source *s)
{
        size_t i = 0;

        while (i < s->filled && s->piece[i] != '\0' && strchr(" \t\r\n", s->piece[i]) != NULL)
                i++;
        if (i == s->filled && i < sizeof(s->piece) && !s->ended)
                return;
        bool array = i < s->filled && s->piece[i] == '[';
        json_split_init(&s->split, array ? SPLIT_ARRAY : SPLIT_LINES, JOB_MAX);
        s->begun = true;
}

static enum split_step step(struct batch_source *s)
{
        size_t used = 0;

        if (s->at == s->filled && s->ended)
                return json_split_end(&s->split);
        enum split_step made =
                json_split_feed(&s->split, bytes_of(s->piece + s->at, s->filled - s->at), &used);
        s->at += used;
        return made;
}

static void set_place(struct batch_source *s, struct batch_place *p)
{
        const struct split_element *element = &s->split.element;

        *p = (struct batch_place){
                .text = element->text, .line = element->line, .column = element->column};
        p->in_array = s->split.form == SPLIT_ARRAY;
        p->number = p->in_array ? element->index + 1 : element->line;
        p->end = element->offset + element->text.length;
}

enum batch_read batch_source_next(struct batch_source *s, struct batch_place *p, struct err *e)
{
        for (;;) {
                if (!s->ended && (!s->begun || s->at == s->filled)) {
                        enum batch_read got = fill(s, e);
                        if (got != BATCH_READ_JOB)
                                return got;
                }
                if (!s->begun)
                        begin(s);
                if (!s->begun)
                        continue;
                switch (step(s)) {
                case SPLIT_NEED:
                        continue;
                case SPLIT_ELEMENT:
                        set_place(s, p);
                        return BATCH_READ_JOB;
                case SPLIT_TOO_LARGE:
                        set_place(s, p);
                        p->text = (struct bytes){0};
                        return BATCH_READ_JOB;
                case SPLIT_DONE:
                        return BATCH_READ_END;
                case SPLIT_BROKEN:
                        err_set(e, ERR_INVALID, "%s: line %u, column %u: %s", s->name,
                                s->split.fault.line, s->split.fault.column, s->split.fault.detail);
                        return BATCH_READ_FAILED;
                }
        }
}
