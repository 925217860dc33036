/* SPDX-License-Identifier: Apache-2.0
 *
 * workers_behind.h: the consumers that a cancel has not reached yet.
 */
#pragma once

#include "ui/cli/api.h"

/* Warns on standard error when the answer's workers_behind names consumers, or is null: then it is
 * not known which have been told. */
void workers_behind_warn(const struct cli *c, struct scan_value answer);
