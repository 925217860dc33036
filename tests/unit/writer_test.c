/* SPDX-License-Identifier: Apache-2.0
 *
 * writer_test.c: which writes share a commit, which fail alone and which fail together.
 */
#include "tests/unit/writer_rig.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/readers.h"

enum { THREADS = 16, ROWS_EACH = 50, PAGES_MAX = 20, TOO_LARGE = 1 << 20 };

struct fixture {
        char folder[32];
        char *path;
        struct writer *writer;
        sqlite3 *db; /* used on the writer's thread */
        atomic_int commits;
        atomic_int callers; /* number of threads that still write */
        int in_group;       /* used on the writer's thread only */
};

static int on_commit(void *owner)
{
        struct fixture *f = owner;
        f->commits++;
        return 0;
}

static int open_writer(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));
        struct err e = {0};
        *state = f;
        snprintf(f->folder, sizeof(f->folder), "/tmp/warren-unit-XXXXXX");
        if (mkdtemp(f->folder) == NULL)
                return -1;
        f->path = xasprintf("%s/some.db", f->folder);
        sqlite3 *db = db_open(f->path, DB_PRIMARY, &e);
        if (db == NULL || db_exec(db, "CREATE TABLE rows(id INTEGER PRIMARY KEY, body)", &e) != 0)
                return -1;
        sqlite3_commit_hook(db, on_commit, f);
        sqlite3_busy_timeout(db, 1);
        f->db = db;
        f->writer = writer_create(&db, &e);
        return f->writer != NULL ? 0 : -1;
}

static int close_writer(void **state)
{
        struct fixture *f = *state;
        writer_destroy(&f->writer);
        /* The last connection has removed the files beside the database. */
        int removed = unlink(f->path) != 0 ? -1 : rmdir(f->folder);
        free(f->path);
        free(f);
        return removed;
}

/* One write, and the thread that waits for its result. */
struct call {
        struct fixture *fixture;
        struct gate *gate; /* NULL: none */
        int64_t id;
        int size; /* size of the body */
        bool gives_up;
        int result;
        struct err why;
        pthread_t thread;
};

static int put(struct database *db, void *owner, struct err *e)
{
        struct call *c = owner;
        sqlite3_stmt *s = database_query(db, "INSERT INTO rows VALUES(?1, zeroblob(?2))", NULL, e);
        if (s == NULL)
                return -1;
        db_bind_int(s, 1, c->id);
        db_bind_int(s, 2, c->size);
        c->fixture->in_group++;
        if (db_run(s, e) != 0)
                return -1;
        if (c->gives_up)
                return err_set(e, ERR_FORBIDDEN, "given up");
        return c->gate != NULL ? gate_pass(c->gate, e) : 7;
}

static void *call_once(void *owner)
{
        struct call *c = owner;
        c->result = writer_run(c->fixture->writer, put, c, &c->why);
        return NULL;
}

static void begin_call(struct call *c)
{
        assert_int_equal(pthread_create(&c->thread, NULL, call_once, c), 0);
}

static bool await_waiting(struct fixture *f, size_t count)
{
        msec deadline = clock_mono() + RIG_WAIT_S * MSEC_SECOND;
        while (writer_waiting(f->writer) != count && clock_mono() < deadline)
                sched_yield();
        return writer_waiting(f->writer) == count;
}

/* Holds the writer in `first` while the others queue in their order. */
static void queue_behind(struct fixture *f, struct call *first, struct call *others, size_t count)
{
        first->fixture = f;
        begin_call(first);
        assert_true(gate_wait(first->gate, &first->gate->reached));
        for (size_t i = 0; i < count; i++) {
                others[i].fixture = f;
                begin_call(&others[i]);
                assert_true(await_waiting(f, i + 1));
        }
}

static void end_calls(struct call *first, struct call *others, size_t count)
{
        gate_set(first->gate, &first->gate->open);
        pthread_join(first->thread, NULL);
        for (size_t i = 0; i < count; i++)
                pthread_join(others[i].thread, NULL);
}

