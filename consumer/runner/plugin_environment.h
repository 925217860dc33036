/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_environment.h: the environment of a plugin host.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_ENVIRONMENT_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_ENVIRONMENT_H

/* The consumer's environment without what is its own. NULL-terminated; the caller frees the list,
 * and not its texts. */
char **plugin_environment(void);

#endif
