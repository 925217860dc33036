/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_audit_test.c: acts are stored once, read by filters and by tenants, and cannot be
 * changed for 400 days.
 */
#include "tests/unit/registry_rig.h"

#include <sqlite3.h>

#include "status-store/acts/registry_operations.h"
#include "status-store/registry/registry_audit.h"
#include "status-store/registry/registry_keys.h"

enum { PAGE_MAX = 64 };
#define NOW ((msec)1764000000000)

/* What a page gave. */
struct page {
        struct audit_row rows[PAGE_MAX];
        char details[PAGE_MAX][64];
        size_t count;
        int64_t next;
};

static void keep(void *owner, const struct audit_row *row)
{
        struct page *p = owner;

        assert_int_in_range(p->count, 0, PAGE_MAX - 1);
        snprintf(p->details[p->count], sizeof(p->details[0]), "%.*s", (int)row->detail.length,
                 row->detail.data != NULL ? row->detail.data : "");
        p->rows[p->count++] = *row;
}

static struct page page_of(struct fixture *f, struct audit_filter filter)
{
        struct page p = {.count = 0};
        struct err e = {0};

        if (filter.limit == 0)
                filter.limit = AUDIT_LIMIT_DEFAULT;
        if (registry_audit_each(f->registry, &filter, keep, &p, &p.next, &e) != 0)
                fail_msg("%s", e.text);
        return p;
}

static int owner_of(void *owner, const char *id, char tenant[TENANT_SIZE], struct err *e)
{
        (void)owner;
        (void)e;
        snprintf(tenant, TENANT_SIZE, "%s", strcmp(id, "z") == 0 ? "acme" : "");
        return 0;
}

static void add(struct fixture *f, const char *lines)
{
        struct err e = {0};

        const struct job_owners owners = {.tenant = owner_of};

        if (registry_audit_add(f->registry, bytes_of_text(lines), &owners, &e) != 0)
                fail_msg("%s", e.text);
}

#define ID(n) "01980000-0000-7000-8000-00000000000" n
#define ACT(n, by, rest) \
        "{\"event\":\"act\",\"act\":\"" ID(n) "\",\"at\":176400000000" n ",\"by\":\"" by \
                                              "\"," rest "}\n"
#define ACTED(n, status) \
        "{\"event\":\"acted\",\"act\":\"" ID(n) "\",\"at\":176400000100" n ",\"status\":" status \
                                                "}\n"

static const char some[] =
        ACT("1", "key adminkey",
            "\"what\":\"tenant.change\",\"target\":\"tenant/acme\","
            "\"tenant\":\"acme\",\"origin\":\"10.0.0.7\",\"gateway\":\"gateway@a\","
            "\"trace\":\"0af7\",\"detail\":{\"max_running\":5}") ACTED("1", "200")
                ACT("2", "key acmekey1",
                    "\"key_tenant\":\"acme\",\"what\":\"job.cancel\","
                    "\"target\":\"job/x\",\"tenant\":\"acme\",\"origin\":\"10.0.0.8\"")
                        ACT("3", "key otherkey",
                            "\"key_tenant\":\"other\",\"what\":\"job.cancel\","
                            "\"target\":\"job/y\",\"tenant\":\"other\"") ACTED("3", "404")
                                ACT("4", "key adminkey",
                                    "\"what\":\"tenant.pause\",\"target\":\"tenant/other\","
                                    "\"tenant\":\"other\"");

static void keeps_what_a_line_says(void **state)
{
        struct page p;

        add(*state, some);
        p = page_of(*state, (struct audit_filter){.target = "tenant/acme"});
        assert_int_equal(p.count, 1);
        const struct audit_row *row = &p.rows[0];
        assert_string_equal(row->id, ID("1"));
        assert_int_equal(row->at, NOW + 1);
        assert_string_equal(row->by, "key adminkey");
        assert_string_equal(row->key_tenant, "");
        assert_string_equal(row->what, "tenant.change");
        assert_string_equal(row->tenant, "acme");
        assert_string_equal(row->origin, "10.0.0.7");
        assert_string_equal(row->gateway, "gateway@a");
        assert_string_equal(row->trace, "0af7");
        assert_string_equal(p.details[0], "{\"max_running\":5}");
        assert_int_equal(row->status, 200);
        assert_int_equal(row->ended_at, NOW + 1001);
}

static void what_comes_again_changes_nothing(void **state)
{
        add(*state, some);
        add(*state, some);
        add(*state, ACT("2", "key x", "\"what\":\"other\"") ACTED("3", "500"));
        struct page p = page_of(*state, (struct audit_filter){0});
        assert_int_equal(p.count, 4);
        assert_string_equal(p.rows[0].id, ID("4"));
        assert_string_equal(p.rows[2].what, "job.cancel");
        assert_int_equal(p.rows[1].status, 404);
        assert_int_equal(p.rows[0].status, 0);
        assert_int_equal(p.rows[0].ended_at, 0);
}

