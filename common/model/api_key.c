/* SPDX-License-Identifier: Apache-2.0
 *
 * api_key.c: makes, splits and compares API keys.
 */
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/model/record.h"

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
enum { ID_LETTERS = 36, SECRET_LETTERS = 62 };

static bool is_made_of(const char *text, size_t length, size_t letters)
{
        for (size_t i = 0; i < length; i++) {
                if (text[i] == '\0' || memchr(alphabet, text[i], letters) == NULL)
                        return false;
        }
        return true;
}

bool api_key_split(const char *text, char id[KEY_ID_SIZE], char secret[KEY_SECRET_SIZE])
{
        const char *id_at = text + 3, *secret_at = text + 3 + KEY_ID_SIZE;

        if (strlen(text) != KEY_TEXT_SIZE - 1 || memcmp(text, "wk_", 3) != 0 ||
            secret_at[-1] != '_')
                return false;
        if (!is_made_of(id_at, KEY_ID_SIZE - 1, ID_LETTERS) ||
            !is_made_of(secret_at, KEY_SECRET_SIZE - 1, SECRET_LETTERS))
                return false;
        memcpy(id, id_at, KEY_ID_SIZE - 1);
        id[KEY_ID_SIZE - 1] = '\0';
        memcpy(secret, secret_at, KEY_SECRET_SIZE);
        return true;
}

/* Uniform: random bytes past the last whole multiple of `letters` are discarded. */
static void draw(char *out, size_t length, unsigned letters)
{
        unsigned char pool[64];
        size_t at = sizeof(pool);

        for (size_t i = 0; i < length;) {
                if (at == sizeof(pool)) {
                        random_fill(pool, sizeof(pool));
                        at = 0;
                }
                unsigned byte = pool[at++];
                if (byte < 256 / letters * letters)
                        out[i++] = alphabet[byte % letters];
        }
        out[length] = '\0';
        OPENSSL_cleanse(pool, sizeof(pool));
}

/* Fetched once: OpenSSL 3's lookup by name costs more than the hash. */
static EVP_MD *sha256_algorithm;

static void fetch_sha256(void)
{
        sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
        assert(sha256_algorithm != NULL);
}

static void hash_secret(const char *secret, unsigned char out[KEY_HASH_SIZE])
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, fetch_sha256);
        int done = EVP_Digest(secret, strlen(secret), out, NULL, sha256_algorithm, NULL);
        assert(done == 1);
        (void)done;
}

void api_key_generate(char text[KEY_TEXT_SIZE], char id[KEY_ID_SIZE],
                      unsigned char sha256[KEY_HASH_SIZE])
{
        char secret[KEY_SECRET_SIZE];

        draw(id, KEY_ID_SIZE - 1, ID_LETTERS);
        draw(secret, KEY_SECRET_SIZE - 1, SECRET_LETTERS);
        snprintf(text, KEY_TEXT_SIZE, "wk_%s_%s", id, secret);
        hash_secret(secret, sha256);
        OPENSSL_cleanse(secret, sizeof(secret));
}

bool api_key_matches(const struct key_record *k, const char *secret)
{
        unsigned char hash[KEY_HASH_SIZE];

        hash_secret(secret, hash);
        return CRYPTO_memcmp(hash, k->sha256, sizeof(hash)) == 0;
}
