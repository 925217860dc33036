/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.c: the tables of members of handlers.json, and the set made by reading it.
 */
#include "consumer/runner/handlers.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/handlers_read.h"

enum {
        FILE_MAX = 4 * 1024 * 1024,
        PROCESSES_MAX = 1024,
        CONCURRENCY_MAX = 100000,
        FACTOR_MAX = 1000,
        RECYCLE_MAX = 1000000000,
};
#define MEBIBYTE ((int64_t)1024 * 1024)
#define MEMORY_MIN MEBIBYTE
#define MEMORY_MAX (1024 * 1024 * MEBIBYTE)
#define OUTPUT_DEFAULT MEBIBYTE
#define OUTPUT_MAX (1024 * MEBIBYTE)
#define GRACE_DEFAULT ((msec)5 * MSEC_SECOND)
#define GRACE_MAX ((msec)10 * MSEC_MINUTE)

struct handlers {
        unsigned references;
        char *folder; /* the folder of the file, absolute */
        struct plugin *plugins;
        struct handler *by_type;
};

struct loading {
        struct handlers *set;
        struct handler defaults; /* the values of a type that does not set its own */
};

/* clang-format off */
#define RANGE(low, high) .least = (low), .most = (high)
#define RETRY(field, fn, ...) {#field, fn, JSON_AT(struct retry_policy, field), __VA_ARGS__}
#define PLUGIN(field, fn, ...) {#field, fn, JSON_AT(struct plugin, field), __VA_ARGS__}
#define HANDLER(field, fn, ...) {#field, fn, JSON_AT(struct handler, field), __VA_ARGS__}

static const struct json_member retry_members[] = {
        RETRY(base, read_duration, RANGE(1, MSEC_DAY)),
        RETRY(factor, json_read_real, RANGE(1, FACTOR_MAX)),
        RETRY(cap, read_duration, RANGE(1, RETRY_AFTER_MAX)),
        RETRY(jitter, json_read_real, RANGE(0, 1)),
        {0},
};

static int read_retry(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct retry_policy *policy = out;

        if (json_read_members(r, p, retry_members, out) != 0)
                return -1;
        return policy->base <= policy->cap ? 0 : json_refuse(r, p, "base must not be above cap");
}

static int read_link_loss(struct json_reader *r, const struct json_place *p, void *out)
{
        char word[16] = "";

        if (json_read_is(r, p, SCAN_STRING) != 0)
                return -1;
        (void)json_copy_text(p->value, word, sizeof(word));
        *(bool *)out = strcmp(word, "stop") == 0;
        if (*(bool *)out || strcmp(word, "finish") == 0)
                return 0;
        return json_refuse(r, p, "must be \"finish\" or \"stop\"");
}

#define DEFAULT_MEMBERS \
        HANDLER(timeout, read_duration, RANGE(JOB_TIMEOUT_MIN, JOB_TIMEOUT_MAX)), \
        HANDLER(grace, read_duration, RANGE(0, GRACE_MAX)), \
        {"on_link_loss", read_link_loss, JSON_AT(struct handler, stop_on_link_loss)}, \
        HANDLER(retry, read_retry)

static const struct json_member default_members[] = {DEFAULT_MEMBERS, {0}};

static const struct json_member plugin_members[] = {
        PLUGIN(file, read_text, .flags = JSON_REQUIRED),
        PLUGIN(processes, json_read_int, RANGE(1, PROCESSES_MAX)),
        PLUGIN(recycle_after, json_read_int, RANGE(0, RECYCLE_MAX)),
        PLUGIN(memory, read_size, RANGE(MEMORY_MIN, MEMORY_MAX)),
        PLUGIN(settings, read_raw_object),
        {0},
};

static int read_plugin(struct json_reader *r, const struct json_place *p, void *out)
{
        struct handlers *set = ((struct loading *)out)->set;
        AUTO_FREE char *name = read_inside(p->key);

        if (name == NULL || !job_type_is_valid(bytes_of_text(name)))
                return json_refuse_name(r, p, "a plugin's name has the form of a job type");

        struct plugin *plugin = xcalloc(1, sizeof(*plugin));
        LL_APPEND(set->plugins, plugin);
        plugin->name = TAKE(name);
        if (json_read_members(r, p, plugin_members, plugin) != 0)
                return -1;
        AUTO_FREE char *given = TAKE(plugin->file);
        plugin->file = given[0] == '/' ? xstrdup(given) : xasprintf("%s/%s", set->folder, given);
        if (plugin->settings == NULL)
                plugin->settings = xstrdup("{}");
        return 0;
}

