/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_outcome.h: how a plugin's run ended, by what its host said, or by how its host died.
 */
#ifndef WARREN_CONSUMER_RUNNER_PLUGIN_OUTCOME_H
#define WARREN_CONSUMER_RUNNER_PLUGIN_OUTCOME_H

#include "consumer/runner/child.h"
#include "consumer/runner/plugin_talk.h"
#include "consumer/runner/run.h"

/* The handler returned. `said` is a word END. */
void plugin_outcome(struct run *run, const struct plugin_word *said, struct run_end *out);
/* Its process ended; `fault` is why, if that is known, and else how it ended is told. */
void plugin_outcome_of_death(struct run *run, struct child_end end, const struct err *fault,
                             struct run_end *out);

#endif
