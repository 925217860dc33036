/* SPDX-License-Identifier: Apache-2.0
 *
 * job_text.c: the search for a text in one job.
 */
#include "status-store/jobs/job_text.h"

#include <string.h>

#include "status-store/jobs/job_json.h"

static bool holds(struct bytes in, const char *text)
{
        return in.length > 0 && memmem(in.data, in.length, text, strlen(text)) != NULL;
}

/* Masks only what holds the text at all. */
static bool payload_holds(const struct text_search *s, const struct job_row *row,
                          struct bytes payload)
{
        AUTO_BUFFER masked = {0};

        if (!holds(payload, s->text))
                return false;
        if (s->mask == NULL || s->mask->count == 0)
                return true;
        if (!job_payload_is_json(job_row_facts(row), payload))
                return false;
        (void)json_mask(payload, s->mask, &masked);
        return holds(buffer_bytes(&masked), s->text);
}

int job_text_holds(struct text_search *search, struct reader *r, const struct stored_job *job,
                   struct err *e)
{
        struct bytes error = buffer_bytes(&job->row.error);
        AUTO_RESET *body =
                reader_query(r, payload_sql, DB_VALUES(value_int(job_body_place(&job->row))), e);
        int found = db_step(body, e);
        if (found < 0)
                return -1;
        struct bytes payload = found == 1 ? db_bytes(body, 0) : (struct bytes){0};
        search->searched += payload.length + error.length;
        if (search->mask != NULL && search->mask->count > 0 && job_error_quotes_payload(&job->row))
                error = (struct bytes){0};
        return payload_holds(search, &job->row, payload) || holds(error, search->text);
}
