/* SPDX-License-Identifier: Apache-2.0
 *
 * serving.c: a server's settings and date.
 */
#include "common/http/serving.h"

#include "common/base/clock.h"

#define BODY_DEADLINE_DEFAULT ((msec)10 * MSEC_SECOND)
#define ANSWER_DEADLINE_DEFAULT ((msec)30 * MSEC_SECOND)
#define STOP_DEADLINE_DEFAULT ((msec)5 * MSEC_SECOND)

void serving_init(struct serving *s, const struct http_server_config *c)
{
        s->config = *c;
        if (s->config.body_deadline == 0)
                s->config.body_deadline = BODY_DEADLINE_DEFAULT;
        if (s->config.answer_deadline == 0)
                s->config.answer_deadline = ANSWER_DEADLINE_DEFAULT;
        if (s->config.stop_deadline == 0)
                s->config.stop_deadline = STOP_DEADLINE_DEFAULT;
        pthread_mutex_init(&s->date_mutex, NULL);
}

void serving_fini(struct serving *s)
{
        pthread_mutex_destroy(&s->date_mutex);
}

bool serving_is_closing(const struct serving *s)
{
        return atomic_load_explicit(&s->closing, memory_order_relaxed);
}

void serving_add_date(struct serving *s, struct buffer *out)
{
        time_t now = (time_t)(clock_wall() / MSEC_SECOND);

        pthread_mutex_lock(&s->date_mutex);
        if (now != s->date_at) {
                struct tm utc = {0};
                gmtime_r(&now, &utc);
                strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
                s->date_at = now;
        }
        buffer_add_text(out, s->date);
        pthread_mutex_unlock(&s->date_mutex);
}
