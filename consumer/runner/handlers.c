/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.c: handlers.json as tables of members, and the set they make.
 */
#include "consumer/runner/handlers.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

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
#define MEBIBYTE (1024.0 * 1024)
#define MEMORY_MIN MEBIBYTE
#define MEMORY_MAX (1024 * 1024 * MEBIBYTE)
#define OUTPUT_DEFAULT ((int64_t)1024 * 1024)
#define OUTPUT_MAX (1024 * MEBIBYTE)
#define GRACE_DEFAULT ((msec)5 * MSEC_SECOND)
#define GRACE_MAX ((msec)10 * MSEC_MINUTE)

struct entry {
        struct handler handler;
        UT_hash_handle hh;
};

struct handlers {
        unsigned references;
        char *folder; /* of the file, absolute */
        struct plugin **plugins;
        size_t plugin_count;
        struct entry **entries;
        size_t entry_count;
        struct entry *by_type;
};

/* What a type has unless it says otherwise. */
struct defaults {
        msec timeout, grace;
        bool stop_on_link_loss;
        struct retry_policy retry;
};

struct loading {
        struct handlers *set;
        struct defaults defaults;
};

static struct loading *loading_of(const struct reading *r)
{
        return r->owner;
}

static const struct member retry_members[] = {
        {"base", read_duration, offsetof(struct retry_policy, base), 1, MSEC_DAY, false},
        {"factor", read_real, offsetof(struct retry_policy, factor), 1, FACTOR_MAX, false},
        {"cap", read_duration, offsetof(struct retry_policy, cap), 1, (double)RETRY_AFTER_MAX,
         false},
        {"jitter", read_real, offsetof(struct retry_policy, jitter), 0, 1, false},
        {0},
};

static int read_retry(const struct reading *r, const struct place *p, const struct member *m,
                      void *out)
{
        const struct retry_policy *policy = out;

        (void)m;
        if (read_object(r, p, retry_members, out) != 0)
                return -1;
        if (policy->base > policy->cap)
                return read_refuse(r, p, NULL, "base must not be above cap");
        return 0;
}

static int read_link_loss(const struct reading *r, const struct place *p, const struct member *m,
                          void *out)
{
        (void)m;
        if (read_is(r, p, SCAN_STRING) != 0)
                return -1;

        struct bytes word = bytes_of(p->value.raw.data + 1, p->value.raw.length - 2);
        bool stops = scan_key_is(word, "stop");
        if (!stops && !scan_key_is(word, "finish"))
                return read_refuse(r, p, NULL, "must be \"finish\" or \"stop\"");
        *(bool *)out = stops;
        return 0;
}

static const struct member default_members[] = {
        {"timeout", read_duration, offsetof(struct defaults, timeout), (double)JOB_TIMEOUT_MIN,
         (double)JOB_TIMEOUT_MAX, false},
        {"grace", read_duration, offsetof(struct defaults, grace), 0, (double)GRACE_MAX, false},
        {"on_link_loss", read_link_loss, offsetof(struct defaults, stop_on_link_loss), 0, 0, false},
        {"retry", read_retry, offsetof(struct defaults, retry), 0, 0, false},
        {0},
};

static int read_defaults(const struct reading *r, const struct place *p, const struct member *m,
                         void *out)
{
        (void)m;
        (void)out;
        return read_object(r, p, default_members, &loading_of(r)->defaults);
}

static const struct member plugin_members[] = {
        {"file", read_text, offsetof(struct plugin, file), 0, 0, true},
        {"processes", read_integer, offsetof(struct plugin, processes), 1, PROCESSES_MAX, false},
        {"recycle_after", read_integer, offsetof(struct plugin, recycle_after), 0, RECYCLE_MAX,
         false},
        {"memory", read_size, offsetof(struct plugin, memory), MEMORY_MIN, MEMORY_MAX, false},
        {"settings", read_raw_object, offsetof(struct plugin, settings), 0, 0, false},
        {0},
};

static char *resolve(const struct handlers *set, const char *path)
{
        return path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", set->folder, path);
}

static int read_plugin(const struct reading *r, const struct place *p)
{
        struct handlers *set = loading_of(r)->set;
        AUTO_FREE char *name = read_key(p->key);

        if (name == NULL || !job_type_is_valid(bytes_of_text(name)))
                return read_refuse(r, p, p->key.data - 1,
                                   "a plugin's name has the form of a job type");

        struct plugin *plugin = xcalloc(1, sizeof(*plugin));
        set->plugins = xrealloc(set->plugins, (set->plugin_count + 1) * sizeof(struct plugin *));
        set->plugins[set->plugin_count++] = plugin;
        plugin->name = TAKE(name);
        if (read_object(r, p, plugin_members, plugin) != 0)
                return -1;
        AUTO_FREE char *given = TAKE(plugin->file);
        plugin->file = resolve(set, given);
        if (plugin->settings == NULL)
                plugin->settings = xstrdup("{}");
        return 0;
}

