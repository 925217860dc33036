/* SPDX-License-Identifier: Apache-2.0
 *
 * topology_test.c: the topology's table. The committed definitions match it, a tenant's part has
 * what the contract says, names refer to each other, and account patterns are anchored.
 */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/feed.h"
#include "common/topology/declared.h"
#include "common/topology/topology.h"
#include "tests/unit/unit.h"

static char *read_text(const char *path)
{
        AUTO_FCLOSE FILE *file = fopen(path, "r");
        assert_non_null(file);
        char *text = xcalloc(1, 1 << 20);
        size_t length = fread(text, 1, (1 << 20) - 1, file);
        assert_true(length > 0 && feof(file));
        return text;
}

static void committed_definitions_are_the_tables(void **state)
{
        (void)state;
        AUTO_FREE char *committed = read_text(WARREN_SOURCE_DIR "/rabbitmq/definitions.json");
        AUTO_FREE char *made = topology_definitions_text(NULL);
        assert_string_equal(committed, made); /* if not: warren topology export >rabbitmq/… */
}

static const json_t *named(const json_t *list, const char *name)
{
        size_t i;
        json_t *item;
        json_array_foreach(list, i, item)
        {
                if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
                        return item;
        }
        return NULL;
}

static void settings_reach_the_stream(void **state)
{
        (void)state;
        const struct {
                struct topology_settings settings;
                const char *want_age;
                int64_t want_bytes;
        } cases[] = {
                {{0, 0}, "7D", 10000000000},
                {{.events_max_bytes = 5000}, "7D", 5000},
                {{.events_max_age = 2 * (msec)MSEC_DAY}, "2D", 10000000000},
                {{.events_max_age = 90 * MSEC_MINUTE}, "5400s", 10000000000},
                {{.events_max_age = 1}, "1s", 10000000000},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                json_t *all = topology_definitions(&cases[i].settings, "v");
                const json_t *events = named(json_object_get(all, "queues"), "events");
                const json_t *arguments = json_object_get(events, "arguments");
                assert_string_equal(json_string_value(json_object_get(arguments, "x-max-age")),
                                    cases[i].want_age);
                assert_int_equal(
                        json_integer_value(json_object_get(arguments, "x-max-length-bytes")),
                        cases[i].want_bytes);
                assert_string_equal(json_string_value(json_object_get(events, "vhost")), "v");
                json_decref(all);
        }
}

static void bindings_join_what_is_declared(void **state)
{
        (void)state;
        json_t *all = topology_definitions(NULL, "warren");
        size_t i;
        json_t *b;
        json_array_foreach(json_object_get(all, "bindings"), i, b)
        {
                const char *source = json_string_value(json_object_get(b, "source"));
                const char *queue = json_string_value(json_object_get(b, "destination"));
                assert_non_null(named(json_object_get(all, "exchanges"), source));
                assert_non_null(named(json_object_get(all, "queues"), queue));
        }
        /* 9 fixed ones, and three for each of 26 buckets. */
        assert_int_equal(json_array_size(json_object_get(all, "bindings")), 9 + 3 * 26);
        json_decref(all);
}

struct part {
        struct buffer text;
};

static int write_part(void *owner, const struct declaration *d, struct err *e)
{
        (void)e;
        struct part *p = owner;
        if (d->what == DECLARE_EXCHANGE)
                buffer_printf(&p->text, "exchange %s %s\n", d->name, d->type);
        else if (d->what == DECLARE_QUEUE)
                buffer_printf(&p->text, "queue %s\n", d->name);
        else
                buffer_printf(&p->text, "%s -%s-> %s\n", d->source, d->key, d->name);
        for (const struct argument *a = d->arguments; a != NULL && a->name != NULL; a++)
                if (strcmp(a->name, "x-dead-letter-routing-key") == 0 ||
                    strcmp(a->name, "alternate-exchange") == 0)
                        buffer_printf(&p->text, "  %s %s\n", a->name, a->text);
        return 0;
}

