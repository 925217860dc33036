/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c: a sorted list of files in memory, each with its type and its ETag.
 */
#include "common/http/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/answer.h"

enum { FILES_MAX = 1000, ETAG_BYTES = 16, ETAG_SIZE = 2 * ETAG_BYTES + 3, READ_STEP = 65536 };

struct http_file {
        char *name; /* "screens/jobs.js" */
        const char *content_type;
        char etag[ETAG_SIZE]; /* with its quotes */
        struct buffer content;
};

struct http_files {
        struct http_file *at; /* by name */
        size_t count, room;   /* room: bytes that may still be read */
};

static const char *content_type(const char *name)
{
        static const struct {
                const char *ending, *type;
        } types[] = {
                {".html", "text/html; charset=utf-8"},
                {".css", "text/css; charset=utf-8"},
                {".js", "text/javascript; charset=utf-8"},
                {".mjs", "text/javascript; charset=utf-8"},
                {".json", "application/json"},
                {".map", "application/json"},
                {".txt", "text/plain; charset=utf-8"},
                {".svg", "image/svg+xml"},
                {".png", "image/png"},
                {".ico", "image/x-icon"},
                {".webp", "image/webp"},
                {".woff2", "font/woff2"},
        };
        const char *ending = strrchr(name, '.');

        for (size_t i = 0; ending != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
                if (strcmp(ending, types[i].ending) == 0)
                        return types[i].type;
        }
        return "application/octet-stream";
}

static int make_etag(struct http_file *file, struct err *e)
{
        unsigned char digest[EVP_MAX_MD_SIZE];

        if (EVP_Digest(file->content.data, file->content.length, digest, NULL, EVP_sha256(),
                       NULL) != 1)
                return err_set(e, ERR_SYSTEM, "SHA-256 is not available");
        file->etag[0] = '"';
        for (size_t i = 0; i < ETAG_BYTES; i++)
                snprintf(file->etag + 1 + 2 * i, 3, "%02x", digest[i]);
        file->etag[ETAG_SIZE - 2] = '"';
        return 0;
}

static int read_content(struct http_files *f, int fd, struct buffer *out, const char *name,
                        struct err *e)
{
        for (ssize_t got = 1; got > 0;) {
                buffer_reserve(out, READ_STEP);
                got = read(fd, out->data + out->length, READ_STEP);
                if (got < 0)
                        return err_set_errno(e, "cannot read %s", name);
                if ((size_t)got > f->room)
                        return err_set(e, ERR_TOO_LARGE, "the files are too large together: %s",
                                       name);
                out->length += (size_t)got;
                f->room -= (size_t)got;
        }
        return 0;
}

static int add_file(struct http_files *f, int fd, const char *name, struct err *e)
{
        if (f->count == FILES_MAX)
                return err_set(e, ERR_TOO_LARGE, "more than %d files", FILES_MAX);
        f->at = xrealloc(f->at, (f->count + 1) * sizeof(*f->at));
        struct http_file *file = &f->at[f->count++];
        *file = (struct http_file){.name = xstrdup(name), .content_type = content_type(name)};
        if (read_content(f, fd, &file->content, name, e) < 0)
                return -1;
        return make_etag(file, e);
}

static int add_folder(struct http_files *f, int fd, const char *prefix, unsigned depth,
                      struct err *e);

static int add_entry(struct http_files *f, int folder, const char *entry, const char *prefix,
                     unsigned depth, struct err *e)
{
        AUTO_FREE char *name = xasprintf("%s%s", prefix, entry);
        AUTO_CLOSE int fd = openat(folder, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat is;

        if (fd < 0 && errno == ELOOP)
                return 0;
        if (fd < 0 || fstat(fd, &is) != 0)
                return err_set_errno(e, "cannot open %s", name);
        if (S_ISREG(is.st_mode))
                return add_file(f, fd, name, e);
        if (!S_ISDIR(is.st_mode) || depth == PATH_SEGMENTS_MAX)
                return 0;
        AUTO_FREE char *inner = xasprintf("%s/", name);
        return add_folder(f, own_take_fd(&fd), inner, depth + 1, e);
}

/* Takes fd. */
static int add_folder(struct http_files *f, int fd, const char *prefix, unsigned depth,
                      struct err *e)
{
        DIR *folder = fdopendir(fd);
        int result = 0;

        if (folder == NULL) {
                close(fd);
                return err_set_errno(e, "cannot read a folder of files");
        }
        for (struct dirent *entry; result == 0 && (entry = readdir(folder)) != NULL;) {
                if (entry->d_name[0] != '.')
                        result = add_entry(f, fd, entry->d_name, prefix, depth, e);
        }
        closedir(folder);
        return result;
}

static int compare(const void *a, const void *b)
{
        return strcmp(((const struct http_file *)a)->name, ((const struct http_file *)b)->name);
}

struct http_files *http_files_create(const char *folder, size_t max, struct err *e)
{
        AUTO(http_files) f = xcalloc(1, sizeof(*f));
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        f->room = max;
        if (fd < 0) {
                err_set_errno(e, "cannot open %s", folder);
                return NULL;
        }
        if (add_folder(f, fd, "", 1, e) < 0)
                return NULL;
        if (f->count > 0)
                qsort(f->at, f->count, sizeof(*f->at), compare);
        return TAKE(f);
}

void http_files_destroy(struct http_files **f)
{
        if (*f == NULL)
                return;
        for (size_t i = 0; i < (*f)->count; i++) {
                free((*f)->at[i].name);
                buffer_fini(&(*f)->at[i].content);
        }
        free((*f)->at);
        free(*f);
        *f = NULL;
}

const struct http_file *files_find(const struct http_files *f, const struct path *path)
{
        AUTO_BUFFER name = {0};
        struct http_file wanted = {0};

        if (f == NULL || f->count == 0)
                return NULL;
        for (size_t i = 0; i < path->count; i++) {
                if (strchr(path->segments[i], '/') != NULL) /* from an escape */
                        return NULL;
                if (i > 0)
                        buffer_add_char(&name, '/');
                buffer_add_text(&name, path->segments[i]);
        }
        wanted.name = name.length > 0 ? name.data : "index.html";
        return bsearch(&wanted, f->at, f->count, sizeof(*f->at), compare);
}

/* list: If-None-Match, `*` or a list of ETags, in which weak ones count too. */
static bool client_has(const char *list, const char *etag)
{
        size_t length = strlen(etag);

        for (const char *at = list; at != NULL && *at != '\0';) {
                at += strspn(at, " \t,");
                if (*at == '*')
                        return true;
                if (strncmp(at, "W/", 2) == 0)
                        at += 2;
                if (strncmp(at, etag, length) == 0)
                        return true;
                at = strchr(at, ',');
        }
        return false;
}

void files_answer(struct http_request *r, const struct http_file *file)
{
        bool has = client_has(http_header(r, "If-None-Match"), file->etag);

        http_add_header(r, "ETag", "%s", file->etag);
        answer_give(r, &(struct answer_text){
                               .status = has ? 304 : 200,
                               .content_type = has ? NULL : file->content_type,
                               .body = has ? bytes_of("", 0) : buffer_bytes(&file->content),
                               .cache_control = "no-cache",
                       });
}
