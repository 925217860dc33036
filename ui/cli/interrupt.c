/* SPDX-License-Identifier: Apache-2.0
 *
 * interrupt.c: the command's stop flag.
 */
#include "ui/cli/interrupt.h"

#include <stddef.h>

static volatile sig_atomic_t interrupted; /* the stop flag */

static void on_interrupt(int number)
{
        interrupted = number;
}

void interrupt_catch(void)
{
        struct sigaction action = {.sa_handler = on_interrupt};

        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
}

const volatile sig_atomic_t *interrupt_flag(void)
{
        return &interrupted;
}

void interrupt_pass_on(void)
{
        int number = interrupted;

        if (number == 0)
                return;
        signal(number, SIG_DFL);
        raise(number);
}
