/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-gateway.
 */
#include "common/base/own.h"
#include "common/base/program.h"
#include "gateway/gateway.h"

static int run(const void *settings, struct err *e)
{
        AUTO(gateway) g = gateway_create(settings, e);

        return g != NULL ? gateway_run(g) : -1;
}

int main(int argc, char **argv)
{
        struct gateway_settings settings = {0};
        const struct program program = {.config = &gateway_config,
                                        .settings = &settings,
                                        .log_level = &settings.log_level,
                                        .run = run};

        return program_main(&program, argc, argv);
}
