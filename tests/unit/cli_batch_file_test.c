/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_batch_file_test.c: the files of `warren submit --batch`: the source of jobs, and the state by
 * which a later run goes on.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/own.h"
#include "ui/cli/batch_source.h"
#include "ui/cli/batch_state.h"
#include "ui/cli/command.h"

static const volatile sig_atomic_t no_stop;
static char folder[] = "/tmp/cli-batch-XXXXXX";
static char path[sizeof(folder) + 16];

static int make_folder(void **state)
{
        (void)state;
        if (mkdtemp(folder) == NULL)
                return -1;
        snprintf(path, sizeof(path), "%s/jobs", folder);
        return 0;
}

static int remove_folder(void **state)
{
        (void)state;
        unlink(path);
        return rmdir(folder);
}

/* 0: the file system has locks; else the error of flock. */
static int no_locks;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

int __wrap_flock(int fd, int operation)
{
        if (no_locks == 0)
                return __real_flock(fd, operation);
        errno = no_locks;
        return -1;
}

static void write_file(struct bytes content)
{
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(content.data, 1, content.length, file), content.length);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(path, 0600), 0);
}

static void write_text(const char *text)
{
        write_file(bytes_of_text(text));
}

/* Reads all of the file; each job as "number@line:column text;". */
static enum batch_read read_all(struct buffer *out, struct err *e)
{
        struct batch_place p;
        enum batch_read got;
        AUTO(batch_source) s = batch_source_open(path, &no_stop, e);

        assert_non_null(s);
        while ((got = batch_source_next(s, &p, e)) == BATCH_READ_JOB)
                buffer_printf(out, "%llu@%u:%u %.*s;", (unsigned long long)p.number, p.line,
                              p.column, (int)p.text.length, p.text.data == NULL ? "" : p.text.data);
        return got;
}

static void test_source(void **state)
{
        static const struct {
                const char *text, *want;
                enum batch_read end;
        } table[] = {
                {"", "", BATCH_READ_END},
                {"\n \n", "", BATCH_READ_END},
                {"{}\n\n {\"a\":1}\r\n{}", "1@1:1 {};3@3:2 {\"a\":1};4@4:1 {};", BATCH_READ_END},
                {"\n [{},\n{\"a\":\n1} ]\n", "1@2:3 {};2@3:1 {\"a\":\n1};", BATCH_READ_END},
                {"nonsense\n", "1@1:1 nonsense;", BATCH_READ_END},
                {"[{},", "1@1:2 {};", BATCH_READ_FAILED},
                {"[{}] x", "1@1:2 {};", BATCH_READ_FAILED},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                AUTO_BUFFER out = {0};
                write_text(table[i].text);
                assert_int_equal(read_all(&out, &e), table[i].end);
                assert_string_equal(out.length == 0 ? "" : out.data, table[i].want);
                assert_int_equal(err_is_set(&e), table[i].end == BATCH_READ_FAILED);
        }
}

static void test_source_skips_what_is_too_large(void **state)
{
        struct err e = {0};
        AUTO_BUFFER text = {0};
        AUTO_BUFFER out = {0};

        (void)state;
        buffer_add_text(&text, "{}\n");
        for (int i = 0; i < 5 << 20; i++)
                buffer_add_char(&text, 'x');
        buffer_add_text(&text, "\n{}\n");
        write_file(buffer_bytes(&text));
        assert_int_equal(read_all(&out, &e), BATCH_READ_END);
        assert_string_equal(out.data, "1@1:1 {};2@2:1 ;3@3:1 {};");
}

