/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_build.c: compares a plugin's file and names with what handlers.json asks for.
 */
#include "consumer/runner/plugin_build.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

int build_init(struct plugin_build *b, const struct plugin *plugin, struct err *e)
{
        struct stat identity;

        if (stat(plugin->file, &identity) != 0)
                return err_set_errno(e, "plugin %s: %s", plugin->name, plugin->file);
        *b = (struct plugin_build){
                .plugin = *plugin,
                .identity = identity,
        };
        b->plugin.name = xstrdup(plugin->name);
        b->plugin.file = xstrdup(plugin->file);
        b->plugin.settings = xstrdup(plugin->settings);
        return 0;
}

void build_fini(struct plugin_build *b)
{
        buffer_fini(&b->names);
        free(b->plugin.name);
        free(b->plugin.file);
        free(b->plugin.settings);
}

bool build_is_current(const struct plugin_build *b, const struct plugin *plugin)
{
        struct stat now;

        return stat(plugin->file, &now) == 0 && now.st_dev == b->identity.st_dev &&
               now.st_ino == b->identity.st_ino && now.st_size == b->identity.st_size &&
               now.st_mtim.tv_sec == b->identity.st_mtim.tv_sec &&
               now.st_mtim.tv_nsec == b->identity.st_mtim.tv_nsec &&
               strcmp(b->plugin.file, plugin->file) == 0 &&
               strcmp(b->plugin.settings, plugin->settings) == 0 &&
               b->plugin.memory == plugin->memory;
}

static bool has_name(const struct plugin_build *b, const char *name)
{
        for (const char *at = b->names.data; at < b->names.data + b->names.length;
             at += strlen(at) + 1) {
                if (strcmp(at, name) == 0)
                        return true;
        }
        return false;
}

int build_check_names(const struct plugin_build *b, const struct handlers *set,
                      const struct plugin *plugin, struct err *e)
{
        for (const struct handler *h = handlers_first(set); h != NULL; h = h->hh.next) {
                if (h->kind == HANDLER_PLUGIN && h->plugin == plugin &&
                    !has_name(b, h->plugin_handler))
                        return err_set(e, ERR_NOT_FOUND,
                                       "type %s: plugin %s has no handler named %s", h->type,
                                       plugin->name, h->plugin_handler);
        }
        return 0;
}
