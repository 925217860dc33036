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

struct process_metrics {
        struct collector collector; /* first: the registry frees it with the rest */
        struct metric *rss, *cpu, *fds;
};

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
        struct process_metrics *p = owner;

        metric_set(p->rss, resident_bytes());
        metric_set(p->cpu, cpu_seconds());
        metric_set(p->fds, open_fds());
}

static struct metric *plain(struct metrics *m, const char *name, const char *help,
                            enum metric_kind kind)
{
        return metric_add(m, &(struct metric_spec){.name = name, .help = help, .kind = kind});
}

/* process_*: set at each exposition. */
static void add_process(struct metrics *m)
{
        struct process_metrics *p = xcalloc(1, sizeof(*p));

        p->rss = plain(m, "process_resident_memory_bytes", "Resident memory size in bytes.",
                       METRIC_GAUGE);
        p->cpu = plain(m, "process_cpu_seconds_total", "User and system CPU time spent in seconds.",
                       METRIC_COUNTER);
        p->fds = plain(m, "process_open_fds", "Number of open file descriptors.", METRIC_GAUGE);
        struct metric *start =
                plain(m, "process_start_time_seconds",
                      "Start time of the process since the epoch in seconds.", METRIC_GAUGE);
        metric_set(start, (double)clock_wall() / 1000);

        p->collector.collect = collect;
        p->collector.owner = p;
        pthread_mutex_lock(&m->mutex);
        m->collectors = &p->collector;
        pthread_mutex_unlock(&m->mutex);
}

struct metrics *metrics_create(const char *program)
{
        struct metrics *m = metrics_registry_create();
        struct metric *build = metric_add(
                m, &(struct metric_spec){.name = "warren_build_info",
                                         .help = "The program and its version; always 1.",
                                         .kind = METRIC_GAUGE,
                                         .labels = {"program", "version"}});

        metric_set(build, 1, program, WARREN_VERSION);
        add_process(m);
        return m;
}
