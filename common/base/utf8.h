/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.h: reads and writes one UTF-8 sequence, strictly by RFC 3629: no overlong forms, no
 * surrogates, nothing over U+10FFFF. Inline, for the loops of bytes.c and json_scan.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A byte order mark, which some editors write before a text. Warren refuses it. */
#define UTF8_BOM "\xEF\xBB\xBF"
#define UTF8_BOM_REFUSAL "begins with a byte order mark (byte 0xef): write it as UTF-8 without one"

/* Eight bytes of a JSON string at a time: none is a quote, a backslash, a control (DEL is one) or
 * not ASCII. */
static inline bool utf8_eight_are_plain(const char *at)
{
        const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
        uint64_t v;

        memcpy(&v, at, sizeof(v));
        uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\'), del = v ^ (ones * 0x7f);
        uint64_t low = (v - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones);
        return ((low | v) & tops) == 0;
}

static inline bool utf8_begins_with_bom(const char *at, size_t left)
{
        return left >= sizeof(UTF8_BOM) - 1 && memcmp(at, UTF8_BOM, sizeof(UTF8_BOM) - 1) == 0;
}

static inline bool utf8_continues_(unsigned char c)
{
        return (c & 0xC0) == 0x80;
}

/* The length (1 to 4) of the sequence at `at`, with `left` ≥ 1 bytes to read; 0: not UTF-8. */
static inline unsigned utf8_length(const char *at, size_t left)
{
        const unsigned char *s = (const unsigned char *)at;

        if (s[0] < 0x80)
                return 1;
        if (s[0] < 0xC2 || left < 2 || !utf8_continues_(s[1]))
                return 0;
        if (s[0] < 0xE0)
                return 2;
        if (left < 3 || !utf8_continues_(s[2]))
                return 0;
        if (s[0] < 0xF0) {
                bool overlong = s[0] == 0xE0 && s[1] < 0xA0;
                bool surrogate = s[0] == 0xED && s[1] >= 0xA0;
                return overlong || surrogate ? 0 : 3;
        }
        if (s[0] > 0xF4 || left < 4 || !utf8_continues_(s[3]))
                return 0;
        if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90))
                return 0;
        return 4;
}

/* Writes a scalar value (not a surrogate, ≤ U+10FFFF); returns the number of bytes. */
static inline unsigned utf8_write(uint32_t code, char out[4])
{
        if (code < 0x80) {
                out[0] = (char)code;
                return 1;
        }
        if (code < 0x800) {
                out[0] = (char)(0xC0 | (code >> 6));
                out[1] = (char)(0x80 | (code & 0x3F));
                return 2;
        }
        if (code < 0x10000) {
                out[0] = (char)(0xE0 | (code >> 12));
                out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
                out[2] = (char)(0x80 | (code & 0x3F));
                return 3;
        }
        out[0] = (char)(0xF0 | (code >> 18));
        out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
        out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[3] = (char)(0x80 | (code & 0x3F));
        return 4;
}
