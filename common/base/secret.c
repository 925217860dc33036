/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.c: random secrets; reads the files of secrets.
 */
#include "common/base/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"

enum { SECRET_MAX = 4096 };

void secret_random(char out[SECRET_RANDOM_SIZE])
{
        unsigned char raw[(SECRET_RANDOM_SIZE - 1) / 2];

        random_fill(raw, sizeof(raw));
        for (size_t i = 0; i < sizeof(raw); i++)
                snprintf(out + 2 * i, 3, "%02x", raw[i]);
        explicit_bzero(raw, sizeof(raw));
}

/* Owner and group may have access to the file, others not. */
static int secret_check(int fd, const char *path, struct err *e)
{
        struct stat info;

        if (fstat(fd, &info) < 0)
                return err_set_errno(e, "%s", path);
        if (!S_ISREG(info.st_mode))
                return err_set(e, ERR_INVALID, "%s: not a regular file", path);
        if ((info.st_mode & S_IRWXO) != 0)
                return err_set(e, ERR_INVALID, "%s: others can read it: chmod o= it", path);
        if (info.st_size > SECRET_MAX)
                return err_set(e, ERR_TOO_LARGE, "%s: a secret has at most %d bytes", path,
                               SECRET_MAX);
        return 0;
}

char *secret_read(const char *path, struct err *e)
{
        char text[SECRET_MAX + 2];
        size_t length = 0;
        ssize_t got;

        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) {
                err_set_errno(e, "%s", path);
                return NULL;
        }
        if (secret_check(fd, path, e) < 0)
                return NULL;
        while ((got = read(fd, text + length, sizeof(text) - length)) > 0)
                length += (size_t)got;

        char *secret = NULL;
        if (length > 0 && text[length - 1] == '\n')
                length--;
        if (got < 0)
                err_set_errno(e, "%s", path);
        else if (length > SECRET_MAX)
                err_set(e, ERR_TOO_LARGE, "%s: a secret has at most %d bytes", path, SECRET_MAX);
        else if (length == 0)
                err_set(e, ERR_INVALID, "%s: empty", path);
        else if (utf8_begins_with_bom(text, length))
                err_set(e, ERR_INVALID, "%s: " UTF8_BOM_REFUSAL, path);
        else if (memchr(text, '\0', length) != NULL)
                err_set(e, ERR_INVALID, "%s: holds a NUL", path);
        else
                secret = xmemdup0(text, length);
        explicit_bzero(text, sizeof(text));
        return secret;
}