static void an_end_may_come_first(void **state)
{
        add(*state, ACTED("5", "202"));
        assert_int_equal(page_of(*state, (struct audit_filter){0}).count, 0);
        add(*state, ACT("5", "key a", "\"what\":\"x.y\""));
        struct page p = page_of(*state, (struct audit_filter){0});
        assert_int_equal(p.count, 1);
        assert_int_equal(p.rows[0].status, 202);
}

static void skips_lines_that_say_too_little(void **state)
{
        add(*state, "{\"event\":\"act\",\"act\":\"" ID(
                            "1") "\",\"what\":\"a\"}\n"
                                 "{\"event\":\"act\",\"act\":\"" ID(
                                         "2") "\",\"at\":1}\n"
                                              "no json\n" ACT("3", "key a",
                                                              "\"what\":\"x\",\"unknown\":[1]"));
        assert_int_equal(page_of(*state, (struct audit_filter){0}).count, 1);
}

static void cuts_texts(void **state)
{
        AUTO_BUFFER line = {0};

        buffer_add_text(&line, "{\"event\":\"act\",\"act\":\"" ID("1") "\",\"at\":1764000000000,"
                                                                       "\"what\":\"");
        for (int i = 0; i < 300; i++)
                buffer_add_char(&line, 'w');
        buffer_add_text(&line, "\"}\n");
        add(*state, line.data);
        struct page p = page_of(*state, (struct audit_filter){0});
        assert_int_equal(p.count, 1);
        assert_int_equal(strlen(p.rows[0].what), AUDIT_TEXT_SIZE - 1);
}

/* An admin key names no tenant when it acts on a job or a key. */
static void finds_whose_a_target_is(void **state)
{
        struct fixture *f = *state;
        struct tenant t = tenant_named("acme");
        char text[KEY_TEXT_SIZE];
        AUTO_BUFFER line = {0};
        struct err e = {0};
        struct key key = {.record = {.tenant = "acme", .scopes = SCOPE_READ}, .name = "ci"};

        assert_int_equal(registry_add_tenant(f->registry, &t, TENANTS_MAX, NAME_NEW, &e), 0);
        assert_int_equal(registry_add_key(f->registry, &key, text, &e), 0);
        add(f, ACT("1", "key a", "\"what\":\"job.cancel\",\"target\":\"job/z\"")
                       ACT("2", "key a", "\"what\":\"job.cancel\",\"target\":\"job/y\""));
        buffer_printf(&line, ACT("3", "key %s", "\"what\":\"key.revoke\",\"target\":\"key/%s\""),
                      key.record.id, key.record.id);
        add(f, line.data);
        struct page p = page_of(f, (struct audit_filter){.tenant = "acme"});
        assert_int_equal(p.count, 2);
        assert_string_equal(p.rows[0].target + 4, key.record.id);
        assert_string_equal(p.rows[0].key_name, "ci");
        assert_string_equal(p.rows[1].target, "job/z");
}

#define OPERATION(n) "01990000-0000-7000-8000-00000000000" n

static void add_operation(struct fixture *f, const char *id, const char *tenant)
{
        struct operation o = {.kind = OPERATION_CANCEL,
                              .state = OPERATION_PREVIEWED,
                              .filter = (char *)"",
                              .at = NOW};
        struct err e = {0};

        snprintf(o.id, sizeof(o.id), "%s", id);
        snprintf(o.tenant, sizeof(o.tenant), "%s", tenant);
        if (registry_add_operation(f->registry, &o, &e) != 0)
                fail_msg("%s", e.text);
}

static void an_operation_has_a_tenant(void **state)
{
        struct fixture *f = *state;

        add_operation(f, OPERATION("1"), "acme");
        add_operation(f, OPERATION("2"), "*");
        add(f, ACT("1", "key a",
                   "\"what\":\"operation.abort\",\"target\":\"operation/" OPERATION("1") "\""));
        add(f, ACT("2", "key a",
                   "\"what\":\"operation.abort\",\"target\":\"operation/" OPERATION("2") "\""));
        add(f, ACT("3", "key a", "\"what\":\"operation.abort\",\"target\":\"operation/x\""));
        struct page p = page_of(f, (struct audit_filter){.tenant = "acme", .is_tenants = true});
        assert_int_equal(p.count, 1);
        assert_string_equal(p.rows[0].id, ID("1"));
}

