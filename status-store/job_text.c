/* SPDX-License-Identifier: Apache-2.0
 *
 * job_text.c: the search for a text in one job.
 */
#include "status-store/job_text.h"

#include <string.h>

static bool holds(struct bytes in, const char *text)
{
        return in.length > 0 && memmem(in.data, in.length, text, strlen(text)) != NULL;
}

int job_text_holds(struct reader *r, const struct stored_job *job, const char *text,
                   size_t *searched, struct err *e)
{
        struct bytes error = buffer_bytes(&job->row.error);
        AUTO_RESET *body =
                reader_query(r, payload_sql, DB_VALUES(value_int(job_body_place(&job->row))), e);
        int found = db_step(body, e);
        if (found < 0)
                return -1;
        struct bytes payload = found == 1 ? db_bytes(body, 0) : (struct bytes){0};
        *searched += payload.length + error.length;
        return holds(payload, text) || holds(error, text);
}