static int read_plugin_name(struct json_reader *r, const struct json_place *p, void *out)
{
        const struct loading *loading = r->owner;
        const struct handlers *set = loading->set;
        char *name = NULL;

        if (read_text(r, p, &name) != 0)
                return -1;
        AUTO_FREE char *owned = name;
        for (const struct plugin *at = set->plugins; at != NULL; at = at->next) {
                if (strcmp(at->name, owned) == 0) {
                        *(const struct plugin **)out = at;
                        return 0;
                }
        }
        return json_refuse(r, p, "no plugin of this name under /plugins");
}

static int read_handler_name(struct json_reader *r, const struct json_place *p, void *out)
{
        if (read_text(r, p, out) != 0)
                return -1;
        if (strlen(*(char **)out) >= HANDLER_NAME_SIZE)
                return json_refuse(r, p, "must have at most %d bytes", HANDLER_NAME_SIZE - 1);
        return 0;
}

static bool is_variable_name(const char *name)
{
        if (!isalpha((unsigned char)name[0]) && name[0] != '_')
                return false;
        for (; *name != '\0'; name++) {
                if (!isalnum((unsigned char)*name) && *name != '_')
                        return false;
        }
        return true;
}

static int read_variable(struct json_reader *r, const struct json_place *p, void *out)
{
        AUTO_FREE char *name = read_inside(p->key);

        if (name == NULL || !is_variable_name(name) || strncmp(name, "WARREN_", 7) == 0)
                return json_refuse_name(r, p, "not a variable that may be set");
        AUTO_FREE char *value = take_string(r, p); /* may be empty */
        if (value == NULL)
                return -1;
        texts_add(out, xasprintf("%s=%s", name, value));
        return 0;
}

#define COMMON_MEMBERS \
        DEFAULT_MEMBERS, \
        HANDLER(concurrency, json_read_int, RANGE(1, CONCURRENCY_MAX))

static const struct json_member plugin_type_members[] = {
        {"plugin", read_plugin_name, .offset = offsetof(struct handler, plugin),
         .flags = JSON_REQUIRED},
        {"handler", read_handler_name, JSON_AT(struct handler, plugin_handler),
         .flags = JSON_REQUIRED},
        COMMON_MEMBERS,
        {0},
};

static const struct json_member exec_type_members[] = {
        HANDLER(exec, read_texts, .flags = JSON_REQUIRED),
        HANDLER(env, json_read_map, .each = read_variable),
        HANDLER(memory, read_size, RANGE(MEMORY_MIN, MEMORY_MAX)),
        HANDLER(output, read_size, RANGE(1, OUTPUT_MAX)),
        COMMON_MEMBERS,
        {0},
};
/* clang-format on */

/* Exactly one of plugin, exec and http names the kind. */
static const struct json_member *members_of_kind(struct json_reader *r, const struct json_place *p,
                                                 enum handler_kind *kind)
{
        struct scan_value plugin, exec, http;
        bool has_plugin = scan_find(p->value, "plugin", &plugin);
        bool has_exec = scan_find(p->value, "exec", &exec);

        if (scan_find(p->value, "http", &http)) {
                const struct json_place here = {.up = p->up, .key = p->key, .value = http};
                (void)json_refuse(r, &here, "handlers of kind http are not part of this version");
                return NULL;
        }
        if (has_plugin == has_exec) {
                (void)json_refuse(r, p, "exactly one of \"plugin\" and \"exec\" must be given");
                return NULL;
        }
        *kind = has_plugin ? HANDLER_PLUGIN : HANDLER_EXEC;
        return has_plugin ? plugin_type_members : exec_type_members;
}

