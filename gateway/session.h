/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h: a login of a browser: a text that is kept in its cookie, signed by the gateways, so
 * that no gateway stores it and each can check it.
 *
 *     1.<key id>.<begun>.<ends>.<mac>      times: seconds since 1970 in hexadecimal
 *
 * mac: HMAC-SHA256, by a key made of the internal token, of the text before it and the hash in the
 * key's record. So it is bound to this API key, and who knows the internal token can make one.
 * Pure.
 */
#pragma once

#include "common/model/record.h"

enum {
        SESSION_SIZE = 128, /* of the text, with a NUL */
        SESSION_SECRET_SIZE = 32,
};
#define SESSION_TIME ((msec)12 * MSEC_HOUR)

struct session_secret {
        unsigned char bytes[SESSION_SECRET_SIZE];
};

struct session {
        char key[KEY_ID_SIZE];
        msec begun, ends; /* whole seconds */
};

void session_secret_make(const char *internal_token, struct session_secret *out);
/* Begins now; ends with the key, at the latest. */
void session_init(struct session *s, const struct key_record *k, msec now);
void session_write(const struct session *s, const struct key_record *k,
                   const struct session_secret *secret, char out[SESSION_SIZE]);
/* Only reads: check it with the record of its key. False: not in the form of one. */
bool session_parse(const char *text, struct session *out);
/* `text` is what session_write gives for this session and key, and it has not ended. */
bool session_is_valid(const char *text, const struct session *s, const struct key_record *k,
                      const struct session_secret *secret, msec now);
