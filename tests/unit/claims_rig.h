/* SPDX-License-Identifier: Apache-2.0
 *
 * claims_rig.h: claims of tenant acme in a registry, at a time that the test sets. Link with
 * --wrap=clock_wall.
 */
#pragma once

#include "tests/unit/registry_rig.h"

#include "status-store/registry/registry_claims.h"
#include "status-store/registry/registry_rows.h"

#define NOW ((msec)1800000000000)
#define LEASE ((msec)(30 * MSEC_SECOND))
#define KEEP ((msec)MSEC_DAY)

static msec now = NOW;

msec __wrap_clock_wall(void);
msec __wrap_clock_wall(void)
{
        return now;
}

static const struct claim_limits limits = {
        .keep = KEEP, .lease = LEASE, .max = 1000, .of_tenant_max = 1000};

static inline void add_tenant(struct registry *r, const char *name)
{
        struct tenant t = tenant_named(name);
        struct err e = {0};
        if (registry_add_tenant(r, &t, 10, NAME_REUSED, &e) != 0)
                fail_msg("%s", e.text);
}

static inline struct claim_request request_for(const char *tenant, const char *key, char holder)
{
        struct claim_request a = {
                .terms = {.submitted_at = now, .run_at = now + 5, .scheduled = true}};
        snprintf(a.tenant, sizeof(a.tenant), "%s", tenant);
        snprintf(a.key, sizeof(a.key), "%s", key);
        memset(a.holder, holder, sizeof(a.holder));
        memset(a.hash, 'h', sizeof(a.hash));
        return a;
}

static inline struct claim_result claim_with(struct registry *r, const struct claim_limits *l,
                                             const struct claim_request *a)
{
        struct err e = {0};
        struct claim_result result = {.state = CLAIM_NONE};
        struct claims_call call = {
                .limits = l, .requests = a, .request_count = 1, .results = &result};
        if (registry_claim(r, &call, &e) != 0)
                fail_msg("%s", e.text);
        return result;
}

/* Claims key of acme. */
static inline struct claim_result claim(struct registry *r, const char *key, char holder)
{
        struct claim_request a = request_for("acme", key, holder);
        return claim_with(r, &limits, &a);
}

static inline void end(struct registry *r, const char *key, char holder, enum claim_end how)
{
        struct err e = {0};
        struct claim_ended ended = {.tenant = "acme", .how = how};
        snprintf(ended.key, sizeof(ended.key), "%s", key);
        memset(ended.holder, holder, sizeof(ended.holder));
        struct claims_call call = {.limits = &limits, .ended = &ended, .ended_count = 1};
        if (registry_claim(r, &call, &e) != 0)
                fail_msg("%s", e.text);
}

static inline int64_t count(struct registry *r)
{
        struct err e = {0};
        int64_t n = -1;
        assert_int_equal(registry_count_claims(r, &n, &e), 0);
        return n;
}

/* What claim_counts says equals what is there. */
static inline void assert_counts(struct registry *r)
{
        struct err e = {0};
        int differs = registry_rows_exist(
                r,
                "SELECT tenant, made, n FROM claim_counts WHERE n <> 0 EXCEPT SELECT * FROM"
                " (SELECT tenant, made, count(*) FROM claims GROUP BY tenant, made UNION ALL"
                " SELECT '', 0, count(*) FROM claims)",
                NULL, &e);
        assert_int_equal(differs, 0);
        int missing = registry_rows_exist(
                r,
                "SELECT tenant, made, count(*) FROM claims GROUP BY tenant, made"
                " EXCEPT SELECT tenant, made, n FROM claim_counts",
                NULL, &e);
        assert_int_equal(missing, 0);
}

static inline void assert_id(const struct claim_result *a, char holder)
{
        unsigned char want[UUID_BYTES];
        memset(want, holder, sizeof(want));
        assert_memory_equal(a->id, want, sizeof(want));
}

static inline int open_with_acme(void **state)
{
        now = NOW;
        if (open_registry(state) != 0)
                return -1;
        add_tenant(((struct fixture *)*state)->registry, "acme");
        return 0;
}

#define WITH_ACME(test) cmocka_unit_test_setup_teardown(test, open_with_acme, close_registry)
