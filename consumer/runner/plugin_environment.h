/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_environment.h: the environment of a plugin host.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_ENVIRONMENT_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_ENVIRONMENT_H

/* The consumer's environment, without variables meant for the consumer alone. NULL-terminated. The
 * caller frees the list, but not its texts. */
char **plugin_environment(void);

#endif