/* Only the dlx-monitor knows whose a letter is, and only the answer what was made. */
static void the_end_tells_the_tenant_and_what_was_made(void **state)
{
        struct fixture *f = *state;

        add(f, ACT("1", "key a", "\"what\":\"letter.requeue\",\"target\":\"letter/x\""));
        add(f, "{\"event\":\"acted\",\"act\":\"" ID("1") "\",\"at\":1764000001001,\"status\":202,"
                                                         "\"tenant\":\"acme\"}\n");
        add(f, ACT("2", "key a",
                   "\"what\":\"key.create\",\"target\":\"tenant/acme\","
                   "\"tenant\":\"acme\""));
        add(f, "{\"event\":\"acted\",\"act\":\"" ID("2") "\",\"at\":1764000001002,\"status\":201,"
                                                         "\"made\":\"key/k1x2y3z4\"}\n");
        add(f, ACT("3", "key a", "\"what\":\"letter.requeue\",\"target\":\"letter/y\""));
        struct page p = page_of(f, (struct audit_filter){.tenant = "acme", .is_tenants = true});
        assert_int_equal(p.count, 2);
        assert_string_equal(p.rows[0].id, ID("2"));
        assert_string_equal(p.rows[0].made, "key/k1x2y3z4");
        assert_string_equal(p.rows[1].id, ID("1"));
        assert_string_equal(p.rows[1].tenant, "acme");
        assert_string_equal(p.rows[1].made, "");
}

static void reads_by_filters(void **state)
{
        static const struct {
                struct audit_filter filter;
                const char *want; /* last digits of the ids */
        } rows[] = {
                {{.limit = 50}, "4321"},
                {{.by = "key adminkey"}, "41"},
                {{.what = "job.cancel"}, "32"},
                {{.what = "tenant.*"}, "41"},
                {{.what = "*"}, "4321"},
                {{.what = "tenant."}, ""},
                {{.tenant = "other"}, "43"},
                {{.tenant = "other", .by = "key adminkey"}, "4"},
                {{.target = "tenant/acme", .by = "key x"}, ""},
                {{.after = NOW + 2}, "43"},
                {{.before = NOW + 2}, "1"},
                {{.after = NOW + 1, .before = NOW + 4}, "32"},
                {{.after = NOW + MSEC_DAY}, ""},
        };

        add(*state, some);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct page p = page_of(*state, rows[i].filter);
                char got[PAGE_MAX] = "";
                for (size_t n = 0; n < p.count; n++)
                        got[n] = p.rows[n].id[UUID_SIZE - 2];
                assert_string_equal(got, rows[i].want);
                assert_int_equal(p.next, 0);
        }
}

static int64_t count(struct fixture *f)
{
        struct err e = {0};
        int64_t acts = -1;

        assert_int_equal(registry_audit_count(f->registry, &acts, &e), 0);
        return acts;
}

static void pages_follow_each_other(void **state)
{
        struct page p;

        assert_int_equal(count(*state), 0);
        add(*state, some);
        p = page_of(*state, (struct audit_filter){.limit = 3});
        assert_int_equal(p.count, 3);
        assert_int_not_equal(p.next, 0);
        p = page_of(*state, (struct audit_filter){.limit = 3, .cursor = p.next});
        assert_int_equal(p.count, 1);
        assert_string_equal(p.rows[0].id, ID("1"));
        assert_int_equal(p.next, 0);
        assert_int_equal(page_of(*state, (struct audit_filter){.limit = 4}).next, 0);
        assert_int_equal(count(*state), 4);
}

/* In pages of little time nothing is left out. */
static void a_page_ends_in_time(void **state)
{
        struct page p;
        int64_t cursor = 0;
        int pages = 0;

        add(*state, some);
        do {
                p = page_of(*state, (struct audit_filter){
                                            .what = "nosuch", .cursor = cursor, .deadline = 1});
                assert_int_equal(p.count, 0);
                cursor = p.next;
                pages++;
        } while (cursor != 0);
        assert_int_equal(pages, 4);
        p = page_of(*state, (struct audit_filter){.deadline = clock_mono() + MSEC_MINUTE});
        assert_int_equal(p.count, 4);
}

