/* SPDX-License-Identifier: Apache-2.0
 *
 * secret_test.c: secrets are random. Their files belong to their owner alone and are complete or
 * absent.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/secret.h"

static void random_ones_differ(void **state)
{
        char one[SECRET_RANDOM_SIZE], other[SECRET_RANDOM_SIZE];
        (void)state;
        secret_random(one);
        secret_random(other);
        assert_int_equal(strlen(one), SECRET_RANDOM_SIZE - 1);
        assert_int_equal(strspn(one, "0123456789abcdef"), SECRET_RANDOM_SIZE - 1);
        assert_string_not_equal(one, other);
}

static void assert_holds(const char *path, const char *want)
{
        struct err e = {0};
        struct stat info;
        AUTO_FREE char *got = secret_read(path, &e);
        assert_non_null(got);
        assert_string_equal(got, want);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
}

/* A folder of its own: the path of the secret's file, and of the file that is written first. */
struct place {
        char folder[32], path[48], fresh[56];
};

static int begin(void **state)
{
        static struct place p;

        snprintf(p.folder, sizeof(p.folder), "/tmp/warren-unit-XXXXXX");
        if (mkdtemp(p.folder) == NULL)
                return -1;
        snprintf(p.path, sizeof(p.path), "%s/secret", p.folder);
        snprintf(p.fresh, sizeof(p.fresh), "%s.new", p.path);
        *state = &p;
        return 0;
}

/* Fails if a test leaves anything in the folder besides the secret itself. */
static int end(void **state)
{
        const struct place *p = *state;

        unlink(p->path);
        return rmdir(p->folder);
}

static void a_file_is_its_owners_alone(void **state)
{
        const struct place *p = *state;
        struct err e = {0};
        assert_int_equal(file_replace(p->path, "first\n", &e), 0);
        assert_holds(p->path, "first");
        int fd = open(p->fresh, O_CREAT | O_WRONLY | O_CLOEXEC, 0666); /* left by a crash */
        assert_true(fd >= 0 && fchmod(fd, 0666) == 0 && close(fd) == 0);
        assert_int_equal(file_replace(p->path, "second", &e), 0);
        assert_holds(p->path, "second");
        assert_int_equal(access(p->fresh, F_OK), -1);
        assert_int_equal(mkdir(p->fresh, 0700), 0);
        assert_int_equal(file_replace(p->path, "third", &e), -1);
        assert_non_null(strstr(e.text, p->fresh));
        assert_holds(p->path, "second");
        assert_int_equal(rmdir(p->fresh), 0);
        err_clear(&e);
        assert_int_equal(file_replace("/nonexistent/secret", "gone", &e), -1);
        assert_int_equal(e.code, ERR_SYSTEM);
}

/* Neither a symbolic nor a hard link leads the secret into another file. */
static void a_file_beside_it_is_never_written_into(void **state)
{
        static int (*const ways[])(const char *, const char *) = {symlink, link};
        const struct place *p = *state;
        struct err e = {0};
        struct stat info;
        AUTO_FREE char *other = xasprintf("%s/other", p->folder);
        int fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && close(fd) == 0);
        for (size_t i = 0; i < COUNT(ways); i++) {
                assert_int_equal(ways[i](other, p->fresh), 0);
                assert_int_equal(file_replace(p->path, "mine", &e), 0);
                assert_holds(p->path, "mine");
                assert_int_equal(stat(other, &info), 0);
                assert_int_equal(info.st_size, 0);
                assert_int_equal(access(p->fresh, F_OK), -1);
        }
        assert_int_equal(unlink(other), 0);
}

static void a_secret_that_found_no_place_is_not_left(void **state)
{
        const struct place *p = *state;
        struct err e = {0};
        assert_int_equal(mkdir(p->path, 0700), 0);
        assert_int_equal(file_replace(p->path, "mine", &e), -1);
        assert_non_null(strstr(e.text, p->path));
        assert_int_equal(access(p->fresh, F_OK), -1);
        assert_int_equal(rmdir(p->path), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_ones_differ),
                cmocka_unit_test_setup_teardown(a_file_is_its_owners_alone, begin, end),
                cmocka_unit_test_setup_teardown(a_file_beside_it_is_never_written_into, begin, end),
                cmocka_unit_test_setup_teardown(a_secret_that_found_no_place_is_not_left, begin,
                                                end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
