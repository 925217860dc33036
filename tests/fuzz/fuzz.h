/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h: the entry point of every fuzz harness, which is libFuzzer's. fuzz_main.c calls it where
 * libFuzzer is not linked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Aborts when the code under test breaks its contract. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
