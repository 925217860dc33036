/* SPDX-License-Identifier: Apache-2.0
 *
 * timeseries.c: sums rows of `minutes` in buckets. Histograms are added, so percentiles of a bucket
 * are as exact as those of a minute.
 */
#include "status-store/timeseries.h"

#include <string.h>

#include "common/base/own.h"
#include "status-store/minute_json.h"
#include "status-store/projection/schema.h"

bool timeseries_step_is_valid(int64_t step)
{
        static const int64_t valid[] = {1, 2, 5, 10, 15, 30, 60};
        for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
                if (valid[i] == step)
                        return true;
        return false;
}

static json_t *bucket_json(int64_t minute, const struct minute_counts *sum, bool partial)
{
        char text[TIME_TEXT_SIZE];
        json_t *bucket = json_object();
        (void)json_object_set_new(bucket, "at",
                                  json_string(time_format(minute * MSEC_MINUTE, text)));
        minute_json(sum, bucket);
        if (partial)
                (void)json_object_set_new(bucket, "partial", json_true());
        return bucket;
}

/* Adds a bucket for each step from `begin` to now. rows: from there on, by minute. */
static int add_buckets(sqlite3_stmt *rows, const struct timeseries *t, int64_t begin,
                       json_t *buckets, struct err *e)
{
        int64_t now = t->now / MSEC_MINUTE;
        int more = db_step(rows, e);
        for (int64_t at = begin; at <= now; at += t->step) {
                struct minute_counts sum = {0};
                while (more == 1 &&
                       sqlite3_column_int64(rows, TALLY_COUNT + TALLY_TIMES) < at + t->step) {
                        minute_add(rows, &sum);
                        more = db_step(rows, e);
                }
                if (more < 0)
                        return -1;
                (void)json_array_append_new(buckets, bucket_json(at, &sum, now < at + t->step));
        }
        return 0;
}

int timeseries_write(struct reader *r, const struct timeseries *t, struct buffer *out,
                     struct err *e)
{
        int64_t current = t->now / MSEC_MINUTE / t->step * t->step;
        int64_t begin = current - (t->minutes + t->step - 1) / t->step * t->step;
        json_t *buckets = json_array();
        json_auto_t *answer = json_pack("{s:I, s:o}", "step_seconds", (json_int_t)t->step * 60,
                                        "buckets", buckets);
        AUTO_RESET *rows = reader_query(r,
                                        "SELECT " MINUTE_COLUMNS ", minute FROM minutes"
                                        " WHERE minute >= ?2 AND" OF_TENANT " ORDER BY minute",
                                        DB_VALUES(value_text(t->tenant), value_int(begin)), e);
        if (add_buckets(rows, t, begin, buckets, e) != 0)
                return -1;
        AUTO_FREE char *text = json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER);
        buffer_add(out, text + 1, strlen(text) - 2);
        return 0;
}
