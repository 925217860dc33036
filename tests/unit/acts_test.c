/* SPDX-License-Identifier: Apache-2.0
 *
 * acts_test.c: single acts of several tenants at once, and on an id that several have. Acts get as
 * far as the marker that they publish first.
 */
#include "tests/unit/registry_rig.h"

#include <pthread.h>

#include "status-store/acts/act_job.h"
#include "status-store/acts/acts.h"
#include "status-store/registry/registry_rows.h"
#include "tests/unit/status_rig.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"
#define OTHER "0190aaaa-0000-7000-8000-000000000002"
#define UNKNOWN "0190aaaa-0000-7000-8000-000000000003"
#define AT ((msec)1700000000000)

static struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool open;        /* guarded by mutex, like held */
        unsigned waiting; /* for the marker */
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int __wrap_operator_check(struct operator* o, struct err *e);
int __wrap_operator_check(struct operator* o, struct err *e)
{
        (void)o;
        (void)e;
        return 0;
}

int __wrap_provisioning_check(const struct provisioning *p, struct err *e);
int __wrap_provisioning_check(const struct provisioning *p, struct err *e)
{
        (void)p;
        (void)e;
        return 0;
}

int __wrap_provisioning_publish_marker(struct provisioning *p, char id[UUID_SIZE], struct err *e);
int __wrap_provisioning_publish_marker(struct provisioning *p, char id[UUID_SIZE], struct err *e)
{
        (void)p;
        (void)e;
        id[0] = '\0';
        pthread_mutex_lock(&gate.mutex);
        gate.waiting++;
        pthread_cond_broadcast(&gate.changed);
        while (!gate.open)
                pthread_cond_wait(&gate.changed, &gate.mutex);
        gate.waiting--;
        pthread_mutex_unlock(&gate.mutex);
        return 0;
}

bool __wrap_markers_await(struct markers *m, const char *id, msec deadline);
bool __wrap_markers_await(struct markers *m, const char *id, msec deadline)
{
        (void)m;
        (void)id;
        (void)deadline;
        return true;
}

static unsigned lists_read;

int __wrap_registry_most_moved(struct registry *r, char tenant[TENANT_SIZE], int64_t *rows,
                               struct err *e);
int __wrap_registry_most_moved(struct registry *r, char tenant[TENANT_SIZE], int64_t *rows,
                               struct err *e)
{
        (void)r;
        (void)e;
        tenant[0] = '\0';
        *rows = 0;
        lists_read++;
        return 0;
}

struct caller {
        struct acts *acts;
        struct act act;
        struct act_answer answer;
        struct err why;
        int done;
        pthread_t thread;
};

static void *act(void *owner)
{
        struct caller *c = owner;
        c->done = acts_do(c->acts, &c->act, clock_mono() + ACT_WAIT, &c->answer, &c->why);
        return NULL;
}

/* Jobs that run now cannot be forgotten: nothing is published. */
static struct caller caller_of(struct acts *a, const char *tenant, const char *id)
{
        struct caller c = {.acts = a, .act = {.kind = ACT_FORGET, .priority = -1}};
        snprintf(c.act.tenant, sizeof(c.act.tenant), "%s", tenant);
        snprintf(c.act.id, sizeof(c.act.id), "%s", id);
        return c;
}

static void open_gate(bool open)
{
        pthread_mutex_lock(&gate.mutex);
        gate.open = open;
        pthread_cond_broadcast(&gate.changed);
        pthread_mutex_unlock(&gate.mutex);
}

static void start(struct caller *c)
{
        assert_int_equal(pthread_create(&c->thread, NULL, act, c), 0);
}

static void await_waiting(unsigned count)
{
        pthread_mutex_lock(&gate.mutex);
        while (gate.waiting < count)
                pthread_cond_wait(&gate.changed, &gate.mutex);
        pthread_mutex_unlock(&gate.mutex);
}

struct world {
        struct rig rig;
        struct readers *readers;
        struct acts *acts;
};

static void add_job(struct rig *r, const char *tenant, const char *id)
{
        struct job j = rig_job(id, AT);
        snprintf(j.tenant, sizeof(j.tenant), "%s", tenant);
        rig_submit(r, &j);
        rig_tell(r, &j, EVENT_STARTED, 1, AT + 1);
}

static void world_open(struct world *w, const struct fixture *f, unsigned at_once)
{
        struct err e = {0};
        rig_open(&w->rig);
        add_job(&w->rig, "acme", ID);
        add_job(&w->rig, "other", ID);
        add_job(&w->rig, "acme", OTHER);
        rig_commit(&w->rig);
        w->readers = readers_create(w->rig.place.path, 2, &e);
        assert_non_null(w->readers);
        const struct acts_config c = {.registry = f->registry,
                                      .readers = w->readers,
                                      .operator=(void *) w,
                                      .marks_keep = MSEC_DAY,
                                      .moved_max = 100,
                                      .at_once = at_once};
        w->acts = acts_create(&c, &e);
        assert_non_null(w->acts);
}

