/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h: writes one JSON object a line to stderr: ts, level, program, msg, then typed fields.
 * Error: work was lost or the program cannot go on. Warn: something failed and was handled.
 * Info: life cycle. Debug: off by default. Never log secrets. Any thread; one write(2) a line.
 *
 *      LOG_WARN("job failed", log_text("job", id), log_int("attempt", 2));
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
extern const char *const log_level_words[]; /* "error", "warn", "info", "debug", NULL */

enum log_kind { LOG_KIND_TEXT, LOG_KIND_INT, LOG_KIND_BOOL };

struct log_field {
        const char *name; /* NULL ends the list */
        enum log_kind kind;
        struct bytes text;
        int64_t number;
};

static inline struct log_field log_bytes(const char *name, struct bytes value)
{
        return (struct log_field){.name = name, .kind = LOG_KIND_TEXT, .text = value};
}

static inline struct log_field log_int(const char *name, int64_t value)
{
        return (struct log_field){.name = name, .kind = LOG_KIND_INT, .number = value};
}

static inline struct log_field log_bool(const char *name, bool value)
{
        return (struct log_field){.name = name, .kind = LOG_KIND_BOOL, .number = value};
}

struct log_field log_text(const char *name, const char *value); /* value may be NULL */
struct log_field log_err(const struct err *e);                  /* field "error" */

/* Borrows program for good. Call once, before threads start. */
void log_open(const char *program, enum log_level level);
void log_set_level(enum log_level level);

/* fields end with a NULL name; the first is "msg". */
void log_write(enum log_level level, const struct log_field *fields);

#define LOG_AT(level, message, ...) \
        log_write(level, (const struct log_field[]){ \
                                 log_text("msg", message), ##__VA_ARGS__, {.name = NULL}})
#define LOG_ERROR(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_WARN(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_INFO(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DEBUG(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
