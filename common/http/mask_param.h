/* SPDX-License-Identifier: Apache-2.0
 *
 * mask_param.h: the query parameter `mask` of the internal APIs: the words to be masked.
 */
#pragma once

#include "common/base/json_mask.h"
#include "common/http/handler.h"

/* No words: the parameter is not given, or empty; then nothing is masked. False: 400 has been
 * answered. */
bool mask_param_read(struct http_request *r, struct mask_words *out);
