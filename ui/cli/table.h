/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h: text for a terminal: aligned columns, control characters replaced, optional colours.
 * Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_BLUE, COLOUR_GREY };

struct table;

/* titles is NULL-terminated; every row has as many cells. */
struct table *table_create(const char *const *titles);
void table_destroy(struct table **t);
/* Begins a row; cells are added from the left, missing ones stay empty. */
void table_row(struct table *t);
void table_cell(struct table *t, struct bytes text, enum colour colour);
void table_cell_text(struct table *t, const char *text);
size_t table_rows(const struct table *t);
/* Columns are as wide as their widest cell; the last is cut to fit `width` (0: no limit), but not
 * when less than 10 columns are left for it. */
void table_render(const struct table *t, unsigned width, bool colours, struct buffer *out);

/* Adds text so that it cannot control a terminal: control characters and what is not UTF-8 become
 * U+FFFD, line breaks and tabs a space. */
void show_text(struct buffer *out, struct bytes text);
/* As show_text, but line breaks stay. */
void show_block(struct buffer *out, struct bytes text);
/* Adds JSON that was checked, so that it cannot control a terminal either: what show_text replaces
 * is escaped, and the values stay. Line breaks between tokens stay. */
void show_json(struct buffer *out, struct bytes json);
void show_coloured(struct buffer *out, const char *text, enum colour colour, bool colours);
/* Columns that shown text takes on a terminal. */
unsigned show_width(struct bytes shown);
/* Cuts shown text to `room` columns, of which an ellipsis takes one. */
void show_cut(struct buffer *shown, unsigned room);
