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

/* cmocka 2 has one for each signedness, and the old name warns. */
#ifndef assert_int_in_range
#define assert_int_in_range assert_in_range
#endif

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#endif