static void tenant_has_its_own_exchange_and_lanes(void **state)
{
        (void)state;
        struct part p = {0};
        struct err e = {0};
        assert_int_equal(topology_each_of_tenant("acme", write_part, &p, &e), 0);
        const char *want = "exchange jobs.acme direct\n"
                           "  alternate-exchange unroutable\n"
                           "queue jobs.acme.low\n"
                           "  x-dead-letter-routing-key acme.low\n"
                           "jobs.acme -low-> jobs.acme.low\n"
                           "jobs.acme -low-> events\n"
                           "due -acme.low-> jobs.acme.low\n"
                           "due -acme.low-> events\n"
                           "work -acme.low-> jobs.acme.low\n";
        assert_memory_equal(p.text.data, want, strlen(want));
        assert_non_null(strstr(p.text.data, "due -acme.long-> jobs.acme.long\n"));
        assert_non_null(strstr(p.text.data, "jobs.acme -critical-> events\n"));
        assert_non_null(strstr(p.text.data, "work -acme.long-> jobs.acme.long\n"));
        buffer_fini(&p.text);
}

static void a_limit_has_a_queue_of_tokens(void **state)
{
        static const struct {
                struct limit_version limit;
                const char *want;
        } table[] = {
                {{.kind = LIMIT_TENANT_SLOTS, .of = "acme", .version = 3}, "queue slots.acme.3\n"},
                {{.kind = LIMIT_TYPE_SLOTS, .of = "a.b", .version = 1}, "queue slots-type.a.b.1\n"},
                {{.kind = LIMIT_TYPE_RATE, .of = "a.b", .version = 2, .per = 1000},
                 "queue rates-type.a.b.2\n"
                 "  x-dead-letter-routing-key cooling-type.a.b.2\n"
                 "queue cooling-type.a.b.2\n"
                 "  x-dead-letter-routing-key rates-type.a.b.2\n"},
        };
        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct part p = {0};
                struct err e = {0};
                assert_int_equal(topology_each_of_limit(&table[i].limit, write_part, &p, &e), 0);
                assert_string_equal(p.text.data, table[i].want);
                buffer_fini(&p.text);
        }
}

static void a_pause_has_a_queue_and_its_exchange(void **state)
{
        static const char *const broken[] = {"", "send_email", "type:", "tenant:acme",
                                             "type:a/b/c"};
        struct part p = {0};
        struct err e = {0};

        (void)state;
        assert_int_equal(topology_each_of_pause("type:acme/a.b", write_part, &p, &e), 0);
        assert_string_equal(p.text.data, "exchange parked-tenant.acme.a.b fanout\n"
                                         "queue parked-tenant.acme.a.b\n"
                                         "parked-tenant.acme.a.b --> parked-tenant.acme.a.b\n");
        buffer_clear(&p.text);
        assert_int_equal(topology_each_of_pause("type:a.b", write_part, &p, &e), 0);
        assert_string_equal(p.text.data, "exchange parked.a.b fanout\n"
                                         "queue parked.a.b\n"
                                         "parked.a.b --> parked.a.b\n");
        buffer_clear(&p.text);
        for (size_t i = 0; i < COUNT(broken); i++) {
                err_clear(&e);
                assert_int_equal(topology_each_of_pause(broken[i], write_part, &p, &e), -1);
                assert_int_equal(e.code, ERR_INVALID);
        }
        assert_int_equal(p.text.length, 0);
        buffer_fini(&p.text);
}

/* A job that reaches no queue must come back to its publisher, and no stream may be on the way. */
static void work_and_hold_reach_one_queue_alone(void **state)
{
        (void)state;
        struct part p = {0};
        struct err e = {0};
        assert_int_equal(topology_each(NULL, write_part, &p, &e), 0);
        assert_non_null(strstr(p.text.data, "exchange work direct\nexchange dead"));
        assert_null(strstr(p.text.data, "\nwork -"));
        size_t bindings = 0;
        for (const char *at = p.text.data; (at = strstr(at, "\nhold.")) != NULL; at++)
                bindings++;
        assert_int_equal(bindings, 26);
        assert_non_null(strstr(p.text.data, "exchange hold.30s fanout\nhold.30s --> delay.30s\n"));
        buffer_fini(&p.text);
}

