/* SPDX-License-Identifier: Apache-2.0
 *
 * files.c: a sorted list of files in memory, each with its type and its ETag.
 */
#include "common/http/files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int read_content(struct http_files *f, const char *path, struct buffer *out, struct err *e)
{
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
                return err_set_errno(e, "cannot open %s", path);
        for (ssize_t got = 1; got > 0;) {
                buffer_reserve(out, READ_STEP);
                got = read(fd, out->data + out->length, READ_STEP);
                if (got < 0)
                        return err_set_errno(e, "cannot read %s", path);
                if ((size_t)got > f->room)
                        return err_set(e, ERR_TOO_LARGE, "the files are too large together: %s",
                                       path);
                out->length += (size_t)got;
                f->room -= (size_t)got;
        }
        return 0;
}

static int add_file(struct http_files *f, const char *path, const char *name, struct err *e)
{
        if (f->count == FILES_MAX)
                return err_set(e, ERR_TOO_LARGE, "more than %d files", FILES_MAX);
        f->at = xrealloc(f->at, (f->count + 1) * sizeof(*f->at));
        struct http_file *file = &f->at[f->count++];
        *file = (struct http_file){.name = xstrdup(name), .content_type = content_type(name)};
        if (read_content(f, path, &file->content, e) < 0)
                return -1;
        return make_etag(file, e);
}

static int add_entry(struct http_files *f, FTS *tree, FTSENT *at, const char *folder, struct err *e)
{
        bool inside = at->fts_level > 0;

        if (inside && (at->fts_name[0] == '.' || at->fts_level > PATH_SEGMENTS_MAX)) {
                fts_set(tree, at, FTS_SKIP);
                return 0;
        }
        if (!inside && at->fts_info != FTS_D && at->fts_info != FTS_DP && at->fts_errno == 0)
                at->fts_errno = ENOTDIR;
        errno = at->fts_errno;
        if (errno != 0)
                return err_set_errno(e, "cannot open %s", at->fts_path);
        if (at->fts_info != FTS_F)
                return 0;
        const char *name = at->fts_path + strlen(folder);
        return add_file(f, at->fts_path, name + strspn(name, "/"), e);
}

static int add_folder(struct http_files *f, const char *folder, struct err *e)
{
        char *const folders[] = {(char *)folder, NULL};
        FTS *tree = fts_open(folders, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
        int result = 0;

        if (tree == NULL)
                return err_set_errno(e, "cannot open %s", folder);
        for (FTSENT *at; result == 0 && (at = fts_read(tree)) != NULL;)
                result = add_entry(f, tree, at, folder, e);
        if (result == 0 && errno != 0) /* fts_read sets it to 0 at the end */
                result = err_set_errno(e, "cannot read %s", folder);
        fts_close(tree);
        return result;
}

static int compare(const void *a, const void *b)
{
        return strcmp(((const struct http_file *)a)->name, ((const struct http_file *)b)->name);
}

struct http_files *http_files_create(const char *folder, size_t max, struct err *e)
{
        AUTO(http_files) f = xcalloc(1, sizeof(*f));

        f->room = max;
        if (add_folder(f, folder, e) < 0)
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