static int64_t count_rows(struct fixture *f)
{
        struct err e = {0};
        AUTO(readers) readers = readers_create(f->path, 1, &e);
        assert_non_null(readers);
        struct reader *r = readers_take(readers, &e);
        assert_non_null(r);
        int64_t count = -1;
        {
                AUTO_RESET *all =
                        database_query(reader_database(r), "SELECT count(*) FROM rows", NULL, &e);
                if (all != NULL && db_step(all, &e) == 1)
                        count = sqlite3_column_int64(all, 0);
        }
        readers_give(&r);
        return count;
}

/* Waits until every caller that still writes is in this group or in the queue for the next. */
static int on_crowded_commit(void *owner)
{
        struct fixture *f = owner;
        msec deadline = clock_mono() + RIG_WAIT_S * MSEC_SECOND;
        while (f->in_group + (int)writer_waiting(f->writer) < f->callers && clock_mono() < deadline)
                sched_yield();
        f->in_group = 0;
        return on_commit(owner);
}

static void *call_often(void *owner)
{
        struct call *c = owner;
        for (int i = 0; i < ROWS_EACH && c->result >= 0; i++) {
                c->id++;
                c->result = writer_run(c->fixture->writer, put, c, &c->why);
        }
        c->fixture->callers--;
        return NULL;
}

