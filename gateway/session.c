/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c: writes and checks sessions.
 */
#include "gateway/session.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_SIZE = 32, MAC_TEXT_LENGTH = 43 /* base64url without padding */ };

/* Fetched once: OpenSSL 3's lookup by name costs more than the hash. */
static EVP_MD *sha256_algorithm;

static void fetch_sha256(void)
{
        sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
        assert(sha256_algorithm != NULL);
}

static void sign(struct bytes key, struct bytes text, unsigned char out[MAC_SIZE])
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        unsigned length = 0;

        pthread_once(&once, fetch_sha256);
        const unsigned char *done =
                HMAC(sha256_algorithm, key.data, (int)key.length, (const unsigned char *)text.data,
                     text.length, out, &length);
        assert(done != NULL && length == MAC_SIZE);
        (void)done;
}

void session_secret_make(const char *internal_token, struct session_secret *out)
{
        sign(bytes_of_text(internal_token), bytes_of_text("warren session 1"), out->bytes);
}

void session_init(struct session *s, const struct key_record *k, msec now)
{
        *s = (struct session){.begun = now - now % MSEC_SECOND};
        memcpy(s->key, k->id, sizeof(s->key));
        s->ends = s->begun + SESSION_TIME;
        if (k->expires != 0 && k->expires < s->ends)
                s->ends = k->expires - k->expires % MSEC_SECOND;
}

static void write_mac(const unsigned char mac[MAC_SIZE], char out[MAC_TEXT_LENGTH + 1])
{
        AUTO_BUFFER text = {0};

        buffer_add_base64(&text, bytes_of(mac, MAC_SIZE));
        assert(text.length > MAC_TEXT_LENGTH);
        for (size_t i = 0; i < MAC_TEXT_LENGTH; i++) {
                char c = text.data[i];
                out[i] = c == '+' ? '-' : c == '/' ? '_' : c;
        }
        out[MAC_TEXT_LENGTH] = '\0';
}

void session_write(const struct session *s, const struct key_record *k,
                   const struct session_secret *secret, char out[SESSION_SIZE])
{
        unsigned char mac[MAC_SIZE];
        char mac_text[MAC_TEXT_LENGTH + 1];
        AUTO_BUFFER signed_text = {0};

        int length =
                snprintf(out, SESSION_SIZE, "1.%s.%" PRIx64 ".%" PRIx64, s->key,
                         (uint64_t)(s->begun / MSEC_SECOND), (uint64_t)(s->ends / MSEC_SECOND));
        assert(length > 0 && length + MAC_TEXT_LENGTH + 2 <= SESSION_SIZE);
        buffer_add(&signed_text, out, (size_t)length);
        buffer_add(&signed_text, k->sha256, sizeof(k->sha256));
        sign(bytes_of(secret->bytes, sizeof(secret->bytes)), buffer_bytes(&signed_text), mac);
        write_mac(mac, mac_text);
        snprintf(out + length, SESSION_SIZE - (size_t)length, ".%s", mac_text);
}

/* Reads hexadecimal digits as seconds, up to a dot. NULL: not in that form. */
static const char *read_seconds(const char *text, msec *out)
{
        size_t length = strspn(text, "0123456789abcdef");

        if (length == 0 || length > 10 || text[length] != '.')
                return NULL;
        *out = (msec)strtoull(text, NULL, 16) * MSEC_SECOND;
        return text + length + 1;
}

bool session_parse(const char *text, struct session *out)
{
        const size_t key_length = KEY_ID_SIZE - 1;

        if (strlen(text) >= SESSION_SIZE || strncmp(text, "1.", 2) != 0)
                return false;
        text += 2;
        if (strcspn(text, ".") != key_length || text[key_length] != '.')
                return false;
        memcpy(out->key, text, key_length);
        out->key[key_length] = '\0';
        text = read_seconds(text + key_length + 1, &out->begun);
        if (text != NULL)
                text = read_seconds(text, &out->ends);
        return text != NULL && strlen(text) == MAC_TEXT_LENGTH;
}

/* Written anew and compared as a whole, so there is one text only for each session. */
bool session_is_valid(const char *text, const struct session *s, const struct key_record *k,
                      const struct session_secret *secret, msec now)
{
        char want[SESSION_SIZE];

        if (strcmp(s->key, k->id) != 0)
                return false;
        session_write(s, k, secret, want);
        size_t length = strlen(want);
        return strlen(text) == length && CRYPTO_memcmp(text, want, length) == 0 && s->ends > now;
}
