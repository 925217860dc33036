/* SPDX-License-Identifier: Apache-2.0
 *
 * token_fix.c: asking for new tokens of a limit, and waiting for them.
 */
#include "ui/cli/token_fix.h"

#include <poll.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/limit_view.h"

enum { PAUSE_MS = 500 };
static const msec wait_max = MSEC_MINUTE;

/* The version in force; 0: none yet. -1: it cannot be read, or the limit is gone. */
static int64_t version_now(struct cli *c, const struct token_fix *f, struct err *e)
{
        const char *noun = limit_noun(f->kind);
        AUTO_FREE char *path = api_path("/api/v1/*s/*", noun, f->of);
        AUTO_REPLY reply = {0};
        struct scan_value of;

        if (api_read(c, path, &reply, e) < 0)
                return -1;
        int64_t version = view_find(api_value(&reply), noun, &of) ? limit_version(f->kind, of) : -1;
        return version >= 0 ? version : err_set(e, ERR_NOT_FOUND, "it has no such limit any more");
}

/* After a 503 the new version may still be on its way: then none is in force. */
static int ask(struct cli *c, const struct token_fix *f, struct err *e)
{
        AUTO_FREE char *path = api_path("/api/v1/*s/*/slots", limit_noun(f->kind), f->of);
        const struct http_call call = {.method = "POST", .path = path};
        struct err ignored = {0};
        AUTO_REPLY reply = {0};
        AUTO_BUFFER why = {0};

        if (api_ask(c, API_ADMIN, &call, &reply, e) < 0)
                return -1;
        if (reply.status < 300 || (reply.status == 503 && version_now(c, f, &ignored) == 0))
                return 0;
        api_explain(&reply, (struct bytes){0}, &why);
        return err_set(e, ERR_UNAVAILABLE, "%s", why.data);
}

int64_t token_fix_run(struct cli *c, const struct token_fix *f, struct err *e)
{
        msec end = clock_mono() + wait_max;
        int64_t version = version_now(c, f, e);

        if (version == f->lost) {
                cli_note(c, "%s %s: asking for new tokens, waiting until they are in force",
                         limit_noun(f->kind), f->of);
                if (ask(c, f, e) < 0)
                        return -1;
        }
        while (version == f->lost || version == 0) {
                struct err now = {0};
                version = version_now(c, f, &now);
                if (version > 0 && version != f->lost)
                        break;
                if (version < 0 || clock_mono() >= end)
                        return err_set(e, ERR_TIMEOUT, "%s",
                                       version < 0 ? now.text : "new tokens are not in force yet");
                poll(NULL, 0, PAUSE_MS);
        }
        return version;
}
