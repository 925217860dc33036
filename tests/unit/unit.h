/* SPDX-License-Identifier: Apache-2.0
 *
 * unit.h: cmocka with what it needs before it, and the size of a table.
 */
#ifndef WARREN_TESTS_UNIT_H
#define WARREN_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#endif
