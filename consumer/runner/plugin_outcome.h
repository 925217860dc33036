/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_outcome.h: the outcome of a plugin's run, from its END frame or its host's death.
 */
#pragma once

#include "consumer/runner/child.h"
#include "consumer/runner/plugin_talk.h"
#include "consumer/runner/run.h"

/* The handler returned; said: the END frame. */
void plugin_outcome(struct run *run, const struct plugin_frame *said, struct run_end *out);
/* Its process ended. The error is `fault` if that is set, else how the process ended. */
void plugin_outcome_of_death(struct run *run, struct child_end end, const struct err *fault,
                             struct run_end *out);
