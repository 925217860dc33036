/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c: loads a shared object, checks that it is a plugin of this ABI, and opens it.
 */
#include "consumer/host/plugin.h"

#include <dlfcn.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

const char *plugin_take_text(struct bytes *frame)
{
        const char *end = frame->length > 0 ? memchr(frame->data, '\0', frame->length) : NULL;
        if (end == NULL)
                return NULL;

        const char *text = frame->data;
        size_t used = (size_t)(end - text) + 1;
        *frame = bytes_of(frame->data + used, frame->length - used);
        return text;
}

static int check(const struct warren_plugin *p, struct err *e)
{
        if (p->abi != WARREN_PLUGIN_ABI)
                return err_set(e, ERR_INVALID, "built for plugin ABI %u, this host has ABI %d",
                               p->abi, WARREN_PLUGIN_ABI);
        if (p->handlers == NULL)
                return err_set(e, ERR_INVALID, "warren_plugin has no handlers");
        for (const struct warren_handler *h = p->handlers; h->name != NULL; h++) {
                if (h->run == NULL)
                        return err_set(e, ERR_INVALID, "handler %s has no run function", h->name);
        }
        return 0;
}

static int open_with(struct plugin *p, const char *settings, struct err *e)
{
        char reason[WIRE_TEXT_MAX / 16] = "";

        if (p->plugin->open != NULL &&
            p->plugin->open(settings, &p->state, reason, sizeof(reason)) != 0) {
                reason[sizeof(reason) - 1] = '\0';
                return err_set(e, ERR_INVALID, "open: %s",
                               reason[0] != '\0' ? reason : "failed without an error text");
        }
        p->open = true;
        return 0;
}

struct plugin *plugin_open(struct bytes frame, struct err *e)
{
        if (frame.length < sizeof(struct wire_open)) {
                err_set(e, ERR_PROTOCOL, "an OPEN frame that is too short");
                return NULL;
        }
        frame = bytes_of(frame.data + sizeof(struct wire_open),
                         frame.length - sizeof(struct wire_open));
        const char *file = plugin_take_text(&frame);
        const char *settings = plugin_take_text(&frame);
        if (file == NULL || settings == NULL) {
                err_set(e, ERR_PROTOCOL, "an OPEN frame without file and settings");
                return NULL;
        }

        void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
        if (object == NULL) {
                err_set(e, ERR_NOT_FOUND, "%s", dlerror());
                return NULL;
        }

        AUTO(plugin) p = xcalloc(1, sizeof(*p));
        p->plugin = dlsym(object, "warren_plugin");
        if (p->plugin == NULL) {
                err_set(e, ERR_INVALID, "%s", dlerror());
                return NULL;
        }
        if (check(p->plugin, e) != 0 || open_with(p, settings, e) != 0)
                return NULL;
        return TAKE(p);
}

void plugin_destroy(struct plugin **p)
{
        if (*p == NULL)
                return;
        if ((*p)->open && (*p)->plugin->close != NULL)
                (*p)->plugin->close((*p)->state);
        free(*p);
        *p = NULL;
}
