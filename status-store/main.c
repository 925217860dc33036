/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-status-store.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "common/base/own.h"
#include "common/http/client.h"
#include "status-store/status_store.h"

static void on_stop(void *owner)
{
        status_store_drain(*(struct status_store **)owner);
}

static int serve(const struct settings *c, struct err *e)
{
        static const struct service_events events = {.stop = on_stop};
        struct status_store *s = NULL;
        AUTO(service) service = service_create(&events, &s, e);

        if (service == NULL)
                return EXIT_FAILURE;
        s = status_store_create(c, service, e);
        int status = s != NULL ? service_run(service) : EXIT_FAILURE;
        status_store_destroy(&s);
        return status;
}

static int run(const struct settings *c, struct err *e)
{
        enum log_level level = LOG_LEVEL_INFO;

        if (log_level_parse(c->log_level, &level, e) != 0)
                return EXIT_FAILURE;
        log_set_level(level);
        umask(077); /* registry.db holds the hashes of keys */
        if (c->create_admin_key != NULL)
                return status_store_create_admin_key(c, e) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        if (c->backup != NULL)
                return status_store_backup(c, e) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        http_client_global_init();
        return serve(c, e);
}

int main(int argc, char **argv)
{
        struct settings settings = {0};
        enum config_action action = CONFIG_EXIT;
        struct err e = {0};
        int status = EXIT_SUCCESS;

        log_open("status-store", LOG_LEVEL_INFO);
        if (config_load(&status_store_config, argc, argv, &settings, &action, &e) != 0)
                status = 2;
        else if (action == CONFIG_RUN)
                status = run(&settings, &e);
        if (err_is_set(&e))
                LOG_ERROR("cannot go on", log_err(&e));
        config_fini(&status_store_config, &settings);
        return status;
}
