/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c: the metrics of every program about its own process, read from /proc.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/metrics/metrics.h"
#include "common/metrics/registry.h"

static double resident_bytes(void)
{
        AUTO_FCLOSE FILE *file = fopen("/proc/self/statm", "re");
        char line[128];

        if (file == NULL || fgets(line, sizeof(line), file) == NULL)
                return 0;
        /* The second number; the first is the virtual size. */
        const char *second = strchr(line, ' ');
        if (second == NULL)
                return 0;
        return (double)strtoll(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
        struct timespec used = {0};

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double open_fds(void)
{
        DIR *directory = opendir("/proc/self/fd");
        double count = 0;

        if (directory == NULL)
                return 0;
        for (struct dirent *at = readdir(directory); at != NULL; at = readdir(directory)) {
                if (at->d_name[0] != '.')
                        count++;
        }
        closedir(directory);
        return count - 1; /* the directory itself */
}

static void collect(void *owner)
{
        const struct metrics *m = owner;

        metric_set(m->rss, resident_bytes());
        metric_set(m->cpu, cpu_seconds());
        metric_set(m->fds, open_fds());
}

static struct metric *plain(struct metrics *m, const char *name, const char *help,
                            enum metric_kind kind)
{
        return metric_add(m, &(struct metric_spec){.name = name, .help = help, .kind = kind});
}

struct metrics *metrics_create(const char *program)
{
        struct metrics *m = xcalloc(1, sizeof(*m));

        pthread_mutex_init(&m->mutex, NULL);
        struct metric *build = metric_add(
                m, &(struct metric_spec){.name = "warren_build_info",
                                         .help = "The program and its version; always 1.",
                                         .kind = METRIC_GAUGE,
                                         .labels = {"program", "version"}});
        metric_set(build, 1, program, WARREN_VERSION);
        m->rss = plain(m, "process_resident_memory_bytes", "Resident memory size in bytes.",
                       METRIC_GAUGE);
        m->cpu = plain(m, "process_cpu_seconds_total", "User and system CPU time spent in seconds.",
                       METRIC_COUNTER);
        m->fds = plain(m, "process_open_fds", "Number of open file descriptors.", METRIC_GAUGE);
        struct metric *start =
                plain(m, "process_start_time_seconds",
                      "Start time of the process since the epoch in seconds.", METRIC_GAUGE);
        metric_set(start, (double)clock_wall() / 1000);
        metrics_on_collect(m, collect, m);
        return m;
}
