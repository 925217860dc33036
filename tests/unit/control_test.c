/* SPDX-License-Identifier: Apache-2.0
 *
 * control_test.c: which control records count, and when a reader is ready. The link is a fake: it
 * records what is published and delivers what a test gives it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/catch_up.h"
#include "common/clients/control.h"
#include "tests/unit/unit.h"

struct link {
        struct link_events on;
        void *owner;
};

struct subscription {
        delivery_fn *on;
        void *owner;
};

static struct {
        struct link *reader, *marker;
        struct subscription *subscription;
        int links, settled, published, refuse;
        char *marker_body;
} fake;

struct link *link_create(const struct link_config *c, const struct link_events *on, void *owner,
                         uv_loop_t *loop, struct err *e)
{
        (void)loop;
        (void)e;
        struct link *l = xcalloc(1, sizeof(*l));
        l->on = *on;
        l->owner = owner;
        if (strcmp(c->name, "test control") == 0)
                fake.reader = l;
        else
                fake.marker = l;
        fake.links++;
        return l;
}

void link_destroy(struct link **l)
{
        if (*l == NULL)
                return;
        if (*l == fake.reader)
                fake.reader = NULL;
        else
                fake.marker = NULL;
        fake.links--;
        free(*l);
        *l = NULL;
}

bool link_is_up(const struct link *l)
{
        (void)l;
        return true;
}

int link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                 struct err *e)
{
        (void)e;
        assert_ptr_equal(l, fake.marker);
        assert_true(bytes_equal_text(m->exchange, "sync"));
        free(fake.marker_body);
        fake.marker_body = xmemdup0(m->body.data, m->body.length);
        fake.published++;
        done->done(done->owner, fake.published <= fake.refuse ? LINK_NACKED : LINK_CONFIRMED);
        return 0;
}

struct subscription *link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                    void *owner)
{
        int64_t offset = -1;
        assert_ptr_equal(l, fake.reader);
        assert_string_equal(s->queue, "control");
        assert_int_equal(s->start(owner, &offset), SOURCE_FIRST);
        fake.subscription = xcalloc(1, sizeof(*fake.subscription));
        fake.subscription->on = on;
        fake.subscription->owner = owner;
        return fake.subscription;
}

void link_unsubscribe(struct subscription **s)
{
        free(*s);
        *s = NULL;
        fake.subscription = NULL;
}

void link_settle(struct delivery **d, enum settle how)
{
        assert_int_equal(how, SETTLE_ACK);
        fake.settled++;
        free(*d);
        *d = NULL;
}

static void deliver(const char *login, const char *body)
{
        struct delivery *d = xcalloc(1, sizeof(*d));
        d->message.user_id = bytes_of_text(login);
        d->message.body = bytes_of_text(body);
        fake.subscription->on(fake.subscription->owner, d);
}

struct heard {
        struct control *control;
        struct buffer text;
        bool was_ready; /* when it last heard of a key */
};

static void on_tenant(void *owner, const struct tenant_record *t)
{
        struct heard *h = owner;
        buffer_printf(&h->text, "tenant %s v%lld%s; ", t->name, (long long)t->v,
                      t->deleted ? " deleted" : "");
}

static void on_key(void *owner, const struct key_record *k)
{
        struct heard *h = owner;
        h->was_ready = control_is_ready(h->control);
        buffer_printf(&h->text, "key %s of %s%s; ", k->id, k->tenant, k->revoked ? " revoked" : "");
}

static void on_pause(void *owner, const struct pause_record *p)
{
        struct heard *h = owner;
        buffer_printf(&h->text, "%s %s; ", p->key, p->paused ? "paused" : "runs");
}

static void on_ready(void *owner)
{
        struct heard *h = owner;
        buffer_add_text(&h->text, "ready; ");
}

static void assert_heard(struct heard *h, const char *want)
{
        assert_string_equal(h->text.data != NULL ? h->text.data : "", want);
        buffer_clear(&h->text);
}

#define PROVISION "warren-provision"
#define TENANT(name, v, rest) \
        "{\"record\":\"tenant\",\"key\":\"" name "\",\"v\":" v ",\"rate\":null,\"burst\":10," \
        "\"max_running\":null,\"slots_version\":0,\"max_pending\":null,\"weight\":1," \
        "\"paused\":false,\"deleted\":" rest "}"
#define KEY(v, revoked) \
        "{\"record\":\"apikey\",\"key\":\"abcdefgh\",\"v\":" v ",\"tenant\":\"acme\"," \
        "\"sha256\":\"00000000000000000000000000000000000000000000000000000000000000ff\"," \
        "\"scopes\":[\"submit\"],\"expires\":null,\"revoked\":" revoked "}"
#define PAUSE(v, paused) \
        "{\"record\":\"pause\",\"key\":\"type:send_email\",\"v\":" v ",\"paused\":" paused "}"

