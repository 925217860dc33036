/* SPDX-License-Identifier: Apache-2.0
 *
 * api.h: what the handlers of the internal API share. They run on the server's threads.
 */
#pragma once

#include <pthread.h>

#include "common/base/json_mask.h"
#include "common/clients/control.h"
#include "common/db/readers.h"
#include "common/http/server.h"
#include "common/http/tenant_places.h"
#include "status-store/acts/acts_gauges.h"
#include "status-store/acts/unparker.h"
#include "status-store/gauges.h"
#include "status-store/jobs/job_filter.h"
#include "status-store/jobs/waiters.h"
#include "status-store/key_uses.h"
#include "status-store/lane_counts.h"
#include "status-store/projection/freshness.h"
#include "status-store/projection/markers.h"
#include "status-store/projection/schema.h"
#include "status-store/provisioning/provisioning.h"
#include "status-store/registry/claim_rules.h"
#include "status-store/why/token_counts.h"

struct operations;
/* One of the places of requests of a kind that read the database for long. */
struct api_place {
        struct tenant_places *of; /* NULL: none was taken */
        const char *tenant;       /* the request's */
};

struct api {
        struct readers *readers;
        struct freshness freshness;
        struct markers *markers;
        struct waiters *waiting; /* requests that wait for a job to end */
        struct waiters *young;   /* requests that wait for a new job to be folded */
        struct control *control;
        struct lane_counts *lane_counts;
        struct token_counts *token_counts; /* the primary's; NULL: tokens are not counted */
        struct registry *registry;         /* NULL: this is not the primary */
        struct provisioning *provisioning; /* likewise */
        struct key_uses *key_uses;         /* likewise */
        struct acts *acts;                 /* likewise */
        struct health_watch *health_watch; /* likewise */
        struct acts_gauges *acts_gauges;   /* likewise */
        struct operations *operations;     /* likewise */
        struct unparker *unparker;         /* likewise; NULL too without the operator's password */
        struct tenant_logins logins;       /* likewise */
        struct tenant_places *searches;    /* for a text: they must not take all readers */
        struct tenant_places *scans;       /* of table `finds`, or of all ids */
        struct tenant_places *audits;      /* pages of the audit: acts need the registry too */
        struct claim_limits claim_limits;
        size_t claims_waiting_max; /* writes of the registry, beyond which claims are refused */
        struct gauges *gauges;
        const char *token;
        int64_t tenants_max, pauses_max;
        /* Held while a tenant or a type is changed, from reading it to the last write: two changes
         * at once could leave a login that the registry does not know. */
        pthread_mutex_t changing;
};

extern const struct http_route api_routes[];
/* For http_server_config.authorize: requires the internal token. */
bool api_authorize(void *owner, struct http_request *r, const struct http_route *route);

/* The required query parameter `tenant`: valid, or "*"; NULL: 400 has been answered. */
const char *api_tenant(struct http_request *r);
/* A number of the query, 1 to most; without it *out stays. False: 400 has been answered. */
bool api_number(struct http_request *r, const char *name, int64_t most, int64_t *out);
/* Reads the query parameters tenant, status, priority, type, created_after, created_before and q;
 * those of words take several, separated by commas. False: answered with 400. */
bool api_filter(struct http_request *r, struct job_filter *f);
bool api_limit(struct http_request *r, int most, int *out); /* query parameter `limit`, likewise */
/* The request has no body, or an object without members. False: answered. */
bool api_body_is_empty(struct http_request *r);
/* Whether a change of the registry could be provisioned now; the primary only. */
int api_can_change(const struct api *a, struct err *e) MUST_CHECK;
bool api_is_primary(struct api *a, struct http_request *r); /* false: answered with 503 */
/* A change is allowed only when it can be provisioned now. False: answered. */
bool api_may_change(struct api *a, struct http_request *r);
/* Who acts, as header Warren-By says; "": unknown. */
void api_by(const struct http_request *r, char by[ACT_BY_SIZE]);
/* Reads the tenant of the path, if it is not deleted; the primary only. False: answered. */
bool api_find_tenant(struct api *a, struct http_request *r, struct tenant *t);
/* Holds api.changing until api_change_end or the end of the scope. */
pthread_mutex_t *api_change_begin(struct api *a);
void api_change_end(pthread_mutex_t **changing);
#define AUTO_CHANGE __attribute__((cleanup(api_change_end))) pthread_mutex_t
/* Held until the end of the scope, see AUTO_PLACE. False: none is free; answered with 503. */
bool api_take_place(struct tenant_places *p, const char *tenant, struct http_request *r,
                    struct api_place *out);
void api_give_place(struct api_place *p); /* before the answer: who got it may ask again at once */
#define AUTO_PLACE __attribute__((cleanup(api_give_place))) struct api_place
/* Answers 200 with {members, as_of, lag_ms}. */
void api_answer(struct api *a, struct http_request *r, struct buffer *members);
msec api_as_of(const struct api *a); /* up to then the projection knows everything */
/* Adds members about the tenant, or "*", without braces. */
typedef int api_write_fn(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                         struct err *e);
/* Answers a request whose only parameter is `tenant`, with what `write` adds. */
void api_answer_tenant(struct api *a, struct http_request *r, api_write_fn *write);
/* Waits for a change of limits to be published. `status`: it is; 202: not yet. */
int api_await(struct api *a, enum record_kind kind, const char *name, int status);

http_handler jobs_list, jobs_get, jobs_attempts, jobs_events, jobs_payload, jobs_why, lookup_get;
http_handler stats_get, counts_get, stats_timeseries, queues_list, workers_list, health_get;
http_handler deliveries_check, types_check;
http_handler jobs_cancel, jobs_run_now, jobs_patch, jobs_retry, jobs_forget, runs_grant;
http_handler operations_cancel, operations_run_now; /* previews and starts */
http_handler operations_list, operations_get, operations_abort;
http_handler tenants_list, tenants_create, tenants_get, tenants_patch, tenants_delete;
http_handler tenants_pause, tenants_resume, tenants_slots;
http_handler tenant_keys_create, tenant_keys_delete;
http_handler keys_list, keys_rotate, keys_delete, keys_used;
http_handler types_list, types_get, types_patch, types_slots, types_pause, types_resume;
http_handler pauses_list, audit_list, claims_make;
