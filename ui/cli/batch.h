/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.h: `warren submit --batch`.
 */
#pragma once

#include "ui/cli/cli.h"

/* Submits the jobs of the option's file. Refuses words and options that have no meaning with it. */
enum exit_code batch_submit(struct cli *c);
