/* SPDX-License-Identifier: Apache-2.0
 *
 * serving.h: the part of a server that answers need: its settings, the current date, and whether
 * it is stopping. Any thread.
 */
#ifndef WARREN_HTTP_SERVING_H
#define WARREN_HTTP_SERVING_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common/http/server_config.h"

struct serving {
        struct http_server_config config;
        atomic_bool closing; /* new requests are refused */
        /* guarded by date_mutex */
        pthread_mutex_t date_mutex;
        time_t date_at;
        char date[48];
};

/* Copies c and sets defaults. */
void serving_init(struct serving *s, const struct http_server_config *c);
void serving_fini(struct serving *s);

bool serving_is_closing(const struct serving *s);
/* Appends the header Date, which is formatted once a second. */
void serving_add_date(struct serving *s, struct buffer *out);

#endif
