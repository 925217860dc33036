/* SPDX-License-Identifier: Apache-2.0
 *
 * count_table.h: a table of how many jobs have which status. Pure.
 */
#pragma once

#include "common/base/json_scan.h"
#include "ui/cli/table.h"

/* The first column has this title; the others are the statuses. */
struct table *count_table_create(const char *first) MUST_CHECK;
/* A row: counts has a member for each status; what is missing is 0. */
void count_table_row(struct table *t, struct bytes name, struct scan_value counts);
