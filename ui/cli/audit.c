/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.c: audit.
 */
#include "ui/cli/listing.h"

static const struct view_column act_columns[] = {
        {"AT", "at", VIEW_TEXT},         {"BY", "by", VIEW_TEXT},
        {"NAME", "key_name", VIEW_TEXT}, {"ACT", "what", VIEW_TEXT},
        {"TARGET", "target", VIEW_TEXT}, {"TENANT", "tenant", VIEW_TEXT},
        {"MADE", "made", VIEW_TEXT},     {"STATUS", "status", VIEW_TEXT},
        {"FROM", "origin", VIEW_TEXT},   {"FILTER", "detail.query", VIEW_TEXT},
        {NULL, NULL, VIEW_TEXT},
};

enum exit_code command_audit(struct cli *c)
{
        static const char *const next[] = {NULL};
        static const struct listing acts = {"acts", act_columns, next, "no such acts"};

        return listing_get(c, API_USER, "/api/v1/audit", &acts);
}
