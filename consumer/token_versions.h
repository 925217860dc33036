/* SPDX-License-Identifier: Apache-2.0
 *
 * token_versions.h: the tokens of one limit. Each change of the limit has a version and so a queue
 * of its own: new tokens come from the newest one, and those taken before stay valid until they
 * are returned or spent. Loop thread only.
 */
#pragma once

#include "common/model/limit_queue.h"
#include "consumer/tokens.h"

struct former_tokens;

struct token_versions {
        struct tokens *tokens; /* of the version in force; NULL: no limit */
        int64_t version;
        struct former_tokens *former; /* of which some are still taken */
};

struct token_source {
        struct link *link;
        enum limit_queue kind;
        const char *of; /* the tenant's or the type's name */
        void (*came)(void *owner);
        void *owner;
};

/* version: 0: no limit. True: it was another one before. */
bool token_versions_use(struct token_versions *v, const struct token_source *s, int64_t version);
/* Frees what no taken token needs any more. Call it after a return or a spend. */
void token_versions_sweep(struct token_versions *v);
/* Every taken token must have been returned or spent. */
void token_versions_fini(struct token_versions *v);
