/* SPDX-License-Identifier: Apache-2.0
 *
 * headers.h: the headers of every answer.
 */
#pragma once

#include "common/http/server.h"

/* For http_server_config.security_headers. */
extern const char headers_security[];
/* For http_server_config.decorate; owner: the gateway. */
void headers_decorate(void *owner, struct http_request *r);