/* A line that is cut off is no job. */
static void test_source_becomes_shorter(void **state)
{
        static const off_t left[] = {2, 0, 70000, 70002};

        (void)state;
        for (size_t i = 0; i < COUNT(left); i++) {
                struct batch_place p;
                struct err e = {0};
                int lines = 0;
                enum batch_read got;
                AUTO_BUFFER text = {0};
                for (int n = 0; n < 20000; n++)
                        buffer_add_text(&text, "\"ab\"\n");
                write_file(buffer_bytes(&text));
                AUTO(batch_source) s = batch_source_open(path, &no_stop, &e);
                assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_JOB);
                assert_int_equal(truncate(path, left[i]), 0);
                while ((got = batch_source_next(s, &p, &e)) == BATCH_READ_JOB) {
                        assert_int_equal(p.text.length, 4);
                        lines++;
                }
                assert_int_equal(got, BATCH_READ_FAILED);
                assert_int_equal(e.code, ERR_CONFLICT);
                assert_int_equal(lines + 1, (left[i] < 65536 ? 65536 : left[i]) / 5);
        }
}

static void test_source_of_a_pipe(void **state)
{
        int ends[2];
        struct batch_place p;
        struct err e = {0};
        char name[32];

        (void)state;
        assert_int_equal(pipe(ends), 0);
        snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
        AUTO(batch_source) s = batch_source_open(name, &no_stop, &e);
        assert_non_null(s);
        assert_false(batch_source_is_file(s));
        assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_LATER);
        assert_int_equal(write(ends[1], " \n", 2), 2);
        assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_LATER);
        assert_int_equal(write(ends[1], "[{}", 3), 3);
        assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_JOB);
        assert_true(batch_source_is_array(s));
        assert_int_equal(p.line, 2);
        assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_LATER);
        assert_int_equal(write(ends[1], ",[]]", 4), 4);
        close(ends[1]);
        assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_JOB);
        assert_int_equal(p.number, 2);
        assert_int_equal(batch_source_next(s, &p, &e), BATCH_READ_END);
        close(ends[0]);
}

