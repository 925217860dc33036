/* SPDX-License-Identifier: Apache-2.0
 *
 * needs.c: counts the programs and plugin hosts that can run at once.
 */
#include "consumer/runner/needs.h"

/* The programs that can run at once. */
static int64_t programs(const struct handlers *h, int64_t concurrency)
{
        int64_t count = 0;

        for (size_t i = 0; i < handlers_count(h); i++) {
                const struct handler *at = handlers_at(h, i);
                if (at->kind == HANDLER_EXEC)
                        count += at->concurrency > 0 ? at->concurrency : concurrency;
        }
        return count < concurrency ? count : concurrency;
}

/* The plugin hosts: each pool has one more while it replaces one. */
static int64_t hosts(const struct handlers *h, int64_t concurrency)
{
        int64_t count = 0;

        for (size_t i = 0; i < handlers_plugin_count(h); i++) {
                int64_t processes = handlers_plugin_at(h, i)->processes;
                count += (processes > 0 ? processes : concurrency) + 1;
        }
        return count;
}

int64_t needs_open_files(const struct handlers *h, int64_t concurrency)
{
        return FILES_OF_CONSUMER + FILES_SPARED + FILES_OF_START +
               FILES_OF_PROGRAM * programs(h, concurrency) + FILES_OF_HOST * hosts(h, concurrency);
}
