/* SPDX-License-Identifier: Apache-2.0
 *
 * prepared.h: the end of an answer that another thread gives (see server.h, http_prepare).
 */
#ifndef WARREN_HTTP_PREPARED_H
#define WARREN_HTTP_PREPARED_H

#include "common/http/request.h"

void prepared_fini(struct http_request *r);

#endif
