/* SPDX-License-Identifier: Apache-2.0
 *
 * config_line.h: parses a line of a settings file, "key = value". Pure.
 */
#ifndef WARREN_BASE_CONFIG_LINE_H
#define WARREN_BASE_CONFIG_LINE_H

#include "common/base/err.h"

/* Splits the line in place and trims both parts. An empty key: the line is blank or a comment.
 * -1: no key, or no '='. */
int config_line_split(char *line, char **key, char **value, struct err *e) MUST_CHECK;

#endif
