/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c: log lines as JSON on stderr.
 */
#include "common/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json_write.h"

/* Longer values are cut: a hostile one must not fill the disk. */
enum { LOG_TEXT_MAX = 4096 };

const char *const log_level_words[] = {
        [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",    [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_DEBUG + 1] = NULL,
};

static const char *program_name = "warren";
static atomic_int level_now = LOG_LEVEL_INFO;

void log_open(const char *program, enum log_level level)
{
        program_name = program;
        log_set_level(level);
}

void log_set_level(enum log_level level)
{
        atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

struct log_field log_text(const char *name, const char *value)
{
        return log_bytes(name, bytes_of_text(value));
}

struct log_field log_err(const struct err *e)
{
        return log_text("error", e->text);
}

static void add_field(struct buffer *line, const struct log_field *f)
{
        struct bytes text = f->text;

        switch (f->kind) {
        case LOG_KIND_TEXT:
                if (text.length > LOG_TEXT_MAX)
                        text.length = LOG_TEXT_MAX;
                if (text.data == NULL)
                        json_put_null(line, f->name);
                else
                        json_put_text(line, f->name, text);
                break;
        case LOG_KIND_INT:
                json_put_int(line, f->name, f->number);
                break;
        case LOG_KIND_BOOL:
                json_put_flag(line, f->name, f->number != 0);
                break;
        }
}

static void write_line(struct bytes line)
{
        while (write(STDERR_FILENO, line.data, line.length) < 0 && errno == EINTR)
                ;
}

void log_write(enum log_level level, const struct log_field *fields)
{
        char now[TIME_TEXT_SIZE];
        AUTO_BUFFER line = {0};

        if ((int)level > atomic_load_explicit(&level_now, memory_order_relaxed))
                return;
        int saved = errno;
        buffer_reserve(&line, 256);
        json_begin(&line);
        json_put_string(&line, "ts", time_format(clock_wall(), now));
        json_put_string(&line, "level", log_level_words[level]);
        json_put_string(&line, "program", program_name);
        for (const struct log_field *f = fields; f->name != NULL; f++)
                add_field(&line, f);
        json_end(&line);
        buffer_add_char(&line, '\n');
        write_line(buffer_bytes(&line));
        errno = saved;
}
