/* SPDX-License-Identifier: Apache-2.0
 *
 * db.c: SQLite with this project's errors and ownership.
 */
#include "common/db/db.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* secure_delete is on by default in Debian's SQLite, and overwrites every freed page. mmap counts
 * as resident memory for each connection, so the readers, which are many, do not use it. */
static const char *const mode_sql[] = {
        [DB_PROJECTION] = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF;"
                          "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 134217728;"
                          "PRAGMA cache_size = -32000; PRAGMA mmap_size = 33554432;"
                          "PRAGMA temp_store = MEMORY;",
        [DB_PRIMARY] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                       "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
        [DB_ARCHIVE] = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA "
                       "synchronous = FULL;"
                       "PRAGMA secure_delete = OFF; PRAGMA foreign_keys = ON;"
                       "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"
                       "PRAGMA mmap_size = 67108864;",
        [DB_READ_ONLY] = "PRAGMA query_only = ON; PRAGMA cache_size = -4000;"
                         "PRAGMA temp_store = MEMORY;",
};

static int fail(sqlite3 *db, struct err *e)
{
        int code = sqlite3_errcode(db) & 0xff;
        enum err_code ours = ERR_SYSTEM;
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL ||
            code == SQLITE_INTERRUPT)
                ours = ERR_UNAVAILABLE;
        else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
                ours = ERR_CORRUPT;
        else if (code == SQLITE_CONSTRAINT)
                ours = ERR_CONFLICT;
        return err_set(e, ours, "database: %s", sqlite3_errmsg(db));
}

/* A file of an earlier version may be readable by others. */
static int keep_private(const char *file, struct err *e)
{
        struct stat s;

        if (stat(file, &s) != 0 || (s.st_mode & 077) == 0 || chmod(file, 0600) == 0)
                return 0;
        return err_set_errno(e, "%s is accessible to others, and its mode cannot be changed", file);
}

/* Mode 0600 with any umask. SQLite gives -wal and -shm the mode of the database. */
static int create_private(const char *path, struct err *e)
{
        static const char *const beside[] = {"", "-wal", "-shm"};
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (fd >= 0) {
                close(fd);
                return 0;
        }
        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
                AUTO_FREE char *file = xasprintf("%s%s", path, beside[i]);
                if (keep_private(file, e) != 0)
                        return -1;
        }
        return 0;
}

/* SQLite counts its memory unless told otherwise, under a mutex of the whole process: a tenth of
 * what writing costs. */
static void configure(void)
{
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

sqlite3 *db_open(const char *path, enum db_mode mode, struct err *e)
{
        static pthread_once_t configured = PTHREAD_ONCE_INIT;
        (void)pthread_once(&configured, configure);
        int flags = mode == DB_READ_ONLY ? SQLITE_OPEN_READONLY
                                         : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        sqlite3 *db = NULL;
        if (mode != DB_READ_ONLY && create_private(path, e) != 0)
                return NULL;
        if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
                (void)err_set(e, ERR_SYSTEM, "cannot open %s: %s", path, sqlite3_errmsg(db));
                db_close(&db);
                return NULL;
        }
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, 10000);
        if (db_exec(db, mode_sql[mode], e) != 0) {
                (void)err_wrap(e, "%s", path);
                db_close(&db);
        }
        return db;
}

void db_close(sqlite3 **db)
{
        sqlite3_close_v2(*db);
        *db = NULL;
}

int db_exec(sqlite3 *db, const char *sql, struct err *e)
{
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                return fail(db, e);
        return 0;
}

sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql, struct err *e)
{
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
                (void)fail(db, e);
        return s;
}

void db_finalize(sqlite3_stmt **s)
{
        sqlite3_finalize(*s);
        *s = NULL;
}

int db_step(sqlite3_stmt *s, struct err *e)
{
        if (s == NULL)
                return -1;
        int code = sqlite3_step(s);
        if (code == SQLITE_ROW)
                return 1;
        if (code == SQLITE_DONE)
                return 0;
        return fail(sqlite3_db_handle(s), e);
}

int db_run(sqlite3_stmt *s, struct err *e)
{
        int code = 1;
        while (code == 1)
                code = db_step(s, e);
        sqlite3_reset(s);
        return code;
}

int db_number(sqlite3 *db, const char *sql, int *number, struct err *e)
{
        AUTO_STATEMENT *s = db_prepare(db, sql, e);

        if (db_step(s, e) != 1)
                return -1;
        *number = sqlite3_column_int(s, 0);
        return 0;
}

void db_reset_(sqlite3_stmt **s)
{
        sqlite3_reset(*s);
}

void db_bind_int(sqlite3_stmt *s, int at, int64_t value)
{
        sqlite3_bind_int64(s, at, value);
}

void db_bind_int_or_null(sqlite3_stmt *s, int at, int64_t value)
{
        if (value == 0)
                sqlite3_bind_null(s, at);
        else
                sqlite3_bind_int64(s, at, value);
}

void db_bind_text(sqlite3_stmt *s, int at, const char *text)
{
        if (text == NULL || text[0] == '\0')
                sqlite3_bind_null(s, at);
        else
                sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *s, int at, const void *data, size_t length)
{
        if (length == 0)
                sqlite3_bind_null(s, at);
        else
                sqlite3_bind_blob64(s, at, data, length, SQLITE_STATIC);
}

struct bytes db_bytes(sqlite3_stmt *s, int column)
{
        const void *data = sqlite3_column_blob(s, column);
        return bytes_of(data, (size_t)sqlite3_column_bytes(s, column));
}

void db_text(sqlite3_stmt *s, int column, char *out, size_t size)
{
        struct bytes b = db_bytes(s, column);
        size_t length = b.length < size ? b.length : size - 1;
        if (length > 0)
                memcpy(out, b.data, length);
        out[length] = '\0';
}

static int vacuum_into(sqlite3 *db, const char *file, struct err *e)
{
        /* query_only would refuse VACUUM INTO, though that writes only another file. */
        if (db_exec(db, "PRAGMA query_only = OFF", e) != 0)
                return -1;
        AUTO_STATEMENT *s = db_prepare(db, "VACUUM INTO ?", e);
        if (s == NULL)
                return -1;
        db_bind_text(s, 1, file);
        return db_run(s, e);
}

int db_backup(const char *path, const char *file, struct err *e)
{
        AUTO_DB *db = db_open(path, DB_READ_ONLY, e);

        if (db == NULL)
                return -1;
        /* VACUUM INTO accepts an empty file. One that it makes could be readable by others. */
        AUTO_CLOSE int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_set_errno(e, "backup to %s", file);
        if (vacuum_into(db, file, e) == 0 && fsync(fd) == 0)
                return 0;
        if (!err_is_set(e))
                err_set_errno(e, "sync");
        unlink(file);
        return err_wrap(e, "backup to %s", file);
}
