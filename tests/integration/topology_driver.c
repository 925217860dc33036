/* SPDX-License-Identifier: Apache-2.0
 *
 * topology_driver.c: runs the topology library from a test: does the one thing to the broker that
 * its environment names, and prints what it found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/wait.h"
#include "common/base/log.h"
#include "common/base/own.h"
#include "common/topology/topology.h"
#include "tests/harness/err_word.h"

struct driver {
        struct loop_thread *thread;
        struct link_config config;
        struct link *link;
        struct err e;
};

static void make_link(void *owner)
{
        static const struct link_events none = {.up = NULL};
        struct driver *d = owner;
        d->link = link_create(&d->config, &none, NULL, loop_thread_loop(d->thread), &d->e);
}

static void end_link(void *owner)
{
        struct driver *d = owner;
        link_destroy(&d->link);
}

static int on_link(int (*work)(struct link *l, const char *argument, struct err *e),
                   const char *argument, struct err *e)
{
        struct driver d = {.config = {.urls = getenv("TOPOLOGY_URLS"),
                                      .login = getenv("TOPOLOGY_LOGIN"),
                                      .password = getenv("TOPOLOGY_PASSWORD"),
                                      .name = "topology driver"}};
        d.thread = loop_thread_create(e);
        if (d.thread == NULL)
                return -1;
        loop_thread_run(d.thread, make_link, &d);
        int status =
                d.link == NULL ? err_set(e, d.e.code, "%s", d.e.text) : work(d.link, argument, e);
        loop_thread_run(d.thread, end_link, &d);
        loop_thread_destroy(&d.thread);
        return status;
}

static int apply(struct link *l, const char *argument, struct err *e)
{
        const struct topology_settings settings = {
                .events_max_bytes = argument != NULL ? strtoll(argument, NULL, 10) : 0};
        return topology_apply(l, &settings, e);
}

static void print_finding(void *owner, const char *subject, const char *problem, const char *remedy)
{
        (void)owner;
        printf("%s: %s; %s\n", subject, problem, remedy);
}

static int on_management(const char *command, const char *argument, const char *pause,
                         struct err *e)
{
        const struct http_client_config config = {.base_url = getenv("TOPOLOGY_MANAGEMENT"),
                                                  .user = getenv("TOPOLOGY_LOGIN"),
                                                  .password = getenv("TOPOLOGY_PASSWORD")};
        const char *const tenants[] = {argument, NULL};
        http_client_global_init();
        AUTO(http_client) management = http_client_create(&config, e);
        if (management == NULL)
                return -1;
        if (strcmp(command, "apply") == 0)
                return topology_apply_managed(management, getenv("TOPOLOGY_VHOST"), e);
        if (strcmp(command, "accounts") == 0)
                return topology_put_accounts(management, getenv("TOPOLOGY_VHOST"), argument, e);
        const char *const pauses[] = {pause, NULL};
        const struct topology_parts parts = {tenants, pauses};
        return topology_check(management, getenv("TOPOLOGY_VHOST"), NULL, &parts, print_finding,
                              NULL, e);
}

static int run(const char *command, const char *argument, const char *pause, struct err *e)
{
        if (strcmp(command, "apply") == 0 && on_link(apply, argument, e) < 0)
                return -1;
        if (strcmp(command, "apply") == 0 || strcmp(command, "accounts") == 0 ||
            strcmp(command, "check") == 0)
                return on_management(command, argument, pause, e);
        if (strcmp(command, "pause") == 0)
                return on_link(topology_apply_pause, argument, e);
        if (strcmp(command, "tenant") == 0)
                return on_link(topology_apply_tenant, argument, e);
        if (strcmp(command, "delete-tenant") == 0)
                return on_link(topology_delete_tenant, argument, e);
        return err_set(e, ERR_INVALID, "no command %s", command);
}

int main(int argc, char **argv)
{
        struct err e = {0};
        if (argc < 2) {
                fputs("usage: topology_driver apply [EVENTS_MAX_BYTES] | check [TENANT [PAUSE]]"
                      " | accounts FOLDER | tenant NAME | delete-tenant NAME | pause KEY\n",
                      stderr);
                return 2;
        }
        log_open("topology-driver", LOG_LEVEL_WARN);
        if (run(argv[1], argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL, &e) == 0)
                return 0;
        fprintf(stderr, "%s: %s\n", err_code_word(e.code), e.text);
        return 1;
}
