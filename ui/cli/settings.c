/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c: reading the command's environment and file.
 */
#include "ui/cli/settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/bytes.h"
#include "common/base/config_source.h"
#include "common/base/hex.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/client.h"

enum { LINE_SIZE = 4096 };
#define URL_DEFAULT "http://127.0.0.1:8080"

static const struct {
        const char *key, *variable;
        size_t offset;
} keys[] = {
        {"url", "WARREN_URL", offsetof(struct settings, url)},
        {"api_key", "WARREN_API_KEY", offsetof(struct settings, api_key)},
        {"admin_key", "WARREN_ADMIN_KEY", offsetof(struct settings, admin_key)},
        {"admin_amqp_url", "WARREN_ADMIN_AMQP_URL", offsetof(struct settings, admin_amqp_url)},
        {"management_url", "WARREN_MANAGEMENT_URL", offsetof(struct settings, management_url)},
};
enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

static char **field(struct settings *s, size_t key)
{
        return (char **)(void *)((char *)s + keys[key].offset);
}

static void set(struct settings *s, size_t key, const char *text)
{
        free(*field(s, key));
        *field(s, key) = *text == '\0' ? NULL : xstrdup(text);
}

static int take_line(struct settings *s, char *line, struct err *e)
{
        char *key, *value;

        if (config_line_split(line, &key, &value, e) < 0)
                return -1;
        if (*key == '\0')
                return 0;
        for (size_t i = 0; i < KEY_COUNT; i++) {
                if (strcmp(keys[i].key, key) == 0) {
                        set(s, i, value);
                        return 0;
                }
        }
        return err_set(e, ERR_INVALID, "there is no setting '%.60s'", key);
}

/* The file holds keys, so others must not be able to read it. */
static int check_private(FILE *file, struct err *e)
{
        struct stat info;

        if (fstat(fileno(file), &info) < 0)
                return err_set_errno(e, "stat");
        if ((info.st_mode & S_IRWXO) != 0)
                return err_set(e, ERR_INVALID, "others can read it: chmod o= it");
        return 0;
}

static int take_file(struct settings *s, FILE *file, struct err *e)
{
        char line[LINE_SIZE];

        if (check_private(file, e) < 0)
                return -1;
        for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
                if (strlen(line) == sizeof(line) - 1)
                        return err_set(e, ERR_TOO_LARGE, "line %u is too long", number);
                if (take_line(s, line, e) < 0)
                        return err_wrap(e, "line %u", number);
        }
        return 0;
}

/* NULL when HOME is not set. Owned. */
static char *default_file(void)
{
        const char *folder = getenv("XDG_CONFIG_HOME");
        const char *home = getenv("HOME");

        if (folder != NULL && *folder != '\0')
                return xasprintf("%s/warren/config", folder);
        return home == NULL ? NULL : xasprintf("%s/.config/warren/config", home);
}

static int load_file(struct settings *s, const char *given, struct err *e)
{
        AUTO_FREE char *path = given != NULL ? xstrdup(given) : default_file();

        if (path == NULL)
                return 0;
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (file == NULL && given == NULL && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (file == NULL)
                return err_set_errno(e, "%s", path);
        return take_file(s, file, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* A line break in a key or URL would inject a header into requests. */
static int check_texts(struct settings *s, struct err *e)
{
        for (size_t i = 0; i < KEY_COUNT; i++) {
                const char *text = *field(s, i);
                for (const char *c = text; c != NULL && *c != '\0'; c++) {
                        if ((unsigned char)*c <= ' ' || *c == 0x7f)
                                return err_set(e, ERR_INVALID,
                                               "%s contains a space or a control character",
                                               keys[i].variable);
                }
        }
        return 0;
}

/* Cuts `suffix` and slashes off the end: people paste what a browser or another program shows. */
static void cut_path(char *url, const char *suffix)
{
        char *host = strstr(url, "://");
        char *path = host == NULL ? NULL : strchr(host + 3, '/');

        if (path == NULL)
                return;
        size_t length = strlen(path), cut = strlen(suffix);
        while (length > 0 && path[length - 1] == '/')
                length--;
        if (length >= cut && memcmp(path + length - cut, suffix, cut) == 0)
                length -= cut;
        while (length > 0 && path[length - 1] == '/')
                length--;
        path[length] = '\0';
}

int settings_load(struct settings *s, const char *file, const char *url, struct err *e)
{
        if (load_file(s, file, e) < 0)
                return -1;
        for (size_t i = 0; i < KEY_COUNT; i++) {
                const char *value = getenv(keys[i].variable);
                if (value != NULL && *value != '\0')
                        set(s, i, value);
        }
        if (url != NULL)
                set(s, 0, url);
        if (s->url == NULL)
                s->url = xstrdup(URL_DEFAULT);
        if (check_texts(s, e) < 0)
                return -1;
        cut_path(s->url, "/api/v1");
        if (s->management_url != NULL)
                cut_path(s->management_url, "/api");
        return http_url_check(s->url, e) < 0 ? err_wrap(e, "WARREN_URL") : 0;
}

static void wipe(char **text)
{
        if (*text != NULL)
                explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
}

void settings_fini(struct settings *s)
{
        for (size_t i = 0; i < KEY_COUNT; i++)
                wipe(field(s, i));
}

void url_login_fini(struct url_login *u)
{
        wipe(&u->url);
        wipe(&u->login);
        wipe(&u->password);
}

/* Percent-decodes; an invalid escape stays unchanged. Owned. */
static char *decode(const char *text, size_t length)
{
        char *out = xmemdup0(text, length);
        size_t to = 0;

        for (size_t at = 0; at < length; at++) {
                bool escape = out[at] == '%' && at + 2 < length && hex_value(out[at + 1]) >= 0 &&
                              hex_value(out[at + 2]) >= 0;
                if (escape) {
                        out[to++] = (char)(hex_value(out[at + 1]) * 16 + hex_value(out[at + 2]));
                        at += 2;
                } else {
                        out[to++] = out[at];
                }
        }
        out[to] = '\0';
        return out;
}

int url_login_split(const char *text, struct url_login *out, struct err *e)
{
        const char *host = strstr(text, "://");

        if (host == NULL || host == text)
                return err_set(e, ERR_INVALID, "not a URL");
        host += 3;
        size_t authority = strcspn(host, "/?#");
        const char *at = memrchr(host, '@', authority);
        if (at == NULL) {
                out->url = xstrdup(text);
                return 0;
        }
        const char *colon = memchr(host, ':', (size_t)(at - host));
        const char *login_end = colon == NULL ? at : colon;
        out->login = decode(host, (size_t)(login_end - host));
        if (colon != NULL)
                out->password = decode(colon + 1, (size_t)(at - colon) - 1);
        out->url = xasprintf("%.*s%s", (int)(host - text), text, at + 1);
        return 0;
}

char *url_vhost(const char *url)
{
        const char *host = strstr(url, "://");
        const char *path = host == NULL ? NULL : strchr(host + 3, '/');

        if (path == NULL || path[1] == '\0')
                return xstrdup("/");
        return decode(path + 1, strcspn(path + 1, "?#"));
}