/* An operator's acts on a tenant show, without who it was. */
static void a_tenant_sees_its_own(void **state)
{
        struct page p;

        add(*state, some);
        p = page_of(*state, (struct audit_filter){.tenant = "acme", .is_tenants = true});
        assert_int_equal(p.count, 2);
        assert_string_equal(p.rows[0].by, "key acmekey1");
        assert_string_equal(p.rows[0].origin, "10.0.0.8");
        assert_string_equal(p.rows[1].by, "operator");
        assert_string_equal(p.rows[1].origin, "");
        p = page_of(*state, (struct audit_filter){
                                    .tenant = "acme", .is_tenants = true, .by = "key adminkey"});
        assert_int_equal(p.count, 0);
        p = page_of(*state,
                    (struct audit_filter){.tenant = "acme", .is_tenants = true, .by = "operator"});
        assert_int_equal(p.count, 1);
        p = page_of(*state,
                    (struct audit_filter){.tenant = "acme", .is_tenants = true, .target = "job/y"});
        assert_int_equal(p.count, 0);
        /* A login that failed was nobody's whom one knows. */
        add(*state, ACT("5", "", "\"what\":\"session.begin\",\"tenant\":\"acme\""));
        p = page_of(*state, (struct audit_filter){.tenant = "acme", .is_tenants = true});
        assert_string_equal(p.rows[0].by, "");
}

static void rows_cannot_be_changed(void **state)
{
        static const char *const changes[] = {
                "UPDATE audit SET by = 'x'", "UPDATE audit_ends SET status = 1",
                "DELETE FROM audit", "DELETE FROM audit_ends", "UPDATE audit SET at = 1"};
        struct fixture *f = *state;
        AUTO_BUFFER line = {0};
        sqlite3 *db = NULL;

        buffer_printf(&line,
                      "{\"event\":\"act\",\"act\":\"" ID(
                              "1") "\",\"at\":%lld,\"what\":\"x\"}\n"
                                   "{\"event\":\"acted\",\"act\":\"" ID(
                                           "1") "\",\"at\":%lld,\"status\":200}\n",
                      (long long)clock_wall(), (long long)clock_wall());
        add(f, line.data);
        assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
        for (size_t i = 0; i < COUNT(changes); i++)
                assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
        sqlite3_close(db);
        assert_int_equal(page_of(f, (struct audit_filter){0}).rows[0].status, 200);
}

static void old_ones_go(void **state)
{
        struct fixture *f = *state;
        msec now = clock_wall(), old = now - AUDIT_KEEP - MSEC_DAY;
        AUTO_BUFFER lines = {0};
        struct err e = {0};
        char id[UUID_SIZE];

        for (int i = 0; i < 600; i++) {
                uuid7(id);
                buffer_printf(&lines,
                              "{\"event\":\"act\",\"act\":\"%s\",\"at\":%lld,\"what\":\"x\"}\n"
                              "{\"event\":\"acted\",\"act\":\"%s\",\"at\":%lld,\"status\":200}\n",
                              id, (long long)old, id, (long long)old + 5);
        }
        buffer_printf(&lines,
                      "{\"event\":\"act\",\"act\":\"" ID("1") "\",\"at\":%lld,"
                                                              "\"what\":\"young\"}\n",
                      (long long)(now - AUDIT_KEEP + MSEC_DAY));
        add(f, lines.data);
        assert_int_equal(registry_audit_delete_old(f->registry, now, &e), 1);
        assert_int_equal(registry_audit_delete_old(f->registry, now, &e), 0);
        assert_int_equal(registry_audit_delete_old(f->registry, now, &e), 0);
        struct page p = page_of(f, (struct audit_filter){0});
        assert_int_equal(p.count, 1);
        assert_string_equal(p.rows[0].what, "young");
}

static void an_admin_key_that_was_made_here_is_an_act(void **state)
{
        struct fixture *f = *state;
        AUTO_FREE char *path = xasprintf("%s/admin.key", f->folder);
        struct err e = {0};

        assert_int_equal(registry_create_admin_key(f->registry, path, &e), 0);
        assert_int_equal(registry_audit_add_admin_key(f->registry, NOW, &e), 0);
        struct page p = page_of(f, (struct audit_filter){.what = "key.create"});
        assert_int_equal(p.count, 1);
        assert_string_equal(p.rows[0].by, "local");
        assert_int_equal(strlen(p.rows[0].target), 4 + KEY_ID_SIZE - 1);
        assert_int_equal(p.rows[0].status, 201);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_registry, close_registry)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(keeps_what_a_line_says),
                TEST(what_comes_again_changes_nothing),
                TEST(an_end_may_come_first),
                TEST(skips_lines_that_say_too_little),
                TEST(cuts_texts),
                TEST(finds_whose_a_target_is),
                TEST(an_operation_has_a_tenant),
                TEST(the_end_tells_the_tenant_and_what_was_made),
                TEST(reads_by_filters),
                TEST(pages_follow_each_other),
                TEST(a_page_ends_in_time),
                TEST(a_tenant_sees_its_own),
                TEST(rows_cannot_be_changed),
                TEST(old_ones_go),
                TEST(an_admin_key_that_was_made_here_is_an_act),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
