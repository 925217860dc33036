/* SPDX-License-Identifier: Apache-2.0
 *
 * path_param.c: checks a parameter by its name.
 */
#include "gateway/path_param.h"

#include <string.h>

#include "common/base/uuid.h"
#include "common/model/record.h"

bool path_param_is_valid(const char *name, const char *value)
{
        char uuid[UUID_SIZE];

        if (strcmp(name, "t") == 0)
                return tenant_name_is_valid(bytes_of_text(value));
        if (strcmp(name, "type") == 0)
                return job_type_is_valid(bytes_of_text(value));
        if (strcmp(name, "key") == 0)
                return strlen(value) == KEY_ID_SIZE - 1 &&
                       strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789") == KEY_ID_SIZE - 1;
        return uuid_parse(bytes_of_text(value), uuid);
}
