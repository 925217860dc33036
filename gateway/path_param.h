/* SPDX-License-Identifier: Apache-2.0
 *
 * path_param.h: parameters of public paths.
 */
#pragma once

#include <stdbool.h>

/* Whether a parameter can be what its name says: {t} a tenant's name, {type} a type's, {key} the id
 * of a key, any other a UUID. */
bool path_param_is_valid(const char *name, const char *value);
