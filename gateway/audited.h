/* SPDX-License-Identifier: Apache-2.0
 *
 * audited.h: a handler between the two records of its administrative act.
 */
#pragma once

#include "common/http/handler.h"

struct gateway;

enum audit_flag {
        AUDIT_BODY = 1,    /* the request's body belongs in the audit */
        AUDIT_MEMBERS = 2, /* only the names of its members do */
        AUDIT_NAMED = 4,   /* its member `name` is the tenant that the act makes */
        AUDIT_PREVIEW =
                8, /* with a member `token` it starts that operation, else it previews one */
};

/* The body of the answer that is about to be given, for the record of the act's end. Does nothing
 * on a route that is no act. */
void audited_note_answer(struct http_request *r, struct bytes answer);

/* Handles a request whose route is the act `what`: flags: enum audit_flag, or-ed. The stream has
 * the act's record before `handle` is called, or the request is answered with 503. A route without
 * a scope is a login or a logout, which changes nothing: its record follows its answer, when it is
 * known whose it is. */
void audited_handle(struct gateway *g, struct http_request *r, const char *what, unsigned flags,
                    http_handler *handle);
