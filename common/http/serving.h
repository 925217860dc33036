/* SPDX-License-Identifier: Apache-2.0
 *
 * serving.h: what an answer needs of its server: who is told of it, until when it may take, the
 * date of the day, and whether the server is stopping. Any thread.
 */
#ifndef WARREN_HTTP_SERVING_H
#define WARREN_HTTP_SERVING_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common/http/server_config.h"

struct serving {
        struct http_server_config config;
        atomic_bool closing; /* nothing new is let in */
        /* guarded by date_mutex */
        pthread_mutex_t date_mutex;
        time_t date_at;
        char date[48];
};

/* With the defaults of what is not given. */
void serving_init(struct serving *s, const struct http_server_config *c);
void serving_fini(struct serving *s);

bool serving_is_closing(const struct serving *s);
/* The header Date, made once a second. */
void serving_add_date(struct serving *s, struct buffer *out);

#endif
