/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h: what every fuzz harness offers: libFuzzer's entry. fuzz_main.c calls it where libFuzzer
 * is not linked.
 */
#ifndef WARREN_TESTS_FUZZ_H
#define WARREN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Aborts when what it tests breaks its promise. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

#endif
