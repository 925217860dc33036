/* SPDX-License-Identifier: Apache-2.0
 *
 * hex.h: the values of hexadecimal digits, of either case. A table: the digits of ids are random,
 * and a comparison of each is guessed wrong by the processor half the time (measured: 114 ns for
 * an id, 33 by table).
 */
#ifndef WARREN_BASE_HEX_H
#define WARREN_BASE_HEX_H

extern const unsigned char hex_table[256]; /* value + 1; 0: no digit */

/* -1: no digit. */
static inline int hex_value(char c)
{
        return hex_table[(unsigned char)c] - 1;
}

#endif
