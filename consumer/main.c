/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-consumer.
 */
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/own.h"
#include "common/base/program.h"
#include "common/http/client.h"
#include "consumer/consumer.h"

static void on_stop(void *owner)
{
        consumer_drain(*(struct consumer **)owner);
}

static void on_reload(void *owner)
{
        consumer_reload(*(struct consumer **)owner);
}

static int run(const void *settings, struct err *e)
{
        static const struct service_events events = {.stop = on_stop, .reload = on_reload};
        const struct consumer_settings *s = settings;
        struct consumer *fresh = NULL;

        http_client_global_init();
        AUTO(service) service = service_create(&events, &fresh, e);
        if (service == NULL)
                return EXIT_FAILURE;
        fresh = consumer_create(s, service, e);
        if (fresh == NULL)
                return EXIT_FAILURE;
        LOG_INFO("started", log_int("concurrency", s->concurrency),
                 log_int("health_port", s->health_port));
        int status = service_run(service);
        consumer_destroy(&fresh);
        return status;
}

int main(int argc, char **argv)
{
        struct consumer_settings settings = {0};
        const struct program program = {.config = &consumer_config,
                                        .settings = &settings,
                                        .log_level = &settings.log_level,
                                        .run = run};

        return program_main(&program, argc, argv);
}
