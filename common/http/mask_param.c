/* SPDX-License-Identifier: Apache-2.0
 *
 * mask_param.c: reads it.
 */
#include "common/http/mask_param.h"

bool mask_param_read(struct http_request *r, struct mask_words *out)
{
        struct err why = {0};

        if (mask_words_parse(bytes_of_text(http_query(r, "mask")), out, &why) == 0)
                return true;
        http_problem(r, 400, "mask: %s", why.text);
        return false;
}