static struct control *start(uv_loop_t *loop, struct heard *h)
{
        static const struct control_events on = {
                .tenant = on_tenant, .key = on_key, .pause = on_pause, .ready = on_ready};
        const struct link_config config = {.name = "test"};
        struct err e = {0};
        memset(&fake, 0, sizeof(fake));
        assert_int_equal(uv_loop_init(loop), 0);
        struct control *c = control_create(&config, &on, h, loop, &e);
        assert_non_null(c);
        h->control = c;
        return c;
}

static void end(struct control *c, uv_loop_t *loop, struct heard *h)
{
        control_destroy(&c);
        assert_null(c);
        assert_int_equal(fake.links, 0);
        uv_run(loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(loop), 0);
        buffer_fini(&h->text);
        free(fake.marker_body);
}

static void come_up(uv_loop_t *loop)
{
        fake.marker->on.up(fake.marker->owner);
        while (fake.published <= fake.refuse)
                uv_run(loop, UV_RUN_ONCE);
        deliver("warren-gateway", fake.marker_body);
}

static void tells_each_record_once_then_ready(void **state)
{
        (void)state;
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        deliver(PROVISION, TENANT("acme", "1", "false"));
        deliver(PROVISION, KEY("1", "false"));
        deliver(PROVISION, TENANT("acme", "3", "false"));
        deliver(PROVISION, TENANT("acme", "2", "true"));
        assert_heard(&h, "");
        assert_false(control_is_ready(c));
        fake.refuse = 1; /* a marker the broker refused is published again */
        come_up(&loop);
        assert_heard(&h, "tenant acme v3; key abcdefgh of acme; ready; ");
        assert_false(h.was_ready);
        assert_true(control_is_ready(c));
        assert_null(fake.marker);
        assert_int_equal(fake.settled, 5);
        end(c, &loop, &h);
}

static void another_readers_marker_does_not_count(void **state)
{
        (void)state;
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        deliver("warren-gateway",
                "{\"record\":\"sync\",\"key\":\"01900000-0000-7000-8000-000000000000\"}");
        assert_false(control_is_ready(c));
        end(c, &loop, &h);
}

static void the_highest_version_wins(void **state)
{
        (void)state;
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        struct tenant_record t;
        struct key_record k;
        come_up(&loop);
        assert_heard(&h, "ready; ");
        deliver(PROVISION, TENANT("acme", "5", "false"));
        deliver(PROVISION, TENANT("acme", "5", "true"));
        deliver(PROVISION, TENANT("acme", "4", "true"));
        assert_heard(&h, "tenant acme v5; ");
        assert_true(control_tenant(c, "acme", &t));
        deliver(PROVISION, TENANT("acme", "6", "true"));
        assert_heard(&h, "tenant acme v6 deleted; ");
        assert_false(control_tenant(c, "acme", &t));
        deliver(PROVISION, KEY("2", "true"));
        deliver(PROVISION, KEY("1", "false"));
        assert_heard(&h, "key abcdefgh of acme revoked; ");
        assert_true(control_key(c, "abcdefgh", &k) && k.revoked);
        assert_false(control_key(c, "abcdefgi", &k));
        assert_int_equal(control_pause(c, "acme", "send_email", NULL), PAUSE_NONE);
        deliver(PROVISION, PAUSE("1", "true"));
        assert_int_equal(control_pause(c, "acme", "send_email", NULL), PAUSE_TYPE);
        deliver(PROVISION, PAUSE("2", "false"));
        assert_int_equal(control_pause(c, "acme", "send_email", NULL), PAUSE_NONE);
        assert_heard(&h, "type:send_email paused; type:send_email runs; ");
        end(c, &loop, &h);
}

static void a_pause_of_a_tenants_type_comes_first(void **state)
{
        (void)state;
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        struct pause_record p;
        come_up(&loop);
        deliver(PROVISION, PAUSE("1", "true"));
        deliver(PROVISION, "{\"record\":\"pause\",\"key\":\"type:acme/send_email\",\"v\":1,"
                           "\"paused\":true,\"paused_at\":1700,\"by\":\"key k1x2y3z4\"}");
        assert_int_equal(control_pause(c, "acme", "send_email", &p), PAUSE_TENANT_TYPE);
        assert_string_equal(p.key, "type:acme/send_email");
        assert_int_equal(p.paused_at, 1700);
        assert_string_equal(p.by, "key k1x2y3z4");
        assert_int_equal(control_pause(c, "beta", "send_email", &p), PAUSE_TYPE);
        assert_string_equal(p.key, "type:send_email");
        assert_int_equal(control_pause(c, "acme", "export", &p), PAUSE_NONE);
        end(c, &loop, &h);
}

static void the_longest_key_of_a_pause_is_kept_whole(void **state)
{
        (void)state;
        static const char tenant[] = "acme-of-the-longest-name-allowed";
        static const char type[] =
                "send_email_with_the_longest_name.that-is-allowed-for-a-job-type1";
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        AUTO_FREE char *text = xasprintf("{\"record\":\"pause\",\"key\":\"type:%s/%s\",\"v\":1,"
                                         "\"paused\":true}",
                                         tenant, type);
        assert_int_equal(strlen(tenant), TENANT_SIZE - 1);
        assert_int_equal(strlen(type), JOB_TYPE_SIZE - 1);
        come_up(&loop);
        deliver(PROVISION, text);
        assert_int_equal(control_pause(c, tenant, type, NULL), PAUSE_TENANT_TYPE);
        end(c, &loop, &h);
}

