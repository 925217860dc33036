/* SPDX-License-Identifier: Apache-2.0
 *
 * parked.c: names of pauses and of their queues.
 */
#include "common/model/parked.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define KEY "type:"
#define OF_TYPE "parked."
#define OF_TENANT "parked-tenant."

_Static_assert(sizeof(KEY "/") + TENANT_SIZE + JOB_TYPE_SIZE <= PAUSE_KEY_SIZE, "a key fits");
_Static_assert(sizeof(OF_TENANT ".") + TENANT_SIZE + JOB_TYPE_SIZE <= PARKED_QUEUE_SIZE,
               "a queue's name fits");

void pause_key(const char *tenant, const char *type, char out[PAUSE_KEY_SIZE])
{
        snprintf(out, PAUSE_KEY_SIZE, KEY "%s%s%s", tenant, tenant[0] != '\0' ? "/" : "", type);
}

void parked_of(enum pause pause, const char *tenant, const char *type, char out[PARKED_QUEUE_SIZE])
{
        assert(pause != PAUSE_NONE);
        if (pause == PAUSE_TENANT_TYPE)
                snprintf(out, PARKED_QUEUE_SIZE, OF_TENANT "%s.%s", tenant, type);
        else
                snprintf(out, PARKED_QUEUE_SIZE, OF_TYPE "%s", type);
}

static bool take_type(struct bytes name, char type[JOB_TYPE_SIZE])
{
        return job_type_is_valid(name) && bytes_to_text(name, type, JOB_TYPE_SIZE) == 0;
}

/* "<tenant><mark><type>": neither a tenant's name nor, before it, a type's has the mark. */
static bool take_both(struct bytes names, char mark, char tenant[TENANT_SIZE],
                      char type[JOB_TYPE_SIZE])
{
        const char *at = names.length == 0 ? NULL : memchr(names.data, mark, names.length);

        if (at == NULL)
                return false;
        struct bytes first = bytes_of(names.data, (size_t)(at - names.data));
        struct bytes rest = bytes_of(at + 1, names.length - first.length - 1);
        return tenant_name_is_valid(first) && bytes_to_text(first, tenant, TENANT_SIZE) == 0 &&
               take_type(rest, type);
}

static bool take_prefix(struct bytes *text, const char *prefix)
{
        size_t length = strlen(prefix);

        if (!bytes_begin_with(*text, prefix))
                return false;
        *text = bytes_of(text->data + length, text->length - length);
        return true;
}

bool pause_key_parse(struct bytes key, char tenant[TENANT_SIZE], char type[JOB_TYPE_SIZE])
{
        tenant[0] = '\0';
        if (!take_prefix(&key, KEY))
                return false;
        return take_type(key, type) || take_both(key, '/', tenant, type);
}

bool parked_of_key(const char *key, char out[PARKED_QUEUE_SIZE])
{
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE];

        if (!pause_key_parse(bytes_of_text(key), tenant, type))
                return false;
        parked_of(tenant[0] != '\0' ? PAUSE_TENANT_TYPE : PAUSE_TYPE, tenant, type, out);
        return true;
}

enum pause parked_parse(struct bytes queue, char tenant[TENANT_SIZE], char type[JOB_TYPE_SIZE])
{
        tenant[0] = '\0';
        if (take_prefix(&queue, OF_TYPE))
                return take_type(queue, type) ? PAUSE_TYPE : PAUSE_NONE;
        if (take_prefix(&queue, OF_TENANT) && take_both(queue, '.', tenant, type))
                return PAUSE_TENANT_TYPE;
        return PAUSE_NONE;
}
