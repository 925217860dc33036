/* SPDX-License-Identifier: Apache-2.0
 *
 * comma_list.c: reads lists of words.
 */
#include "gateway/comma_list.h"

#include <string.h>

#define BLANKS " \t"

bool comma_list_next(const char **at, struct bytes *word)
{
        while (*at != NULL && **at != '\0') {
                const char *begin = *at + strspn(*at, BLANKS);
                size_t length = strcspn(begin, ",");
                *at = begin + length + (begin[length] == ',');
                while (length > 0 && strchr(BLANKS, begin[length - 1]) != NULL)
                        length--;
                *word = bytes_of(begin, length);
                if (length > 0)
                        return true;
        }
        return false;
}

bool comma_list_has(const char *list, struct bytes word)
{
        struct bytes listed;

        while (comma_list_next(&list, &listed)) {
                if (bytes_equal(listed, word))
                        return true;
        }
        return false;
}