static void limits_of_a_type_are_known(void **state)
{
        (void)state;
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        struct type_record t;
        come_up(&loop);
        assert_false(control_type(c, "export", &t));
        deliver(PROVISION, "{\"record\":\"type\",\"key\":\"export\",\"v\":1,\"max_running\":4,"
                           "\"slots_version\":2,\"max_rate\":null,\"rate_version\":0}");
        assert_true(control_type(c, "export", &t));
        assert_int_equal(t.max_running, 4);
        end(c, &loop, &h);
}

static void only_the_provisioning_login_is_believed(void **state)
{
        (void)state;
        static const char *const logins[] = {
                "warren-gateway", "tenant-acme", "warren-provisionx", "guest", "", NULL};
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        struct tenant_record t;
        come_up(&loop);
        for (size_t i = 0; i < COUNT(logins); i++)
                deliver(logins[i], TENANT("acme", "9", "false"));
        deliver(PROVISION, "{\"record\":\"tenant\"");
        deliver(PROVISION, "{\"record\":\"weather\",\"key\":\"acme\",\"v\":1}");
        deliver(PROVISION, "");
        assert_heard(&h, "ready; ");
        assert_false(control_tenant(c, "acme", &t));
        assert_int_equal(fake.settled, 1 + (int)COUNT(logins) + 3);
        end(c, &loop, &h);
}

static void count_tenant(void *owner, const struct tenant_record *t)
{
        int *count = owner;
        assert_false(t->deleted);
        ++*count;
}

static void walks_tenants_that_are_there(void **state)
{
        (void)state;
        struct heard h = {0};
        uv_loop_t loop;
        struct control *c = start(&loop, &h);
        int count = 0;
        come_up(&loop);
        deliver(PROVISION, TENANT("acme", "1", "false"));
        deliver(PROVISION, TENANT("gone", "1", "true"));
        deliver(PROVISION, TENANT("zoo", "1", "false"));
        deliver(PROVISION, KEY("1", "false"));
        control_each_tenant(c, count_tenant, &count);
        assert_int_equal(count, 2);
        end(c, &loop, &h);
}

static void hear_message(void *owner, const struct message *m)
{
        struct heard *h = owner;
        buffer_add(&h->text, m->body.data, m->body.length);
        buffer_add_text(&h->text, "; ");
}

static void hear_lost(void *owner)
{
        struct heard *h = owner;
        buffer_add_text(&h->text, "lost; ");
}

static void publish_marker(uv_loop_t *loop)
{
        int before = fake.published;
        while (fake.published == before)
                uv_run(loop, UV_RUN_ONCE);
}

static void it_catches_up_again_without_a_new_connection(void **state)
{
        (void)state;
        static const struct catch_up_events on = {
                .message = hear_message, .caught_up = on_ready, .lost = hear_lost};
        const struct link_config link = {.name = "test"};
        const struct catch_up_config config = {
                .link = &link, .stream = "control", .prefetch = 1, .every_connection = true};
        struct heard h = {0};
        uv_loop_t loop;
        struct err e = {0};
        memset(&fake, 0, sizeof(fake));
        assert_int_equal(uv_loop_init(&loop), 0);
        struct catch_up *c = catch_up_create(&config, &on, &h, &loop, &e);
        assert_non_null(c);
        publish_marker(&loop);
        AUTO_FREE char *first = xstrdup(fake.marker_body);
        deliver("warren-consumer", first);
        assert_heard(&h, "ready; ");
        catch_up_again(c);
        publish_marker(&loop);
        assert_string_not_equal(first, fake.marker_body);
        deliver("warren-operator", "one");
        deliver("warren-consumer", fake.marker_body);
        assert_heard(&h, "one; ready; ");
        /* It waits for the same marker when the connection is lost meanwhile. */
        catch_up_again(c);
        publish_marker(&loop);
        fake.reader->on.down(fake.reader->owner, &e);
        deliver("warren-operator", "one");
        deliver("warren-consumer", fake.marker_body);
        assert_heard(&h, "one; ready; ");
        catch_up_destroy(&c);
        assert_int_equal(fake.links, 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        buffer_fini(&h.text);
        free(fake.marker_body);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tells_each_record_once_then_ready),
                cmocka_unit_test(another_readers_marker_does_not_count),
                cmocka_unit_test(the_highest_version_wins),
                cmocka_unit_test(a_pause_of_a_tenants_type_comes_first),
                cmocka_unit_test(the_longest_key_of_a_pause_is_kept_whole),
                cmocka_unit_test(limits_of_a_type_are_known),
                cmocka_unit_test(it_catches_up_again_without_a_new_connection),
                cmocka_unit_test(only_the_provisioning_login_is_believed),
                cmocka_unit_test(walks_tenants_that_are_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
