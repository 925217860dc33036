/* SPDX-License-Identifier: Apache-2.0
 *
 * curl_setup.h: what all of our curl handles have in common.
 */
#pragma once

#include <curl/curl.h>

#include "common/base/clock.h"
#include "common/base/err.h"

/* http and https only, no proxy, no redirects, no signals, paths as they are. TLS is checked
 * against the certificates of the system. */
void curl_setup(CURL *easy, msec connect_timeout);
/* 0 for CURLE_OK, else ERR_UNAVAILABLE or ERR_TIMEOUT. detail: of CURLOPT_ERRORBUFFER. */
int curl_judge(CURLcode code, const char *detail, struct err *e) MUST_CHECK;
