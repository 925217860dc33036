/* SPDX-License-Identifier: Apache-2.0
 *
 * curl_setup.c: options and failures of curl handles.
 */
#include "common/http/curl_setup.h"

void curl_setup(CURL *easy, msec connect_timeout)
{
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_timeout);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "warren/" WARREN_VERSION);
}

int curl_judge(CURLcode code, const char *detail, struct err *e)
{
        if (code == CURLE_OK)
                return 0;
        if (code == CURLE_ABORTED_BY_CALLBACK)
                return err_set(e, ERR_UNAVAILABLE, "stopping");
        if (code == CURLE_OPERATION_TIMEDOUT)
                return err_set(e, ERR_TIMEOUT, "no answer in time");
        return err_set(e, ERR_UNAVAILABLE, "%s",
                       detail[0] != '\0' ? detail : curl_easy_strerror(code));
}
