/* SPDX-License-Identifier: Apache-2.0
 *
 * letter_text.c: what a letter shows, and what a search finds in it.
 */
#include "dlx-monitor/letter_text.h"

#include <string.h>

#include "common/base/json_mask.h"
#include "common/base/json_scan.h"
#include "common/model/job.h"

static struct bytes bytes_of_value(sqlite3_value *value)
{
        const void *data = sqlite3_value_blob(value);

        return bytes_of(data, (size_t)sqlite3_value_bytes(value));
}

bool letter_error_quotes(struct bytes reason, struct bytes error)
{
        return error.length > 0 && (bytes_equal_text(reason, reason_word(REASON_MALFORMED)) ||
                                    job_error_quotes_body(error));
}

static bool holds(struct bytes in, struct bytes text)
{
        return text.length == 0 ||
               (in.length > 0 && memmem(in.data, in.length, text.data, text.length) != NULL);
}

/* Masks only what holds the text at all. */
static bool masked_holds(struct bytes body, struct bytes text, struct bytes words)
{
        AUTO_BUFFER masked = {0};
        struct mask_words mask;
        struct scan_fault fault;
        struct err why = {0};

        if (mask_words_parse(words, &mask, &why) != 0 ||
            scan_check(body, SCAN_DEPTH_MAX, &fault) != 0)
                return false;
        (void)json_mask(body, &mask, &masked);
        return holds(buffer_bytes(&masked), text);
}

bool letter_text_holds(struct bytes body, struct bytes text, struct bytes words)
{
        return holds(body, text) && (words.length == 0 || masked_holds(body, text, words));
}

static void call_holds(sqlite3_context *context, int count, sqlite3_value **values)
{
        (void)count;
        sqlite3_result_int(context,
                           letter_text_holds(bytes_of_value(values[0]), bytes_of_value(values[1]),
                                             bytes_of_value(values[2])));
}

static void call_quotes(sqlite3_context *context, int count, sqlite3_value **values)
{
        (void)count;
        sqlite3_result_int(
                context, letter_error_quotes(bytes_of_value(values[0]), bytes_of_value(values[1])));
}

int letter_text_register(sqlite3 *db, struct err *e)
{
        int status =
                sqlite3_create_function(db, "holds", 3, SQLITE_UTF8, NULL, call_holds, NULL, NULL);

        if (status == SQLITE_OK)
                status = sqlite3_create_function(db, "quotes", 2, SQLITE_UTF8, NULL, call_quotes,
                                                 NULL, NULL);
        return status == SQLITE_OK ? 0 : err_set(e, ERR_SYSTEM, "%s", sqlite3_errmsg(db));
}
