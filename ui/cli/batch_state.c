/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_state.c: how far a batch was submitted.
 */
#include "ui/cli/batch_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { STATE_VERSION = 1, STATE_MAX = 4096 };

static const struct json_member version_member[] = {
        {"version", json_read_int, JSON_AT(struct batch_state, version), .least = 1,
         .most = INT64_MAX, .flags = JSON_REQUIRED},
        {0},
};

#define COUNT_MEMBER(name) \
        { \
#name, json_read_int, JSON_AT(struct batch_state, name), \
                        .least = 0, .most = INT64_MAX, .flags = JSON_REQUIRED \
        }

static const struct json_member members[] = {
        {"version", json_read_int, JSON_AT(struct batch_state, version), .least = STATE_VERSION,
         .most = STATE_VERSION, .flags = JSON_REQUIRED},
        {"key", json_read_copy, JSON_AT(struct batch_state, key), .flags = JSON_REQUIRED},
        {"url", json_read_copy, JSON_AT(struct batch_state, url), .flags = JSON_REQUIRED},
        COUNT_MEMBER(size),
        {"changed", json_read_int, JSON_AT(struct batch_state, changed), .least = INT64_MIN,
         .most = INT64_MAX, .flags = JSON_REQUIRED},
        COUNT_MEMBER(done),
        COUNT_MEMBER(accepted),
        COUNT_MEMBER(refused),
        COUNT_MEMBER(since),
        {0},
};

static int read_text(const char *path, struct bytes text, struct batch_state *s, struct err *e)
{
        struct scan_fault fault = {0};
        struct json_reader lenient = {.fault = &fault, .lenient = true};
        struct json_reader reader = {.fault = &fault};
        struct json_place root;

        *s = (struct batch_state){0};
        if (json_read_open(&lenient, text, SCAN_DEPTH_MAX, &root) < 0 ||
            json_read_members(&lenient, &root, version_member, s) < 0)
                return err_set(e, ERR_CORRUPT, "%s: %s", path, fault.detail);
        if (s->version > STATE_VERSION)
                return err_set(e, ERR_CONFLICT, "%s is of a later version of this command", path);
        if (json_read_open(&reader, text, SCAN_DEPTH_MAX, &root) < 0 ||
            json_read_members(&reader, &root, members, s) < 0)
                return err_set(e, ERR_CORRUPT, "%s: %s %s", path, fault.pointer, fault.detail);
        const char *wrong = batch_key_fault(s->key);
        if (*wrong != '\0')
                return err_set(e, ERR_CORRUPT, "%s: key %s", path, wrong);
        return 1;
}

char *batch_state_path(const char *input)
{
        return xasprintf("%s.warren-batch", input);
}

static bool is_at(const struct stat *file, const char *path)
{
        struct stat other;

        return stat(path, &other) == 0 && other.st_dev == file->st_dev &&
               other.st_ino == file->st_ino;
}

bool batch_state_is(const char *input, int fd)
{
        AUTO_FREE char *path = batch_state_path(input);
        AUTO_FREE char *fresh = file_replace_path(path);
        struct stat file;

        return fstat(fd, &file) == 0 && (is_at(&file, path) || is_at(&file, fresh));
}

int batch_state_load(const char *path, struct batch_state *s, struct err *e)
{
        char text[STATE_MAX];
        AUTO_FCLOSE FILE *file = fopen(path, "re");

        if (file == NULL && errno == ENOENT)
                return 0;
        if (file == NULL)
                return err_set_errno(e, "%s", path);
        size_t length = fread(text, 1, sizeof(text), file);
        if (ferror(file))
                return err_set_errno(e, "%s", path);
        return read_text(path, bytes_of(text, length), s, e);
}

int batch_state_save(const char *path, const struct batch_state *s, struct err *e)
{
        AUTO_BUFFER out = {0};

        json_begin(&out);
        json_put_int(&out, "version", STATE_VERSION);
        json_put_string(&out, "key", s->key);
        json_put_string(&out, "url", s->url);
        json_put_int(&out, "size", s->size);
        json_put_int(&out, "changed", s->changed);
        json_put_int(&out, "done", s->done);
        json_put_int(&out, "accepted", s->accepted);
        json_put_int(&out, "refused", s->refused);
        json_put_int(&out, "since", s->since);
        json_end(&out);
        buffer_add_char(&out, '\n');
        return file_replace(path, out.data, e);
}

int batch_state_check(const struct batch_state *old, const struct batch_state *now, struct err *e)
{
        if (old->size != now->size || old->changed != now->changed)
                return err_set(e, ERR_CONFLICT, "the file was changed after its submission began");
        if (old->done > 0 && strcmp(old->url, now->url) != 0)
                return err_set(e, ERR_CONFLICT, "its submission began at another gateway, %s",
                               old->url);
        if (now->key[0] != '\0' && strcmp(old->key, now->key) != 0)
                return err_set(e, ERR_CONFLICT, "its submission began with another key, %s",
                               old->key);
        if (old->since != 0 && now->since - old->since > BATCH_KEY_GOOD)
                return err_set(e, ERR_CONFLICT,
                               "its submission stopped more than 23 h ago, with jobs whose outcome "
                               "is unknown, and the gateway keeps keys for 24 h");
        return 0;
}
