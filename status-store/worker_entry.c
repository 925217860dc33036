/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_entry.c: the worker records in a batch.
 */
#include "status-store/worker_entry.h"

#include <string.h>
#include <uthash.h>

#include "common/base/json_read.h"
#include "common/base/memory.h"

struct worker_entry {
        msec at;
        char *raw;
        size_t length;
        UT_hash_handle hh;
        char name[];
};

void worker_entries_fold(struct worker_entry **all, const struct event *e)
{
        struct worker_entry *w = NULL;
        HASH_FIND(hh, *all, e->worker.data, e->worker.length, w);
        if (w == NULL) {
                w = xcalloc(1, sizeof(*w) + e->worker.length + 1);
                memcpy(w->name, e->worker.data, e->worker.length);
                HASH_ADD_KEYPTR(hh, *all, w->name, e->worker.length, w);
        } else if (e->at < w->at) {
                return;
        }
        w->at = e->at;
        free(w->raw);
        w->raw = xmemdup0(e->raw.data, e->raw.length);
        w->length = e->raw.length;
}

static int write_entry(const struct worker_entry *w, struct store *store, struct err *e)
{
        struct scan_value root = scan_root(bytes_of(w->raw, w->length));
        struct scan_value state = {0};
        char word[16] = "";
        if (scan_find(root, "state", &state))
                (void)json_copy_text(state, word, sizeof(word));
        return store_put_worker(store, bytes_of_text(w->name), w->at, word,
                                bytes_of(w->raw, w->length), e);
}

int worker_entries_write(const struct worker_entry *all, struct store *store, struct err *e)
{
        for (const struct worker_entry *w = all; w != NULL; w = w->hh.next) {
                if (write_entry(w, store, e) != 0)
                        return -1;
        }
        return 0;
}

void worker_entries_clear(struct worker_entry **all)
{
        struct worker_entry *w, *next;
        HASH_ITER (hh, *all, w, next) {
                HASH_DEL(*all, w);
                free(w->raw);
                free(w);
        }
}