/* The streams that each exchange reaches, and which queues are streams. */
struct reached {
        json_t *streams;   /* name: true */
        json_t *exchanges; /* name: {stream: true} */
};

static int write_reached(void *owner, const struct declaration *d, struct err *e)
{
        struct reached *r = owner;

        (void)e;
        if (d->what == DECLARE_EXCHANGE)
                json_object_set_new(r->exchanges, d->name, json_object());
        for (const struct argument *a = d->arguments; a != NULL && a->name != NULL; a++)
                if (d->what == DECLARE_QUEUE && a->text != NULL && strcmp(a->text, "stream") == 0)
                        json_object_set_new(r->streams, d->name, json_true());
        if (d->what == DECLARE_BINDING && json_object_get(r->streams, d->name) != NULL)
                json_object_set_new(json_object_get(r->exchanges, d->source), d->name, json_true());
        return 0;
}

static void every_exchange_feeds_what_it_is_said_to(void **state)
{
        struct reached r = {.streams = json_object(), .exchanges = json_object()};
        struct err e = {0};
        const char *exchange, *stream;
        json_t *fed, *unused;

        (void)state;
        assert_int_equal(topology_each(NULL, write_reached, &r, &e), 0);
        assert_int_equal(topology_each_of_tenant("acme", write_reached, &r, &e), 0);
        assert_int_equal(json_object_size(r.streams), 4);
        json_object_foreach(r.exchanges, exchange, fed)
        {
                struct bytes name = bytes_of_text(exchange);
                if (feed_is_of(name, NULL) != (json_object_size(fed) == 0))
                        fail_msg("%s, none", exchange);
                /* An exchange that the table lacks would count for a stream of its own name. */
                if (feed_is_of(name, exchange) != (json_object_get(fed, exchange) != NULL))
                        fail_msg("%s is not in the table of feeds", exchange);
                json_object_foreach(r.streams, stream, unused)
                {
                        bool reached = json_object_get(fed, stream) != NULL;
                        /* This exchange feeds two streams; its publishes count for the first
                         * only. */
                        if (strcmp(exchange, "sync") == 0 && strcmp(stream, "marks") == 0)
                                reached = false;
                        if (feed_is_of(name, stream) != reached)
                                fail_msg("%s, %s", exchange, stream);
                }
        }
        json_decref(r.streams);
        json_decref(r.exchanges);
}

static void bad_tenant_names_declare_nothing(void **state)
{
        (void)state;
        static const char *const names[] = {
                "",   "Acme", "a.b", "warren-x",
                "-a", "a b",  "a*",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct part p = {0};
                struct err e = {0};
                assert_int_equal(topology_each_of_tenant(names[i], write_part, &p, &e), -1);
                assert_int_equal(e.code, ERR_INVALID);
                assert_int_equal(p.text.length, 0);
        }
}

static bool allows(const char *pattern, const char *name)
{
        regex_t regex;
        assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
        bool matches = regexec(&regex, name, 0, NULL, 0) == 0;
        regfree(&regex);
        return matches;
}

static const struct account *account(const char *login)
{
        for (const struct account *a = topology_accounts; a->login != NULL; a++)
                if (strcmp(a->login, login) == 0)
                        return a;
        fail_msg("no account %s", login);
        return NULL;
}

