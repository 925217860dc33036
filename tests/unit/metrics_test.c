/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics_test.c: counting and the exposition; promtool checks it where it is installed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/metrics/metrics.h"
#include "tests/unit/unit.h"

static void expect(struct metrics *m, const char *line)
{
        AUTO_BUFFER out = {0};

        metrics_write(m, &out);
        if (strstr(out.data, line) == NULL)
                fail_msg("no line %s in:\n%s", line, out.data);
}

static void test_counter(void **state)
{
        (void)state;
        struct metrics *m = metrics_create("test");
        struct metric *plain = metric_add(m, &(struct metric_spec){.name = "warren_a_total",
                                                                   .help = "A.",
                                                                   .kind = METRIC_COUNTER});
        struct metric *labelled =
                metric_add(m, &(struct metric_spec){.name = "warren_b_total",
                                                    .help = "B \\ and\nmore.",
                                                    .kind = METRIC_COUNTER,
                                                    .labels = {"tenant", "type"}});

        expect(m, "\nwarren_a_total 0\n");
        metric_increment(plain, 2);
        metric_increment(plain, 0.1);
        metric_increment(labelled, 1, "acme", "say \"hi\"\\\n");
        metric_increment(labelled, 3e15, "acme", NULL);
        expect(m, "# HELP warren_a_total A.\n# TYPE warren_a_total counter\nwarren_a_total 2.1\n");
        expect(m, "# HELP warren_b_total B \\\\ and\\nmore.\n");
        expect(m, "warren_b_total{tenant=\"acme\",type=\"say \\\"hi\\\"\\\\\\n\"} 1\n");
        expect(m, "warren_b_total{tenant=\"acme\",type=\"\"} 3e+15\n");
        expect(m, "warren_build_info{program=\"test\",version=\"" WARREN_VERSION "\"} 1\n");
        expect(m, "\nprocess_start_time_seconds ");
        metrics_destroy(&m);
        assert_null(m);
}

static void test_histogram(void **state)
{
        (void)state;
        static const double bounds[] = {0.5, 1, 2.5};
        struct metrics *m = metrics_create("test");
        struct metric *h = metric_add(m, &(struct metric_spec){.name = "warren_h_seconds",
                                                               .help = "H.",
                                                               .kind = METRIC_HISTOGRAM,
                                                               .labels = {"type"},
                                                               .buckets = bounds,
                                                               .bucket_count = 3});

        metric_observe(h, 0.25, "a");
        metric_observe(h, 1, "a");
        metric_observe(h, 100, "a");
        expect(m, "warren_h_seconds_bucket{type=\"a\",le=\"0.5\"} 1\n"
                  "warren_h_seconds_bucket{type=\"a\",le=\"1\"} 2\n"
                  "warren_h_seconds_bucket{type=\"a\",le=\"2.5\"} 2\n"
                  "warren_h_seconds_bucket{type=\"a\",le=\"+Inf\"} 3\n"
                  "warren_h_seconds_sum{type=\"a\"} 101.25\n"
                  "warren_h_seconds_count{type=\"a\"} 3\n");
        metrics_destroy(&m);
}

static void test_series_are_bounded(void **state)
{
        (void)state;
        struct metrics *m = metrics_create("test");
        struct metric *c = metric_add(m, &(struct metric_spec){.name = "warren_c_total",
                                                               .help = "C.",
                                                               .kind = METRIC_COUNTER,
                                                               .labels = {"x"},
                                                               .series_max = 3});

        static const char *const values[] = {"a", "b", "c", "d", "a"};
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                metric_increment(c, 1, values[i]);
        expect(m, "warren_c_total{x=\"a\"} 2\nwarren_c_total{x=\"b\"} 1\n"
                  "warren_c_total{x=\"other\"} 2\n");
        metrics_destroy(&m);
}

static void set_gauge(void *owner)
{
        metric_reset(owner);
        metric_set(owner, 7, "new");
}

static void test_collect(void **state)
{
        (void)state;
        struct metrics *m = metrics_create("test");
        struct metric *g = metric_add(m, &(struct metric_spec){.name = "warren_g",
                                                               .help = "G.",
                                                               .kind = METRIC_GAUGE,
                                                               .labels = {"x"}});
        AUTO_BUFFER out = {0};

        metric_set(g, 1, "old");
        metrics_on_collect(m, set_gauge, g);
        metrics_write(m, &out);
        assert_non_null(strstr(out.data, "warren_g{x=\"new\"} 7\n"));
        assert_null(strstr(out.data, "old"));
        metrics_destroy(&m);
}

static void test_remove(void **state)
{
        (void)state;
        struct metrics *m = metrics_create("test");
        struct metric *g = metric_add(m, &(struct metric_spec){.name = "warren_g",
                                                               .help = "G.",
                                                               .kind = METRIC_GAUGE,
                                                               .labels = {"x"},
                                                               .series_max = 2});
        AUTO_BUFFER out = {0};

        metric_set(g, 1, "a");
        metric_set(g, 2, "b");
        metric_remove(g, "b"); /* it has no series of its own */
        metric_remove(g, "a");
        metrics_write(m, &out);
        assert_null(strstr(out.data, "x=\"a\""));
        assert_non_null(strstr(out.data, "warren_g{x=\"other\"} 2\n"));
        metrics_destroy(&m);
}

static void test_promtool(void **state)
{
        (void)state;
        if (system("command -v promtool >/dev/null 2>&1") != 0) {
                print_message("promtool (Debian package prometheus) is not here: skipped\n");
                skip();
        }

        struct metrics *m = metrics_create("test");
        struct metric *h = metric_add(m, &(struct metric_spec){.name = "warren_wait_seconds",
                                                               .help = "Wait.",
                                                               .kind = METRIC_HISTOGRAM,
                                                               .labels = {"type"}});
        struct metric *c = metric_add(m, &(struct metric_spec){.name = "warren_jobs_total",
                                                               .help = "Jobs\nseen.",
                                                               .kind = METRIC_COUNTER,
                                                               .labels = {"type"}});
        AUTO_BUFFER out = {0};

        metric_observe(h, 0.3, "odd \"type\" \\\n");
        metric_increment(c, 1, "é");
        metrics_write(m, &out);
        FILE *tool = popen("promtool check metrics", "w");
        assert_non_null(tool);
        assert_int_equal(fwrite(out.data, 1, out.length, tool), out.length);
        assert_int_equal(pclose(tool), 0);
        metrics_destroy(&m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_counter),
                cmocka_unit_test(test_histogram),
                cmocka_unit_test(test_series_are_bounded),
                cmocka_unit_test(test_collect),
                cmocka_unit_test(test_remove),
                cmocka_unit_test(test_promtool),
        };
        return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