static int read_plugins(const struct reading *r, const struct place *p, const struct member *m,
                        void *out)
{
        (void)m;
        (void)out;
        return read_each(r, p, read_plugin);
}

static int read_plugin_name(const struct reading *r, const struct place *p, const struct member *m,
                            void *out)
{
        const struct handlers *set = loading_of(r)->set;
        char *name = NULL;

        if (read_text(r, p, m, &name) != 0)
                return -1;
        AUTO_FREE char *owned = name;
        for (size_t i = 0; i < set->plugin_count; i++) {
                if (strcmp(set->plugins[i]->name, owned) == 0) {
                        *(const struct plugin **)out = set->plugins[i];
                        return 0;
                }
        }
        return read_refuse(r, p, NULL, "no plugin of this name under /plugins");
}

static int read_handler_name(const struct reading *r, const struct place *p, const struct member *m,
                             void *out)
{
        if (read_text(r, p, m, out) != 0)
                return -1;
        if (strlen(*(char **)out) >= HANDLER_NAME_SIZE)
                return read_refuse(r, p, NULL, "must have at most %d bytes", HANDLER_NAME_SIZE - 1);
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

static int read_env(const struct reading *r, const struct place *p, const struct member *m,
                    void *out)
{
        char ***env = out;
        struct scan_cursor cursor;
        struct scan_item item;

        if (read_is(r, p, SCAN_OBJECT) != 0)
                return -1;
        cursor = scan_items(p->value);
        for (size_t count = 0; scan_next(&cursor, &item);) {
                struct place here = {.up = p, .key = item.key, .value = item.value};
                AUTO_FREE char *name = read_key(item.key);
                AUTO_FREE char *value = NULL;
                if (name == NULL || !is_variable_name(name) || strncmp(name, "WARREN_", 7) == 0)
                        return read_refuse(r, &here, item.key.data - 1,
                                           "not a variable's name that may be set");
                if (bytes_equal_text(item.value.raw, "\"\"")) /* a variable may be empty */
                        value = xstrdup("");
                else if (read_text(r, &here, m, &value) != 0)
                        return -1;
                *env = xrealloc(*env, (count + 2) * sizeof(char *));
                (*env)[count++] = xasprintf("%s=%s", name, value);
                (*env)[count] = NULL;
        }
        return 0;
}

/* clang-format off */
#define COMMON_MEMBERS \
        {"timeout", read_duration, offsetof(struct handler, timeout), (double)JOB_TIMEOUT_MIN, \
         (double)JOB_TIMEOUT_MAX, false}, \
        {"grace", read_duration, offsetof(struct handler, grace), 0, (double)GRACE_MAX, false}, \
        {"concurrency", read_integer, offsetof(struct handler, concurrency), 1, \
         CONCURRENCY_MAX, false}, \
        {"on_link_loss", read_link_loss, offsetof(struct handler, stop_on_link_loss), 0, 0, \
         false}, \
        {"retry", read_retry, offsetof(struct handler, retry), 0, 0, false}
/* clang-format on */

static const struct member plugin_type_members[] = {
        {"plugin", read_plugin_name, offsetof(struct handler, plugin), 0, 0, true},
        {"handler", read_handler_name, offsetof(struct handler, plugin_handler), 0, 0, true},
        COMMON_MEMBERS,
        {0},
};

static const struct member exec_type_members[] = {
        {"exec", read_texts, offsetof(struct handler, exec), 0, 0, true},
        {"env", read_env, offsetof(struct handler, env), 0, 0, false},
        {"memory", read_size, offsetof(struct handler, memory), MEMORY_MIN, MEMORY_MAX, false},
        {"output", read_size, offsetof(struct handler, output), 1, OUTPUT_MAX, false},
        COMMON_MEMBERS,
        {0},
};

/* Exactly one of plugin, exec and http names the kind. */
static const struct member *members_of_kind(const struct reading *r, const struct place *p,
                                            enum handler_kind *kind)
{
        struct scan_value plugin, exec, http;
        bool has_plugin = scan_find(p->value, "plugin", &plugin);
        bool has_exec = scan_find(p->value, "exec", &exec);

        if (scan_find(p->value, "http", &http)) {
                read_refuse(r, p, http.raw.data,
                            "handlers of kind http are not part of this version");
                return NULL;
        }
        if (has_plugin == has_exec) {
                read_refuse(r, p, NULL, "exactly one of \"plugin\" and \"exec\" must be given");
                return NULL;
        }
        *kind = has_plugin ? HANDLER_PLUGIN : HANDLER_EXEC;
        return has_plugin ? plugin_type_members : exec_type_members;
}

static struct entry *add_entry(struct handlers *set, const struct defaults *defaults)
{
        struct entry *entry = xcalloc(1, sizeof(*entry));

        entry->handler = (struct handler){
                .env = xcalloc(1, sizeof(char *)),
                .folder = xstrdup(set->folder),
                .output = OUTPUT_DEFAULT,
                .timeout = defaults->timeout,
                .grace = defaults->grace,
                .stop_on_link_loss = defaults->stop_on_link_loss,
                .retry = defaults->retry,
                .set = set,
        };
        set->entries = xrealloc(set->entries, (set->entry_count + 1) * sizeof(struct entry *));
        set->entries[set->entry_count++] = entry;
        return entry;
}

static int read_type(const struct reading *r, const struct place *p)
{
        struct loading *loading = loading_of(r);
        AUTO_FREE char *type = read_key(p->key);

        if (type == NULL || !job_type_is_valid(bytes_of_text(type)))
                return read_refuse(r, p, p->key.data - 1,
                                   "a job type has the form [a-z0-9][a-z0-9._-]{0,63}");
        if (read_is(r, p, SCAN_OBJECT) != 0)
                return -1;

        struct entry *entry = add_entry(loading->set, &loading->defaults);
        memcpy(entry->handler.type, type, strlen(type) + 1);
        HASH_ADD_STR(loading->set->by_type, handler.type, entry);
        const struct member *members = members_of_kind(r, p, &entry->handler.kind);
        if (members == NULL)
                return -1;
        return read_object(r, p, members, &entry->handler);
}

static int read_types(const struct reading *r, const struct place *p, const struct member *m,
                      void *out)
{
        (void)m;
        (void)out;
        return read_each(r, p, read_type);
}

/* The order matters: a type looks its plugin and its defaults up. */
static const struct member root_members[] = {
        {"plugins", read_plugins, 0, 0, 0, false},
        {"defaults", read_defaults, 0, 0, 0, false},
        {"types", read_types, 0, 0, 0, true},
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

        if (read_file(path, &text, e) != 0)
                return -1;
        if (scan_check(buffer_bytes(&text), SCAN_DEPTH_MAX, &fault) != 0)
                return err_set(e, ERR_INVALID, "%s:%u:%u: %s: %s", path, fault.line, fault.column,
                               fault.pointer[0] != '\0' ? fault.pointer : "/", fault.detail);

        struct reading r = {.path = path, .text = buffer_bytes(&text), .owner = loading, .e = e};
        struct place root = {.value = scan_root(r.text)};
        return read_object(&r, &root, root_members, NULL);
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
                .defaults = {.timeout = JOB_TIMEOUT_DEFAULT,
                             .grace = GRACE_DEFAULT,
                             .retry = RETRY_POLICY_DEFAULT},
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

static void free_texts(char **texts)
{
        for (char **text = texts; texts != NULL && *text != NULL; text++)
                free(*text);
        free(texts);
}

static void free_plugin(struct plugin *p)
{
        free(p->name);
        free(p->file);
        free(p->settings);
        free(p);
}

static void free_entry(struct entry *entry)
{
        free(entry->handler.plugin_handler);
        free(entry->handler.folder);
        free_texts(entry->handler.exec);
        free_texts(entry->handler.env);
        free(entry);
}

void handlers_destroy(struct handlers **h)
{
        struct handlers *set = *h;

        *h = NULL;
        if (set == NULL || --set->references > 0)
                return;
        HASH_CLEAR(hh, set->by_type);
        for (size_t i = 0; i < set->entry_count; i++)
                free_entry(set->entries[i]);
        for (size_t i = 0; i < set->plugin_count; i++)
                free_plugin(set->plugins[i]);
        free(set->entries);
        free(set->plugins);
        free(set->folder);
        free(set);
}

const struct handler *handlers_find(const struct handlers *h, const char *type)
{
        struct entry *entry;

        HASH_FIND_STR(h->by_type, type, entry);
        return entry != NULL ? &entry->handler : NULL;
}

size_t handlers_count(const struct handlers *h)
{
        return h->entry_count;
}

const struct handler *handlers_at(const struct handlers *h, size_t index)
{
        return &h->entries[index]->handler;
}

size_t handlers_plugin_count(const struct handlers *h)
{
        return h->plugin_count;
}

const struct plugin *handlers_plugin_at(const struct handlers *h, size_t index)
{
        return h->plugins[index];
}
