/* SPDX-License-Identifier: Apache-2.0
 *
 * confirm.c: a question on the terminal.
 */
#include "ui/cli/confirm.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { NUMBER_IS_ASKED_ABOVE = 100, ANSWER_SIZE = 64 };

/* Waits for a line. False: Ctrl-C came, perhaps before the wait: a read would not see that one. */
static bool await_line(void)
{
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        sigset_t held;
        sigset_t before;

        sigemptyset(&held);
        sigaddset(&held, SIGINT);
        sigaddset(&held, SIGTERM);
        sigprocmask(SIG_BLOCK, &held, &before);
        bool ready = *cli_interrupt() == 0 && ppoll(&in, 1, NULL, &before) > 0;
        sigprocmask(SIG_SETMASK, &before, NULL);
        return ready;
}

/* The answer without its line break. False: the input has ended, or Ctrl-C came. */
static bool read_answer(char out[ANSWER_SIZE])
{
        if (!await_line() || fgets(out, ANSWER_SIZE, stdin) == NULL) {
                fputc('\n', stderr);
                return false;
        }
        out[strcspn(out, "\r\n")] = '\0';
        return true;
}

static bool is_yes(const char *answer)
{
        return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static bool agrees(const char *question, int64_t count)
{
        char answer[ANSWER_SIZE];
        char number[24];

        snprintf(number, sizeof(number), "%lld", (long long)count);
        if (count <= NUMBER_IS_ASKED_ABOVE)
                fprintf(stderr, "%s? [y/N] ", question);
        else
                fprintf(stderr, "%s? Type %s to go on: ", question, number);
        fflush(stderr);
        if (!read_answer(answer))
                return false;
        return count <= NUMBER_IS_ASKED_ABOVE ? is_yes(answer) : strcmp(answer, number) == 0;
}

/* Ctrl-C ends the question, and the process. */
static enum exit_code leave(const struct cli *c)
{
        enum exit_code code = cli_fail(c, EXIT_INTERRUPTED, "nothing was done");

        cli_pass_interrupt_on();
        return code;
}

enum exit_code confirm(const struct cli *c, const char *question, int64_t count)
{
        if (cli_has(c, "yes"))
                return EXIT_DONE;
        if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
                return cli_fail(c, EXIT_USAGE,
                                "nothing was done: give --yes where nobody is asked");
        cli_catch_interrupts();
        bool agreed = agrees(question, count);
        if (*cli_interrupt() != 0)
                return leave(c);
        if (agreed)
                return EXIT_DONE;
        return cli_fail(c, EXIT_REFUSED, "nothing was done");
}
