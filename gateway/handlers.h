/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.h: the handlers of the public paths; owner is the gateway.
 */
#pragma once

#include "common/http/server.h"

struct gateway;

enum { SUBMISSION_EXTRA = 16 * 1024 /* most bytes of a submission beside its payload */ };

/* POST /jobs, and /jobs/batch, whose route is `streamed`. */
http_handler submit_handle;
http_handler batch_handle;
/* For http_server_config.decorate: adds the RateLimit headers to an answer to a submission or a
 * batch whose tenant is known. */
void submit_decorate(void *owner, struct http_request *r);
/* Reads the query of a submission or a batch. False: refused, and answered. */
bool submit_query(struct http_request *r, bool *dry_run);

/* Requests that an internal service answers. The public path becomes the internal path; `tenant=`
 * and the internal token replace the key. The answer is passed on as it is. The primary
 * status-store also answers for tenants and keys. */
http_handler forward_to_status_store;
http_handler forward_to_dlx_monitor;
/* Operations on many jobs: the answer may say where the operation is. */
http_handler forward_operation;
/* The audit, of which a tenant's key sees less. */
http_handler forward_audit;
/* GET /jobs/{id}, with ?wait. */
http_handler forward_job;
/* GET /jobs/{id}/payload: the answer is to be saved, not shown. */
http_handler forward_payload;

/* Of one job: why it waits; a retry, and forgetting it, which its dead letter takes part in. */
http_handler why_get, job_retry, job_forget;
/* Answers of several services, or to which the gateway adds what only gateways know. */
http_handler queues_get, health_get;
/* The live feed: the request goes on as a WebSocket. */
http_handler live_get;
/* Makes g->live, after the key watch and before the server; it must be destroyed between them. */
int live_begin(struct gateway *g, struct err *e) MUST_CHECK;
/* Pause and resume of a tenant, which its own keys may do too. */
http_handler own_tenant_act;
/* Logins by cookie. */
http_handler session_begin, session_get, session_end;
