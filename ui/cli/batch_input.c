/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_input.c: opens the input of a batch for a new run, or for one that goes on.
 */
#include "ui/cli/batch_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "ui/cli/batch_output.h"

static void make_key(char out[BATCH_KEY_SIZE])
{
        unsigned char raw[16];

        random_fill(raw, sizeof(raw));
        for (size_t i = 0; i < sizeof(raw); i++)
                snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

/* The state of a file that another run has begun, or of a new one. */
static int load_state(struct batch_input *in, const struct cli *c, struct err *e)
{
        const char *key = cli_option(c, "key");
        AUTO_BUFFER url = {0};
        struct batch_state now = {.size = batch_source_size(in->source),
                                  .changed = batch_source_changed(in->source),
                                  .since = clock_wall()};
        int found = 0;

        batch_add_url(c->settings.url, &url);
        if (url.length >= sizeof(now.url))
                return err_set(e, ERR_INVALID, "the gateway's URL is longer than %d bytes",
                               BATCH_URL_SIZE - 1);
        snprintf(now.url, sizeof(now.url), "%s", url.data);
        snprintf(now.key, sizeof(now.key), "%s", key != NULL ? key : "");
        if (in->state_path != NULL && !cli_has(c, "restart"))
                found = batch_state_load(in->state_path, &in->state, e);
        if (found < 0)
                return -1;
        if (found > 0 && batch_state_check(&in->state, &now, e) < 0)
                return err_wrap(e, "%s", in->path);
        if (found > 0) {
                in->earlier = in->state.since;
                memcpy(in->state.url, now.url, sizeof(now.url));
        } else {
                in->state = now;
        }
        if (in->state.key[0] == '\0')
                make_key(in->state.key);
        return 0;
}

/* Without locks it goes on: a process that comes later finds the keys of the first one. */
static int lock_source(const struct batch_input *in, const struct cli *c, struct err *e)
{
        struct err why = {0};

        if (batch_source_lock(in->source, &why) == 0)
                return 0;
        if (why.code == ERR_CONFLICT)
                return err_set(e, why.code, "%s", why.text);
        cli_note(c, "warning: %s. Let no other process submit this file meanwhile", why.text);
        return 0;
}

int batch_input_open(struct batch_input *in, const struct cli *c, struct err *e)
{
        in->path = cli_option(c, "batch");
        in->source = batch_source_open(in->path, c->stop, e);
        if (in->source == NULL)
                return -1;
        if (batch_source_is_file(in->source) && !cli_has(c, "dry-run")) {
                in->state_path = batch_state_path(in->path);
                if (lock_source(in, c, e) < 0)
                        return -1;
        }
        return load_state(in, c, e);
}

void batch_input_fini(struct batch_input *in)
{
        batch_source_destroy(&in->source);
        free(in->state_path);
        in->state_path = NULL;
}

int batch_input_save(const struct batch_input *in, struct err *e)
{
        return in->state_path == NULL ? 0 : batch_state_save(in->state_path, &in->state, e);
}