static void world_close(struct world *w)
{
        acts_destroy(&w->acts);
        readers_destroy(&w->readers);
        rig_close(&w->rig);
}

/* Nor does one that knows the id of another's job hold up acts on that one. */
static void a_tenant_has_half_of_the_places(void **state)
{
        struct world w;
        world_open(&w, *state, 4);
        open_gate(false);
        struct caller first = caller_of(w.acts, "acme", ID);
        struct caller second = caller_of(w.acts, "acme", OTHER);
        struct caller third = caller_of(w.acts, "acme", UNKNOWN);
        struct caller others = caller_of(w.acts, "other", ID);
        start(&first);
        start(&second);
        await_waiting(2);
        act(&third);
        assert_int_equal(third.done, -1);
        assert_int_equal(third.why.code, ERR_FULL);
        start(&others);
        await_waiting(3);
        open_gate(true);
        pthread_join(first.thread, NULL);
        pthread_join(second.thread, NULL);
        pthread_join(others.thread, NULL);
        assert_int_equal(first.answer.refusal, ACT_JOB_OPEN);
        assert_int_equal(others.answer.refusal, ACT_JOB_OPEN);
        assert_string_equal(others.answer.tenant, "other");
        world_close(&w);
}

static void an_id_of_several_tenants_needs_a_name(void **state)
{
        static const struct {
                const char *tenant, *id;
                enum act_refusal want;
        } rows[] = {
                {"*", ID, ACT_SEVERAL_TENANTS},  {"acme", ID, ACT_JOB_OPEN},
                {"*", OTHER, ACT_JOB_OPEN},      {"other", OTHER, ACT_NO_SUCH_JOB},
                {"*", UNKNOWN, ACT_NO_SUCH_JOB},
        };
        struct world w;
        world_open(&w, *state, 4);
        open_gate(true);
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct caller c = caller_of(w.acts, rows[i].tenant, rows[i].id);
                act(&c);
                assert_int_equal(c.done, 0);
                assert_int_equal(c.answer.refusal, rows[i].want);
        }
        world_close(&w);
}

static void an_intent_names_the_type(void **state)
{
        const struct fixture *f = *state;
        const struct act cancel = {.kind = ACT_CANCEL, .tenant = "acme", .id = ID};
        struct err e = {0};
        struct world w;
        world_open(&w, f, 4);
        const struct act_tools tools = {.registry = f->registry, .readers = w.readers};
        AUTO_ACT_JOB j = {.intent = {.copy = 0}};
        struct act_plan plan;
        assert_int_equal(act_job_judge(&tools, &cancel, &j, &plan, &e), 1);
        assert_int_equal(plan.refusal, ACT_ALLOWED);
        act_job_intend(&cancel, &plan, &j);
        assert_int_equal(j.intent.kind, ACT_STOP);
        assert_string_equal(j.intent.type, rig_job(ID, AT).type);
        world_close(&w);
}

/* So a deletion of many, some at a time, does not read it each time. */
static void the_list_is_read_by_nothing_but_the_look(void **state)
{
        const struct fixture *f = *state;
        struct err e = {0};
        struct world w;
        assert_int_equal(
                registry_rows_change(f->registry,
                                     "WITH RECURSIVE n(i) AS"
                                     " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
                                     " INSERT INTO moved(tenant, id, kind, keep)"
                                     " SELECT 'acme', i, 0, iif(i > 100, 1, ?2) FROM n",
                                     DB_VALUES(value_int(2 * MOVED_FORGOTTEN_AT_ONCE),
                                               value_int(clock_wall() + MSEC_DAY)),
                                     &e),
                1);
        world_open(&w, f, 4);
        lists_read = 0;
        assert_int_equal(acts_forget_old(w.acts, &e), 1);
        assert_int_equal(acts_forget_old(w.acts, &e), 0);
        assert_int_equal(lists_read, 0);
        assert_int_equal(acts_note_crowding(w.acts, &e), 0);
        assert_int_equal(lists_read, 1);
        world_close(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_REGISTRY(a_tenant_has_half_of_the_places),
                WITH_REGISTRY(an_id_of_several_tenants_needs_a_name),
                WITH_REGISTRY(an_intent_names_the_type),
                WITH_REGISTRY(the_list_is_read_by_nothing_but_the_look),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