static void who_writes_at_the_same_time_shares_a_commit(void **state)
{
        struct fixture *f = *state;
        struct call calls[THREADS] = {0};
        sqlite3_commit_hook(f->db, on_crowded_commit, f);
        f->callers = THREADS;
        for (int i = 0; i < THREADS; i++) {
                calls[i] = (struct call){.fixture = f, .id = (int64_t)i * ROWS_EACH};
                assert_int_equal(pthread_create(&calls[i].thread, NULL, call_often, &calls[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                pthread_join(calls[i].thread, NULL);
                assert_int_equal(calls[i].result, 7);
        }
        assert_int_equal(count_rows(f), THREADS * ROWS_EACH);
        /* Each caller is in one of any two consecutive groups. */
        assert_true(f->commits <= 2 * ROWS_EACH);
}

static void a_write_that_fails_fails_alone(void **state)
{
        struct fixture *f = *state;
        struct gate gate = GATE;
        struct call first = {.gate = &gate, .id = 1};
        struct call others[] = {{.id = 2}, {.id = 2}, {.id = 3, .gives_up = true}, {.id = 4}};
        queue_behind(f, &first, others, COUNT(others));
        assert_int_equal(count_rows(f), 0); /* no reader sees what is not committed */
        end_calls(&first, others, COUNT(others));
        assert_int_equal(first.result, 0);
        assert_int_equal(others[0].result, 7);
        assert_int_equal(others[1].result, -1);
        assert_int_equal(others[1].why.code, ERR_CONFLICT);
        assert_int_equal(others[2].result, -1);
        assert_int_equal(others[2].why.code, ERR_FORBIDDEN);
        assert_int_equal(others[3].result, 7);
        assert_int_equal(count_rows(f), 3);
        assert_int_equal(f->commits, 2);
}

static void *stop(void *owner)
{
        writer_stop(owner);
        return NULL;
}

static void a_stop_answers_who_waits(void **state)
{
        struct fixture *f = *state;
        struct gate gate = GATE;
        struct call first = {.gate = &gate, .id = 1}, late = {.fixture = f, .id = 100};
        struct call others[8];
        pthread_t stopper;
        for (size_t i = 0; i < COUNT(others); i++)
                others[i] = (struct call){.id = (int64_t)i + 2};
        queue_behind(f, &first, others, COUNT(others));
        assert_int_equal(pthread_create(&stopper, NULL, stop, f->writer), 0);
        end_calls(&first, others, COUNT(others));
        pthread_join(stopper, NULL);
        for (size_t i = 0; i < COUNT(others); i++)
                assert_int_equal(others[i].result, 7);
        assert_int_equal(count_rows(f), 9);
        call_once(&late);
        assert_int_equal(late.result, -1);
        assert_int_equal(late.why.code, ERR_UNAVAILABLE);
        assert_int_equal(count_rows(f), 9);
}

static int set_pages_max(struct database *db, void *owner, struct err *e)
{
        char sql[64];
        snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %d", *(int *)owner);
        return db_exec(database_handle(db), sql, e);
}

/* All writes that share the transaction fail too, also one that had failed by itself: what it read
 * may not be true. */
static void a_full_disk_fails_the_group(void **state)
{
        struct fixture *f = *state;
        struct gate gate = GATE;
        struct call first = {.gate = &gate, .id = 1};
        struct call others[] = {{.id = 2}, {.id = 2}, {.id = 3, .size = TOO_LARGE}, {.id = 4}};
        struct err e = {0};
        int few = PAGES_MAX, many = 1000000;
        assert_int_equal(writer_run(f->writer, set_pages_max, &few, &e), 0);
        assert_int_equal(writer_check(f->writer, &e), 0);
        queue_behind(f, &first, others, COUNT(others));
        end_calls(&first, others, COUNT(others));
        assert_int_equal(first.result, 0);
        for (size_t i = 0; i < COUNT(others); i++) {
                assert_int_equal(others[i].result, -1);
                assert_int_equal(others[i].why.code, ERR_UNAVAILABLE);
        }
        assert_int_equal(count_rows(f), 1);
        assert_int_equal(writer_check(f->writer, &e), -1);
        assert_non_null(strstr(e.text, "full"));
        err_clear(&e);
        struct call small = {.fixture = f, .id = 5};
        call_once(&small);
        assert_int_equal(small.result, 7);
        assert_int_equal(writer_check(f->writer, &e), 0);
        assert_int_equal(writer_run(f->writer, set_pages_max, &many, &e), 0);
        call_once(&others[2]);
        assert_int_equal(others[2].result, 7);
        assert_int_equal(count_rows(f), 3);
}

static void a_locked_database_is_unavailable(void **state)
{
        struct fixture *f = *state;
        struct call locked = {.fixture = f, .id = 1}, then = {.fixture = f, .id = 2};
        struct err e = {0};
        {
                AUTO_DB *other = db_open(f->path, DB_PRIMARY, &e);
                assert_non_null(other);
                assert_int_equal(db_exec(other, "BEGIN IMMEDIATE", &e), 0);
                call_once(&locked);
                assert_int_equal(locked.result, -1);
                assert_int_equal(locked.why.code, ERR_UNAVAILABLE);
        }
        call_once(&then);
        assert_int_equal(then.result, 7);
        assert_int_equal(count_rows(f), 1);
}

static void a_statement_is_prepared_once(void **state)
{
        (void)state;
        struct err e = {0};
        sqlite3 *handle = db_open(":memory:", DB_READ_ONLY, &e);
        assert_non_null(handle);
        AUTO(database) db = database_create(&handle);
        assert_null(handle);
        static const char sql[] = "SELECT ?1";
        {
                AUTO_RESET *s = database_query(db, sql, NULL, &e);
                assert_non_null(s);
                db_bind_int(s, 1, 5);
                assert_int_equal(db_step(s, &e), 1);
                assert_int_equal(sqlite3_column_int64(s, 0), 5);
                assert_ptr_not_equal(s, database_query(db, "SELECT 2", NULL, &e));
                sqlite3_reset(s);
                assert_ptr_equal(s, database_query(db, sql, NULL, &e));
                assert_int_equal(db_step(s, &e), 1);
                assert_int_equal(sqlite3_column_type(s, 0), SQLITE_NULL);
        }
        assert_null(database_query(db, "SELEC", NULL, &e));
        assert_true(err_is_set(&e));
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, open_writer, close_writer)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_WRITER(who_writes_at_the_same_time_shares_a_commit),
                WITH_WRITER(a_write_that_fails_fails_alone),
                WITH_WRITER(a_stop_answers_who_waits),
                WITH_WRITER(a_full_disk_fails_the_group),
                WITH_WRITER(a_locked_database_is_unavailable),
                cmocka_unit_test(a_statement_is_prepared_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
