/* SPDX-License-Identifier: Apache-2.0
 *
 * cli.c: printing on standard output and standard error; Ctrl-C while a command waits.
 */
#include "ui/cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "ui/cli/table.h"

void cli_add_tenant(const struct cli *c, struct buffer *out)
{
        const char *tenant = cli_option(c, "tenant");

        if (tenant == NULL)
                return;
        buffer_add_text(out, " --tenant ");
        show_text(out, bytes_of_text(strcmp(tenant, "*") == 0 ? "'*'" : tenant));
}

void cli_add_submitted(const struct cli *c, struct buffer *out)
{
        if (c->submitted == NULL)
                return;
        if (c->json) {
                json_put_string(out, "id", c->submitted);
                return;
        }
        buffer_add_text(out, "\n  the job was submitted; 'warren get ");
        show_text(out, bytes_of_text(c->submitted));
        cli_add_tenant(c, out);
        buffer_add_text(out, " --wait' waits for it again");
}

enum exit_code cli_fail(const struct cli *c, enum exit_code code, const char *format, ...)
{
        char text[2 * ERR_TEXT_SIZE];
        AUTO_BUFFER line = {0};
        AUTO_BUFFER shown = {0};
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (c->json) {
                json_begin(&line);
                json_put_string(&line, "error", text);
                json_put_given(&line, "about", bytes_of_text(c->about));
                json_put_int(&line, "exit", code);
        } else {
                buffer_add_text(&line, "warren: ");
                if (c->about != NULL) {
                        show_text(&line, bytes_of_text(c->about));
                        buffer_add_text(&line, ": ");
                }
                show_block(&line, bytes_of_text(text));
        }
        cli_add_submitted(c, &line);
        if (c->json)
                json_end(&line);
        show_json(&shown, buffer_bytes(&line)); /* text has no controls any more */
        fprintf(stderr, "%s\n", shown.data);
        return code;
}

void cli_note(const struct cli *c, const char *format, ...)
{
        char text[2 * ERR_TEXT_SIZE];
        AUTO_BUFFER line = {0};
        va_list arguments;

        if (c->json)
                return;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        show_text(&line, bytes_of_text(text));
        fprintf(stderr, "%s\n", line.data);
}

static enum exit_code code_of(enum err_code code)
{
        switch (code) {
        case ERR_NOT_FOUND:
                return EXIT_NOT_FOUND;
        case ERR_FORBIDDEN:
                return EXIT_NOT_ALLOWED;
        case ERR_UNAVAILABLE:
        case ERR_TIMEOUT:
        case ERR_PROTOCOL:
                return EXIT_UNREACHABLE;
        case ERR_FULL:
                return EXIT_LIMITED;
        case ERR_NONE:
        case ERR_INVALID:
        case ERR_TOO_LARGE:
        case ERR_CONFLICT:
        case ERR_CORRUPT:
        case ERR_SYSTEM:
                return EXIT_REFUSED;
        }
        return EXIT_REFUSED;
}

enum exit_code cli_fail_err(const struct cli *c, const struct err *e)
{
        return cli_fail(c, code_of(e->code), "%s", e->text);
}

enum { SLICE_MS = 250 }; /* how long a signal may go unseen, if it came just before a wait */
static volatile sig_atomic_t interrupted; /* the stop flag */

/* Waits until standard output takes something. False: a caught signal came meanwhile. */
static bool await_reader(void)
{
        struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

        while (poll(&out, 1, SLICE_MS) <= 0) {
                if (interrupted != 0)
                        return false;
        }
        return true;
}

/* By write, not by stdio: that writes on after a signal, when a part was written. No more at once
 * than a pipe takes without waiting when it is said to take something. */
enum exit_code cli_print(const struct cli *c, struct bytes text)
{
        for (size_t at = 0; at < text.length && await_reader();) {
                size_t left = text.length - at;
                ssize_t written =
                        write(STDOUT_FILENO, text.data + at, left < PIPE_BUF ? left : PIPE_BUF);
                if (written < 0 && errno == EPIPE)
                        return EXIT_DONE;
                if (written < 0 && errno != EINTR && errno != EAGAIN)
                        return cli_fail(c, EXIT_REFUSED, "standard output: %s", strerror(errno));
                at += written > 0 ? (size_t)written : 0;
        }
        return EXIT_DONE;
}

bool cli_has_reader(void)
{
        struct pollfd out = {.fd = STDOUT_FILENO};

        return poll(&out, 1, 0) <= 0 || (out.revents & (POLLERR | POLLHUP)) == 0;
}

enum exit_code cli_print_json(const struct cli *c, struct bytes json)
{
        AUTO_BUFFER line = {0};

        show_json(&line, json);
        buffer_add_char(&line, '\n');
        return cli_print(c, buffer_bytes(&line));
}

const char *cli_word(const struct cli *c, int n)
{
        return n < c->arguments.word_count ? c->arguments.words[n] : NULL;
}

const char *cli_option(const struct cli *c, const char *name)
{
        return arguments_option(&c->arguments, name);
}

bool cli_has(const struct cli *c, const char *name)
{
        return cli_option(c, name) != NULL;
}

static void on_interrupt(int number)
{
        interrupted = number;
}

void cli_catch_interrupts(void)
{
        struct sigaction action = {.sa_handler = on_interrupt};

        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
}

const volatile sig_atomic_t *cli_interrupt(void)
{
        return &interrupted;
}

void cli_pass_interrupt_on(void)
{
        int number = interrupted;

        if (number == 0)
                return;
        signal(number, SIG_DFL);
        raise(number);
}
