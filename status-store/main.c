/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-status-store.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/own.h"
#include "common/base/program.h"
#include "common/db/db.h"
#include "common/http/client.h"
#include "status-store/registry.h"
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

static int run(const void *settings, struct err *e)
{
        const struct settings *c = settings;

        umask(077); /* registry.db holds the hashes of keys */
        if (c->create_admin_key != NULL) {
                AUTO(registry) r = registry_create(c->registry, e);
                return r != NULL ? registry_create_admin_key(r, c->create_admin_key, e) : -1;
        }
        if (c->backup != NULL)
                return db_backup(c->registry, c->backup, e);
        http_client_global_init();
        return serve(c, e);
}

int main(int argc, char **argv)
{
        struct settings settings = {0};
        const struct program program = {.config = &status_store_config,
                                        .settings = &settings,
                                        .log_level = &settings.log_level,
                                        .run = run};

        return program_main(&program, argc, argv);
}
