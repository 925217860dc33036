/* SPDX-License-Identifier: Apache-2.0
 *
 * config_line.c: parses a line of a settings file.
 */
#include "common/base/config_line.h"

#include <ctype.h>
#include <string.h>

#include "common/base/utf8.h"

static char *trim(char *text)
{
        while (isspace((unsigned char)*text))
                text++;
        size_t length = strlen(text);
        while (length > 0 && isspace((unsigned char)text[length - 1]))
                text[--length] = '\0';
        return text;
}

int config_line_split(char *line, char **key, char **value, struct err *e)
{
        if (utf8_begins_with_bom(line, strlen(line)))
                return err_set(e, ERR_INVALID, "the file " UTF8_BOM_REFUSAL);
        *key = trim(line);
        *value = *key + strlen(*key);
        if (**key == '\0')
                return 0;
        if (**key == '#') {
                *key = *value;
                return 0;
        }

        char *equals = strchr(*key, '=');
        if (equals == NULL || equals == *key)
                return err_set(e, ERR_INVALID, "not 'key = value'");
        *equals = '\0';
        *key = trim(*key);
        *value = trim(equals + 1);
        return 0;
}