/* What a login may do with an exchange or queue of that name. */
static const struct {
        const char *login, *name;
        bool want_configure, want_write, want_read;
} allowed[] = {
        {"warren-admin", "anything", true, true, true},
        {"warren-provision", "jobs.acme.low", true, true, true},
        {"warren-provision", "slots.acme.3", true, true, true},
        {"warren-provision", "slots-type.send.email.3", true, true, true},
        {"warren-provision", "rates-type.a.1", true, true, true},
        {"warren-provision", "cooling-type.a.1", true, true, true},
        {"warren-provision", "parked.export", true, true, true},
        {"warren-provision", "parked-tenant.acme.export", true, true, true},
        {"warren-provision", "marks", false, false, false},
        {"warren-provision", "xjobs.acme", false, false, false},
        {"warren-provision", "due", false, false, true},
        {"warren-provision", "amq.default", false, true, false},
        {"warren-provision", "amqxdefault", false, false, false},
        {"warren-provision", "events", false, true, false},
        {"warren-provision", "control", false, true, true},
        {"warren-provision", "work", false, false, true},
        {"warren-provision", "hold.30s", false, false, false},
        {"warren-gateway", "jobs.acme", false, true, false},
        {"warren-gateway", "delay.30s", false, true, false},
        {"warren-gateway", "work", false, true, false},
        {"warren-gateway", "works", false, false, false},
        {"warren-gateway", "hold.30s", false, true, false},
        {"warren-gateway", "due", false, false, false},
        {"warren-gateway", "dead", false, false, false},
        {"warren-gateway", "control", false, false, true},
        {"warren-gateway", "events", false, true, true},
        {"warren-gateway", "marks", false, false, false},
        {"warren-gateway", "parked.export", false, false, false},
        {"warren-gateway", "amq.default", false, false, false},
        {"warren-consumer", "jobs.acme.low", false, false, true},
        {"warren-consumer", "due", false, true, false},
        {"warren-consumer", "work", false, true, false},
        {"warren-consumer", "hold.30s", false, true, false},
        {"warren-consumer", "slots.acme.3", false, false, true},
        {"warren-consumer", "slots-type.a.1", false, false, true},
        {"warren-consumer", "rates-type.a.1", false, false, true},
        {"warren-consumer", "cooling-type.a.1", false, false, false},
        {"warren-consumer", "dead", false, true, false},
        {"warren-consumer", "control", false, false, true},
        {"warren-consumer", "marks", false, false, true},
        {"warren-consumer", "parked.export", false, true, false},
        {"warren-consumer", "parked-tenant.acme.export", false, true, false},
        {"warren-consumer", "parked", false, false, false},
        {"warren-consumer", "eventsx", false, false, false},
        {"warren-operator", "jobs.acme", false, true, false},
        {"warren-operator", "delay.30s", false, true, false},
        {"warren-operator", "work", false, true, false},
        {"warren-operator", "events", false, true, false},
        {"warren-operator", "marks", false, true, false},
        {"warren-operator", "parked.export", false, false, true},
        {"warren-operator", "parked-tenant.acme.export", false, false, true},
        {"warren-operator", "hold.30s", false, false, false},
        {"warren-operator", "due", false, false, false},
        {"warren-operator", "control", false, false, false},
        {"warren-operator", "sync", false, false, false},
        {"warren-status-store", "events", false, false, true},
        {"warren-status-store", "sync", false, true, false},
        {"warren-status-store", "jobs.acme", false, false, false},
        {"warren-status-store", "work", false, false, false},
        {"warren-dlx-monitor", "dead", false, false, true},
        {"warren-dlx-monitor", "unroutable", false, false, true},
        {"warren-dlx-monitor", "jobs.acme", false, true, false},
        {"warren-dlx-monitor", "due", false, false, false},
        {"warren-dlx-monitor", "work", false, false, false},
        {"warren-dlx-monitor", "hold.30s", false, false, false},
};

static void accounts_may_what_the_contract_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
                const struct account *a = account(allowed[i].login);
                if (allows(a->configure, allowed[i].name) != allowed[i].want_configure ||
                    allows(a->write, allowed[i].name) != allowed[i].want_write ||
                    allows(a->read, allowed[i].name) != allowed[i].want_read)
                        fail_msg("%s on %s", allowed[i].login, allowed[i].name);
        }
}

/* 4.2.6 and 4.3.0 require the configure right for a passive declare; later versions accept any
 * right. */