static int read_type(struct json_reader *r, const struct json_place *p, void *out)
{
        struct loading *loading = out;
        AUTO_FREE char *type = read_inside(p->key);

        if (type == NULL || !job_type_is_valid(bytes_of_text(type)))
                return json_refuse_name(r, p, "a job type has the form [a-z0-9][a-z0-9._-]{0,63}");
        if (json_read_is(r, p, SCAN_OBJECT) != 0)
                return -1;

        struct handler *h = xcalloc(1, sizeof(*h));
        *h = loading->defaults;
        memcpy(h->type, type, strlen(type) + 1);
        h->env = xcalloc(1, sizeof(char *));
        h->folder = xstrdup(loading->set->folder);
        HASH_ADD_STR(loading->set->by_type, type, h);
        const struct json_member *members = members_of_kind(r, p, &h->kind);
        return members == NULL ? -1 : json_read_members(r, p, members, h);
}

/* The order matters: types refer to plugins and defaults. */
static const struct json_member root_members[] = {
        {"plugins", json_read_map, .each = read_plugin},
        {"defaults", json_read_object, JSON_AT(struct loading, defaults),
         .members = default_members},
        {"types", json_read_map, .each = read_type, .flags = JSON_REQUIRED},
        {0},
};

static int read_file(const char *path, struct buffer *out, struct err *e)
{
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (file == NULL)
                return err_set_errno(e, "%s", path);

        buffer_reserve(out, FILE_MAX + 1);
        out->length = fread(out->data, 1, FILE_MAX + 1, file);
        out->data[out->length] = '\0';
        if (ferror(file))
                return err_set_errno(e, "%s", path);
        if (out->length > FILE_MAX)
                return err_set(e, ERR_TOO_LARGE, "%s: more than %d bytes", path, FILE_MAX);
        return 0;
}

static int load(struct loading *loading, const char *path, struct err *e)
{
        AUTO_BUFFER text = {0};
        struct scan_fault fault;
        struct json_reader r = {.fault = &fault, .owner = loading};
        struct json_place root;

        if (read_file(path, &text, e) != 0)
                return -1;
        if (json_read_open(&r, buffer_bytes(&text), SCAN_DEPTH_MAX, &root) == 0 &&
            json_read_members(&r, &root, root_members, loading) == 0)
                return 0;
        return err_set(e, ERR_INVALID, "%s:%u:%u: %s: %s", path, fault.line, fault.column,
                       fault.pointer[0] != '\0' ? fault.pointer : "/", fault.detail);
}

static char *folder_of(const char *path, struct err *e)
{
        char resolved[PATH_MAX];

        if (realpath(path, resolved) == NULL) {
                err_set_errno(e, "%s", path);
                return NULL;
        }
        char *slash = strrchr(resolved, '/');
        return xmemdup0(resolved, slash > resolved ? (size_t)(slash - resolved) : 1);
}

struct handlers *handlers_load(const char *path, struct err *e)
{
        AUTO(handlers) set = xcalloc(1, sizeof(*set));
        struct loading loading = {
                .set = set,
                .defaults = {.output = OUTPUT_DEFAULT,
                             .timeout = JOB_TIMEOUT_DEFAULT,
                             .grace = GRACE_DEFAULT,
                             .retry = RETRY_POLICY_DEFAULT,
                             .set = set},
        };

        set->references = 1;
        set->folder = folder_of(path, e);
        if (set->folder == NULL || load(&loading, path, e) != 0)
                return NULL;
        return TAKE(set);
}

struct handlers *handlers_ref(struct handlers *h)
{
        h->references++;
        return h;
}

void handlers_destroy(struct handlers **h)
{
        struct handlers *set = TAKE(*h);
        struct handler *handler, *next;
        struct plugin *plugin, *next_plugin;

        if (set == NULL || --set->references > 0)
                return;
        HASH_ITER (hh, set->by_type, handler, next) {
                HASH_DEL(set->by_type, handler);
                free(handler->plugin_handler);
                free(handler->folder);
                texts_free(&handler->exec);
                texts_free(&handler->env);
                free(handler);
        }
        LL_FOREACH_SAFE (set->plugins, plugin, next_plugin) {
                free(plugin->name);
                free(plugin->file);
                free(plugin->settings);
                free(plugin);
        }
        free(set->folder);
        free(set);
}

const struct handler *handlers_find(const struct handlers *h, const char *type)
{
        const struct handler *found;

        HASH_FIND_STR(h->by_type, type, found);
        return found;
}

size_t handlers_count(const struct handlers *h)
{
        return HASH_COUNT(h->by_type);
}

const struct handler *handlers_first(const struct handlers *h)
{
        return h->by_type;
}

const struct plugin *handlers_first_plugin(const struct handlers *h)
{
        return h->plugins;
}
