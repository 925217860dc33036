/* SPDX-License-Identifier: Apache-2.0
 *
 * unbuilt.c: commands that this version does not have yet.
 */
#include "ui/cli/cli.h"

/* clang-format off */
#define UNBUILT(command) \
        enum exit_code command(struct cli *c) \
        { \
                return cli_fail(c, EXIT_REFUSED, "this version does not have this command yet"); \
        }
/* clang-format on */

UNBUILT(command_cancel)
UNBUILT(command_run_now)
UNBUILT(command_retry)
UNBUILT(command_reschedule)
UNBUILT(command_priority)
UNBUILT(command_forget)
UNBUILT(command_operation)
UNBUILT(command_pause)
UNBUILT(command_resume)