static void passive_declares_want_rights_by_version(void **state)
{
        (void)state;
        const struct {
                const char *version;
                enum passive_declare want;
        } cases[] = {
                {"3.10.8", PASSIVE_DECLARE_FREE},     {"3.13.7", PASSIVE_DECLARE_FREE},
                {"4.0.5", PASSIVE_DECLARE_FREE},      {"4.2.5", PASSIVE_DECLARE_FREE},
                {"4.2.6", PASSIVE_DECLARE_CONFIGURE}, {"4.2.7", PASSIVE_DECLARE_ANY},
                {"4.3.0", PASSIVE_DECLARE_CONFIGURE}, {"4.3.0-rc.1", PASSIVE_DECLARE_CONFIGURE},
                {"4.3.1", PASSIVE_DECLARE_ANY},       {"4.3.6", PASSIVE_DECLARE_ANY},
                {"5.0.0", PASSIVE_DECLARE_ANY},
        };
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct broker_version v;
                assert_int_equal(broker_version_parse(cases[i].version, &v), 0);
                assert_int_equal(passive_declare_of(&v), cases[i].want);
        }
        const char *const none[] = {NULL, "", "4", "4.3", "four.three.six", "4.3.x"};
        for (size_t i = 0; i < COUNT(none); i++) {
                struct broker_version v;
                assert_int_equal(broker_version_parse(none[i], &v), -1);
        }
}

static void accounts_follow_what_a_look_wants(void **state)
{
        (void)state;
        const struct {
                const char *login, *queue;
        } looks[] = {
                {"warren-status-store", "jobs.acme.high"},
                {"warren-status-store", "events"},
                {"warren-status-store", "control"},
                {"warren-gateway", "jobs.acme.high"},
                {"warren-gateway", "events"},
                {"warren-gateway", "control"},
                {"warren-consumer", "jobs.acme.high"},
                {"warren-consumer", "events"},
                {"warren-consumer", "marks"},
                {"warren-dlx-monitor", "dead"},
                {"warren-dlx-monitor", "unroutable"},
                {"warren-dlx-monitor", "events"},
                {"warren-operator", "events"},
                {"warren-operator", "marks"},
                {"warren-operator", "parked.export"},
                {"warren-provision", "parked-tenant.acme.export"},
                {"warren-provision", "control"},
                {"warren-provision", "jobs.acme.high"},
        };
        for (size_t i = 0; i < COUNT(looks); i++) {
                const struct account *a = account(looks[i].login);
                struct account one = account_for(a, PASSIVE_DECLARE_CONFIGURE);
                struct account any = account_for(a, PASSIVE_DECLARE_ANY);
                assert_true(allows(one.configure, looks[i].queue));
                assert_true(allows(any.configure, looks[i].queue) ||
                            allows(any.write, looks[i].queue) || allows(any.read, looks[i].queue));
        }
        struct account store = account_for(account("warren-status-store"), PASSIVE_DECLARE_ANY);
        assert_false(allows(store.write, "jobs.acme")); /* an exchange */
        assert_false(allows(store.read, "jobs.acme.high"));
        assert_string_equal(store.configure, "^$");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(committed_definitions_are_the_tables),
                cmocka_unit_test(settings_reach_the_stream),
                cmocka_unit_test(bindings_join_what_is_declared),
                cmocka_unit_test(tenant_has_its_own_exchange_and_lanes),
                cmocka_unit_test(a_limit_has_a_queue_of_tokens),
                cmocka_unit_test(a_pause_has_a_queue_and_its_exchange),
                cmocka_unit_test(work_and_hold_reach_one_queue_alone),
                cmocka_unit_test(every_exchange_feeds_what_it_is_said_to),
                cmocka_unit_test(bad_tenant_names_declare_nothing),
                cmocka_unit_test(accounts_may_what_the_contract_says),
                cmocka_unit_test(passive_declares_want_rights_by_version),
                cmocka_unit_test(accounts_follow_what_a_look_wants),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
