/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_environment.c: filters the consumer's environment.
 */
#include "consumer/runner/plugin_environment.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"

/* Its settings may hold secrets; with systemd's variables a handler could act as the service. */
static bool is_own(const char *assignment)
{
        static const char *const own[] = {
                "WARREN_",      "CREDENTIALS_DIRECTORY=", "INVOCATION_ID=", "JOURNAL_STREAM=",
                "LISTEN_",      "MEMORY_PRESSURE_",       "NOTIFY_SOCKET=", "SYSTEMD_EXEC_PID=",
                "WATCHDOG_PID", "WATCHDOG_USEC",
        };

        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
                if (strncmp(assignment, own[i], strlen(own[i])) == 0)
                        return true;
        }
        return false;
}

char **plugin_environment(void)
{
        size_t count = 0;
        while (environ[count] != NULL)
                count++;

        char **kept = xcalloc(count + 1, sizeof(*kept));
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
                if (!is_own(environ[i]))
                        kept[n++] = environ[i];
        }
        return kept;
}