static void test_source_is_locked(void **state)
{
        struct err e = {0};

        (void)state;
        write_text("{}\n");
        AUTO(batch_source) first = batch_source_open(path, &no_stop, &e);
        AUTO(batch_source) second = batch_source_open(path, &no_stop, &e);
        assert_int_equal(batch_source_lock(first, &e), 0);
        assert_int_equal(batch_source_lock(second, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_true(batch_source_is(first, path));
        assert_false(batch_source_is(first, "/dev/null"));
        assert_null(batch_source_open(folder, &no_stop, &(struct err){0}));
        assert_null(batch_source_open("/nonexistent", &no_stop, &(struct err){0}));
}

static void test_file_system_without_locks(void **state)
{
        struct err e = {0};

        (void)state;
        write_text("{}\n");
        AUTO(batch_source) s = batch_source_open(path, &no_stop, &e);
        no_locks = ENOLCK;
        assert_int_equal(batch_source_lock(s, &e), -1);
        no_locks = 0;
        assert_int_equal(e.code, ERR_SYSTEM);
        assert_non_null(strstr(e.text, "/jobs cannot be locked: No locks available"));
}

/* Runs `warren submit --batch` on the file; what it writes to standard error. */
static enum exit_code submit(struct buffer *said)
{
        char *words[] = {"submit", "--batch", path, NULL};
        FILE *file = tmpfile();
        int standard = dup(STDERR_FILENO);
        char text[1024];

        assert_non_null(file);
        assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
        enum exit_code code = command_run(3, words);
        assert_int_equal(dup2(standard, STDERR_FILENO), STDERR_FILENO);
        close(standard);
        rewind(file);
        buffer_add(said, text, fread(text, 1, sizeof(text), file));
        fclose(file);
        return code;
}

static void test_submits_without_locks(void **state)
{
        AUTO_BUFFER quiet = {0};
        AUTO_BUFFER said = {0};

        (void)state;
        write_text("");
        assert_int_equal(submit(&quiet), EXIT_DONE);
        assert_int_equal(quiet.length, 0);
        no_locks = ENOLCK;
        assert_int_equal(submit(&said), EXIT_DONE);
        no_locks = 0;
        assert_non_null(strstr(said.data, "cannot be locked: No locks available"));
        assert_non_null(strstr(said.data, "no other process"));
}

static const struct batch_state some = {.version = 1,
                                        .key = "a\"b",
                                        .url = "http://gateway:8080",
                                        .size = 1000,
                                        .changed = 2000,
                                        .done = 30,
                                        .accepted = 25,
                                        .refused = 5,
                                        .since = 4000};

static void test_state_is_read_back(void **state)
{
        struct batch_state got;
        struct err e = {0};

        (void)state;
        unlink(path);
        assert_int_equal(batch_state_load(path, &got, &e), 0);
        assert_int_equal(batch_state_save(path, &some, &e), 0);
        assert_int_equal(batch_state_load(path, &got, &e), 1);
        assert_memory_equal(&got, &some, sizeof(got));
}

#define STORED(version) \
        "{\"version\":" #version ",\"key\":\"k\",\"url\":\"u\",\"size\":1,\"changed\":1," \
        "\"done\":1,\"accepted\":1,\"refused\":0,\"since\":1}"

static void test_states_that_cannot_be_read(void **state)
{
        static const struct {
                const char *text;
                enum err_code want;
        } table[] = {
                {STORED(1), ERR_NONE},
                {STORED(2), ERR_CONFLICT},
                {"{\"version\":2,\"new\":[]}", ERR_CONFLICT},
                {"{\"version\":0}", ERR_CORRUPT},
                {"{\"version\":1,\"key\":\"k\"}", ERR_CORRUPT},
                {"{\"version\":1,\"key\":\"\",\"url\":\"u\",\"size\":1,\"changed\":1,\"done\":1,"
                 "\"accepted\":1,\"refused\":0,\"since\":1}",
                 ERR_CORRUPT},
                {"{\"ver", ERR_CORRUPT},
                {"[]", ERR_CORRUPT},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_state got;
                struct err e = {0};
                write_text(table[i].text);
                assert_int_equal(batch_state_load(path, &got, &e),
                                 table[i].want == ERR_NONE ? 1 : -1);
                assert_int_equal(e.code, table[i].want);
        }
}

static void test_which_state_fits(void **state)
{
        const msec limit = some.since + 23 * (msec)MSEC_HOUR;
        const struct {
                int64_t size, changed;
                const char *url, *key;
                msec at;
                const char *want; /* NULL: it fits */
        } table[] = {
                {1000, 2000, "http://gateway:8080", "", limit, NULL},
                {1000, 2000, "http://gateway:8080", "a\"b", 0, NULL},
                {1001, 2000, "http://gateway:8080", "", 0, "was changed"},
                {1000, 2001, "http://gateway:8080", "", 0, "was changed"},
                {1000, 2000, "http://other:8080", "", 0, "another gateway, http://gateway:8080"},
                {1000, 2000, "http://gateway:8080", "k", 0, "another key"},
                {1000, 2000, "http://gateway:8080", "", limit + 1, "more than 23 h ago"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_state now = {
                        .size = table[i].size, .changed = table[i].changed, .since = table[i].at};
                struct err e = {0};
                snprintf(now.url, sizeof(now.url), "%s", table[i].url);
                snprintf(now.key, sizeof(now.key), "%s", table[i].key);
                int fits = batch_state_check(&some, &now, &e);
                assert_int_equal(fits, table[i].want == NULL ? 0 : -1);
                if (table[i].want != NULL)
                        assert_non_null(strstr(e.text, table[i].want));
        }
        struct batch_state waited = some;
        struct err e = {0};
        waited.since = 0;
        struct batch_state now = some;
        now.since = limit + MSEC_DAY;
        assert_int_equal(batch_state_check(&waited, &now, &e), 0);
        waited.done = 0;
        snprintf(now.url, sizeof(now.url), "http://other:8080");
        assert_int_equal(batch_state_check(&waited, &now, &e), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_source),
                cmocka_unit_test(test_source_skips_what_is_too_large),
                cmocka_unit_test(test_source_becomes_shorter),
                cmocka_unit_test(test_source_of_a_pipe),
                cmocka_unit_test(test_source_is_locked),
                cmocka_unit_test(test_file_system_without_locks),
                cmocka_unit_test(test_submits_without_locks),
                cmocka_unit_test(test_state_is_read_back),
                cmocka_unit_test(test_states_that_cannot_be_read),
                cmocka_unit_test(test_which_state_fits),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
