/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: the `warren` command.
 */
#include <signal.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "ui/cli/command.h"

int main(int argc, char **argv)
{
        umask(077); /* topology apply writes files of passwords */
        signal(SIGPIPE, SIG_IGN);
        log_open("warren", LOG_LEVEL_ERROR);
        return (int)command_run(argc - 1, argv + 1);
}
