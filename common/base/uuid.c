/* SPDX-License-Identifier: Apache-2.0
 *
 * uuid.c: version 7 UUIDs from the wall clock, a counter and random bytes; version 8 UUIDs from a
 * hash.
 */
#include "common/base/uuid.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/hex.h"

static const char digits[] = "0123456789abcdef";

static void random_from_kernel(void *out, size_t length)
{
        char *at = out;

        while (length > 0) {
                ssize_t got = getrandom(at, length, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0) {
                        fputs("cannot get random bytes from the kernel\n", stderr);
                        abort();
                }
                at += got;
                length -= (size_t)got;
        }
}

/* Small requests (a trace id) are served from a pool of the thread. */
void random_fill(void *out, size_t length)
{
        static _Thread_local unsigned char drawn[512];
        static _Thread_local size_t left;

        if (length > sizeof(drawn) / 8) {
                random_from_kernel(out, length);
                return;
        }
        if (left < length) {
                random_from_kernel(drawn, sizeof(drawn));
                left = sizeof(drawn);
        }
        left -= length;
        memcpy(out, drawn + left, length);
        memset(drawn + left, 0, length);
}

double random_fraction(void)
{
        uint32_t bits;

        random_fill(&bits, sizeof(bits));
        return (double)bits / 4294967296.0;
}

static struct {
        pthread_mutex_t mutex;
        msec last;        /* time of the last id */
        uint32_t counter; /* 18 bits within it: 12 of rand_a and the first 6 of rand_b */
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* RFC 9562, method 1: a counter with a random start each millisecond, its top bit clear. When the
 * clock stands still or goes back, the last id's time is used; when the counter is full, 1 ms
 * later.
 */
static void next_locked(msec now, unsigned char out[16])
{
        unsigned char random[8];

        random_fill(random, sizeof(random));
        if (now > state.last) {
                state.last = now;
                state.counter = ((uint32_t)random[0] << 8 | random[1]) << 1;
        } else if (++state.counter >= 1U << 18) {
                state.last++;
                state.counter = 0;
        }

        uint64_t time = (uint64_t)state.last;
        for (int i = 0; i < 6; i++)
                out[i] = (unsigned char)(time >> (40 - 8 * i));
        out[6] = (unsigned char)(0x70 | state.counter >> 14);
        out[7] = (unsigned char)(state.counter >> 6);
        out[8] = (unsigned char)(0x80 | (state.counter & 0x3F));
        memcpy(out + 9, random + 1, 7);
}

void uuid_unpack(const unsigned char raw[UUID_BYTES], char out[UUID_SIZE])
{
        for (int i = 0; i < UUID_BYTES; i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *out++ = '-';
                *out++ = digits[raw[i] >> 4];
                *out++ = digits[raw[i] & 15];
        }
        *out = '\0';
}

bool uuid_pack(struct bytes text, unsigned char raw[UUID_BYTES])
{
        size_t at = 0;

        if (text.length != UUID_SIZE - 1)
                return false;
        for (int i = 0; i < UUID_BYTES; i++) {
                bool dash = i == 4 || i == 6 || i == 8 || i == 10;
                if (dash && text.data[at++] != '-')
                        return false;
                int high = hex_value(text.data[at++]), low = hex_value(text.data[at++]);
                if (high < 0 || low < 0)
                        return false;
                raw[i] = (unsigned char)(high << 4 | low);
        }
        return true;
}

bool uuid_parse(struct bytes text, char out[UUID_SIZE])
{
        unsigned char raw[UUID_BYTES];

        if (!uuid_pack(text, raw))
                return false;
        uuid_unpack(raw, out);
        return true;
}

msec uuid7_time(const char *uuid)
{
        unsigned char raw[UUID_BYTES];
        msec time = 0;

        if (!uuid_pack(bytes_of_text(uuid), raw) || raw[6] >> 4 != 7)
                return -1;
        for (int i = 0; i < 6; i++)
                time = time << 8 | raw[i];
        return time;
}

void uuid7(char out[UUID_SIZE])
{
        unsigned char raw[UUID_BYTES];

        pthread_mutex_lock(&state.mutex);
        next_locked(clock_wall(), raw);
        pthread_mutex_unlock(&state.mutex);
        uuid_unpack(raw, out);
}

void uuid8_of(const struct bytes *parts, size_t count, char out[UUID_SIZE])
{
        unsigned char digest[EVP_MAX_MD_SIZE], length[8];
        EVP_MD_CTX *hash = EVP_MD_CTX_new();
        int done = EVP_DigestInit_ex(hash, EVP_sha256(), NULL);

        for (size_t i = 0; i < count; i++) {
                /* Big-endian on every machine. */
                for (int at = 0; at < 8; at++)
                        length[at] = (unsigned char)((uint64_t)parts[i].length >> (56 - 8 * at));
                done &= EVP_DigestUpdate(hash, length, sizeof(length));
                done &= EVP_DigestUpdate(hash, parts[i].data, parts[i].length);
        }
        done &= EVP_DigestFinal_ex(hash, digest, NULL);
        assert(done == 1);
        (void)done;
        EVP_MD_CTX_free(hash);
        digest[6] = (unsigned char)(0x80 | (digest[6] & 0x0F));
        digest[8] = (unsigned char)(0x80 | (digest[8] & 0x3F));
        uuid_unpack(digest, out);
}
