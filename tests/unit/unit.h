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

/* cmocka 2 has one for each signedness, and warns of cmocka 1's name: that one is for nobody. */
#ifndef assert_int_in_range
#define assert_int_in_range(value, minimum, maximum) \
        _assert_in_range(cast_to_largest_integral_type(value), \
                         cast_to_largest_integral_type(minimum), \
                         cast_to_largest_integral_type(maximum), __FILE__, __LINE__)
#endif
#undef assert_in_range

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#endif
