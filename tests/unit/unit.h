/* SPDX-License-Identifier: Apache-2.0
 *
 * unit.h: cmocka with the headers it needs first, and the size of a table.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* cmocka 2 has one macro per signedness and warns about the name from cmocka 1, so nothing uses
 * that name. */
#ifndef assert_int_in_range
#define assert_int_in_range(value, minimum, maximum) \
        _assert_in_range(cast_to_largest_integral_type(value), \
                         cast_to_largest_integral_type(minimum), \
                         cast_to_largest_integral_type(maximum), __FILE__, __LINE__)
#endif
#undef assert_in_range

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
