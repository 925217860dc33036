/* SPDX-License-Identifier: Apache-2.0
 *
 * prepared.h: frees a prepared answer (handler.h, http_prepare).
 */
#ifndef WARREN_HTTP_PREPARED_H
#define WARREN_HTTP_PREPARED_H

#include "common/http/request.h"

void prepared_fini(struct http_request *r);

#endif
