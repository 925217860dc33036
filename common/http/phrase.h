/* SPDX-License-Identifier: Apache-2.0
 *
 * phrase.h: the reason phrases of HTTP statuses.
 */
#ifndef WARREN_HTTP_PHRASE_H
#define WARREN_HTTP_PHRASE_H

/* A literal. "Unknown": Warren does not use the status. */
const char *http_phrase(int status);

#endif
