/* SPDX-License-Identifier: Apache-2.0
 *
 * interrupt.h: Ctrl-C and SIGTERM while a command follows something.
 */
#ifndef WARREN_CLI_INTERRUPT_H
#define WARREN_CLI_INTERRUPT_H

#include <signal.h>

/* From now on they set the stop flag and do not end the process. */
void interrupt_catch(void);
/* The stop flag: 0, or the number of the signal that came. */
const volatile sig_atomic_t *interrupt_flag(void);
/* Ends the process by the signal that came, so that a shell's loop around it ends too. Returns when
 * none came. */
void interrupt_pass_on(void);

#endif
