/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-consumer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/own.h"
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

static int run(const struct consumer_settings *s, struct err *e)
{
        static const struct service_events events = {.stop = on_stop, .reload = on_reload};
        struct consumer *fresh = NULL;
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
        enum config_action action;
        enum log_level level;
        struct err e = {0};
        int status = EXIT_SUCCESS;

        log_open("consumer", LOG_LEVEL_INFO);
        if (config_load(&consumer_config, argc, argv, &settings, &action, &e) != 0 ||
            (action == CONFIG_RUN && log_level_parse(settings.log_level, &level, &e) != 0))
                status = 2;
        else if (action == CONFIG_RUN) {
                log_set_level(level);
                http_client_global_init();
                status = run(&settings, &e);
        }
        if (err_is_set(&e))
                LOG_ERROR("cannot go on", log_err(&e));
        config_fini(&consumer_config, &settings);
        return status;
}
