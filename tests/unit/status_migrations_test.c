/* SPDX-License-Identifier: Apache-2.0
 *
 * status_migrations_test.c: status.db of each past version opens and still holds its rows, and a
 * rewound stream loses none.
 */
#include "tests/unit/status_rig.h"

#include <dirent.h>

#include "common/base/json_write.h"
#include "status-store/jobs/lookup.h"
#include "tests/unit/stored_db.h"

#define START ((msec)1764000000000)
#define ID(n) "019ab697-e800-7000-8000-00000000000" n
#define OUTSIDE "0d9b3c1e-2f60-4b7a-9c3d-5e8f7a6b1c08"

static const char *const ids[] = {ID("1"), ID("2"), ID("3"), ID("4"),
                                  ID("5"), ID("6"), ID("7"), OUTSIDE};
static const char *const versions[] = {"status-1", "status-2", "status-3", "status-4",
                                       "status-5", "status-6", "status-7", "status-8"};

static void tell(struct rig *r, const char *id, struct event e)
{
        AUTO_BUFFER line = {0};
        e.run = 1;
        memcpy(e.id, id, UUID_SIZE);
        memcpy(e.tenant, "acme", sizeof("acme"));
        e.worker = bytes_of_text("host/1");
        e.ms = 40;
        event_write(&e, &line);
        struct message m = {.exchange = bytes_of_text("events"),
                            .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                            .user_id = bytes_of_text("warren-consumer"),
                            .body = buffer_bytes(&line)};
        projection_fold(r->projection, &m, r->offset++);
}

static struct job mail(const char *id, msec at)
{
        struct job j = rig_job(id, at);
        snprintf(j.type, sizeof(j.type), "mail");
        j.priority = PRIORITY_HIGH;
        j.lane = LANE_HIGH;
        j.payload = bytes_of_text("{\"to\":\"b\"}");
        j.error_kind = ERROR_KIND_ERROR;
        return j;
}

static void retry(struct rig *r, const char *id, msec at)
{
        struct job_message m;
        struct job j = mail(id, START);
        j.attempt = 1;
        j.run_at = at + 1000;
        j.error = bytes_of_text("it broke");
        job_encode(&j, STATION_RETRY, at, &m);
        rig_fold(r, &m);
}

/* Folds the history that the stored databases are made of, except two jobs whose submission the
 * stream no longer held. */
static void tell_history(struct rig *r)
{
        struct job_message m;
        struct job first = rig_job(ID("1"), START);
        first.payload = bytes_of_text("{\"n\":1.50}");
        rig_submit(r, &first);
        tell(r, ID("1"), (struct event){.kind = EVENT_STARTED, .attempt = 1, .at = START + 10});
        tell(r, ID("1"),
             (struct event){.kind = EVENT_COMPLETED,
                            .attempt = 1,
                            .at = START + 50,
                            .result = bytes_of_text("{\"ok\":true}")});
        struct job second = mail(ID("2"), START + 1);
        rig_submit(r, &second);
        tell(r, ID("2"), (struct event){.kind = EVENT_STARTED, .attempt = 1, .at = START + 60});
        retry(r, ID("2"), START + 70);
        tell(r, ID("2"), (struct event){.kind = EVENT_STARTED, .attempt = 2, .at = START + 1100});
        second.attempt = 2;
        second.reason = REASON_EXHAUSTED;
        second.error = bytes_of_text("it broke for good");
        memcpy(second.burial, "019ab697-e800-7000-8000-0000000000b2", UUID_SIZE);
        job_encode(&second, STATION_BURIAL, START + 1200, &m);
        rig_fold(r, &m);
        rig_commit(r);
        struct job refused = rig_job(ID("7"), START + 4);
        rig_submit(r, &refused);
        tell(r, ID("7"), (struct event){.kind = EVENT_REJECTED, .attempt = 1, .at = START + 1900});
        struct job outside = rig_job(OUTSIDE, 0);
        outside.payload = bytes_of_text("[1]");
        job_encode(&outside, STATION_REPLAY, 0, &m);
        projection_fold(r->projection, &m.message, r->offset++);
        rig_commit(r);
}

/* Writes all that can be read of a job. */
static void write_job(struct reader *r, const char *id, struct buffer *out)
{
        struct err e = {0};
        struct stored_job job = {0};
        assert_int_equal(lookup_job(r, "acme", id, &job, &e), 1);
        buffer_add_text(out, job.row.shown ? "" : "hidden ");
        json_begin(out);
        assert_int_equal(lookup_write_job(r, &job, NULL, out, &e), 0);
        assert_int_equal(lookup_write_attempts(r, &job, out, &e), 0);
        json_end(out);
        buffer_add_char(out, '\n');
        stored_job_fini(&job);
}

static char *dump(const char *path)
{
        struct err e = {0};
        AUTO(readers) readers = readers_create(path, 1, &e);
        AUTO_READER *r = readers_take(readers, &e);
        AUTO_BUFFER out = {0};
        assert_non_null(r);
        for (size_t i = 0; i < COUNT(ids); i++)
                write_job(r, ids[i], &out);
        return buffer_take(&out);
}

/* Opens a stored database. New offsets follow those of the history. */
static void open_stored(struct rig *r, const char *name)
{
        struct err e = {0};
        *r = (struct rig){.offset = 20};
        place_open(&r->place);
        stored_db_make(r->place.path, name);
        r->store = store_create(r->place.path, &e);
        if (r->store == NULL)
                fail_msg("%s: %s", name, e.text);
        r->projection = projection_create(r->store, JOB_PAYLOAD_MAX_DEFAULT, &e);
        assert_non_null(r->projection);
}

/* Up to version 3 nothing recorded when an undated job came, so the line of that job is not
 * compared. */
static void assert_dump(const char *got, const char *want, const char *name)
{
        static const char outside[] = "{\"id\":\"" OUTSIDE;
        bool undated = strcmp(name, "status-4") < 0;
        while (*got != '\0' && *want != '\0') {
                size_t length = strcspn(got, "\n") + 1;
                size_t expected = strcspn(want, "\n") + 1;
                bool same = length == expected && memcmp(got, want, length) == 0;
                if (!same && !(undated && strncmp(got, outside, strlen(outside)) == 0)) {
                        print_error("%s got:  %.*s", name, (int)length, got);
                        print_error("%s want: %.*s", name, (int)expected, want);
                        fail();
                }
                got += length;
                want += expected;
        }
        assert_int_equal(*got, *want);
}

static void each_version_holds_its_rows(void **state)
{
        AUTO_FREE char *want = NULL;
        AUTO_FREE char *schema = NULL;
        struct rig r;
        (void)state;
        rig_open(&r);
        schema = stored_db_schema(r.place.path);
        rig_close(&r);
        for (size_t i = COUNT(versions); i-- > 0;) {
                open_stored(&r, versions[i]);
                AUTO_FREE char *got = dump(r.place.path);
                AUTO_FREE char *tables = stored_db_schema(r.place.path);
                assert_dump(tables, schema, versions[i]);
                assert_int_equal(projection_position(r.projection)->offset, 19);
                assert_int_equal(projection_position(r.projection)->clock, START + 2000);
                assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"),
                                 8);
                assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs WHERE told > 0"), 8);
                assert_int_equal(rig_number(&r, "SELECT count(*) FROM bodies"), 8);
                assert_int_equal(rig_number(&r, "SELECT count(*) FROM workers"), 1);
                rig_close(&r);
                if (want == NULL)
                        want = TAKE(got);
                else
                        assert_dump(got, want, versions[i]);
        }
        static const char *const parts[] = {
                "\"payload\":{\"n\":1.50}",
                "\"result\":{\"ok\":true}",
                "\"status\":\"dead\"",
                "\"error\":\"it broke for good\"",
                "\"status\":\"scheduled\"",
                "\"payload\":[1]",
                "\"status\":\"running\"",
                "\"status\":\"failed\"",
                "\nhidden ",
        };
        for (size_t i = 0; i < COUNT(parts); i++)
                if (strstr(want, parts[i]) == NULL)
                        fail_msg("no %s in\n%s", parts[i], want);
}

/* The running job is given up, although it had published progress; then it runs again and ends. */
static void each_version_goes_on(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(versions); i++) {
                struct rig r;
                open_stored(&r, versions[i]);
                tell(&r, ID("3"),
                     (struct event){.kind = EVENT_RELEASED,
                                    .attempt = 1,
                                    .lost = true,
                                    .after = START + 1400,
                                    .at = START + 3000});
                rig_commit(&r);
                assert_int_equal(rig_number(&r, "SELECT state FROM jobs WHERE seq = 9 * 4096"),
                                 STATUS_PENDING);
                tell(&r, ID("3"),
                     (struct event){.kind = EVENT_STARTED, .attempt = 1, .at = START + 4000});
                tell(&r, ID("3"),
                     (struct event){.kind = EVENT_COMPLETED, .attempt = 1, .at = START + 4100});
                retry(&r, OUTSIDE, START + 5000);
                rig_commit(&r);
                assert_int_equal(rig_number(&r, "SELECT state FROM jobs WHERE seq = 9 * 4096"),
                                 STATUS_COMPLETED);
                assert_int_equal(rig_number(&r, "SELECT count(*) FROM others"), 1);
                assert_int_equal(rig_number(&r, "SELECT completed FROM counters WHERE tenant = 0"),
                                 2);
                rig_close(&r);
        }
}

/* Version 1 had other event digests, so for it only the jobs stay the same, and it is left out. */
static void what_a_rewound_stream_tells_again_changes_nothing(void **state)
{
        struct err e = {0};
        (void)state;
        for (size_t i = 1; i < COUNT(versions); i++) {
                struct rig r;
                open_stored(&r, versions[i]);
                AUTO_FREE char *before = dump(r.place.path);
                for (int turn = 1; turn <= 2; turn++) {
                        assert_int_equal(projection_rewind(r.projection, &e), 0);
                        assert_false(projection_position(r.projection)->known);
                        r.offset = 0;
                        tell_history(&r);
                        AUTO_FREE char *after = dump(r.place.path);
                        assert_dump(after, before, versions[i]);
                        assert_int_equal(projection_position(r.projection)->rebuilds, turn);
                }
                assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"),
                                 8);
                assert_int_equal(rig_number(&r, "SELECT retried FROM counters WHERE tenant = 0"),
                                 3);
                assert_int_equal(rig_number(&r, "SELECT sum(n) FROM counts WHERE tenant = 0"), 8);
                rig_close(&r);
        }
}

/* The offsets of a rewound stream begin again, so its messages must not overwrite the old ones. */
static void a_rewound_stream_adds_what_is_new(void **state)
{
        struct err e = {0};
        struct rig r;
        (void)state;
        open_stored(&r, "status-8");
        AUTO_FREE char *before = dump(r.place.path);
        assert_int_equal(projection_rewind(r.projection, &e), 0);
        r.offset = 0;
        for (char n = '0'; n <= '9'; n++) {
                char id[] = "019ab697-e800-7000-8000-0000000001N0";
                id[34] = n;
                struct job j = rig_job(id, START + 9000);
                j.payload = bytes_of_text("\"new\"");
                rig_submit(&r, &j);
        }
        rig_commit(&r);
        AUTO_FREE char *after = dump(r.place.path);
        assert_string_equal(after, before);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), 18);
        assert_int_equal(
                rig_number(&r,
                           "SELECT count(*) FROM bodies WHERE CAST(payload AS TEXT) = '\"new\"'"),
                10);
        assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"), 18);
        assert_int_equal(projection_position(r.projection)->offset, 9);
        rig_close(&r);
}

/* A deleted job that a rewound stream brings again is not counted as new. A second publish of an
 * existing job still is counted as one more publish. */
static void counts_end_where_the_stream_was(void **state)
{
        struct err e = {0};
        struct rig r;
        (void)state;
        rig_open(&r);
        tell_history(&r);
        assert_int_equal(db_exec(database_handle(store_database(r.store)),
                                 "DELETE FROM jobs WHERE state = 4", &e),
                         0);
        assert_int_equal(projection_rewind(r.projection, &e), 0);
        r.offset = 0;
        tell_history(&r);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), 4);
        assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"), 4);
        assert_int_equal(rig_number(&r, "SELECT completed FROM counters WHERE tenant = 0"), 1);
        assert_int_equal(rig_number(&r, "SELECT sum(published) FROM jobs"), 4);
        struct job late = rig_job(ID("9"), START + 8000);
        rig_submit(&r, &late);
        struct job_message again;
        struct job outside = rig_job(OUTSIDE, 0);
        job_encode(&outside, STATION_REPLAY, 0, &again);
        projection_fold(r.projection, &again.message, r.offset++);
        rig_commit(&r);
        assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"), 5);
        assert_int_equal(rig_number(&r, "SELECT sum(published) FROM jobs"), 6);
        rig_close(&r);
}

static void a_newer_status_db_is_refused(void **state)
{
        struct err e = {0};
        struct place place;
        (void)state;
        place_open(&place);
        stored_db_make(place.path, "status-8");
        stored_db_exec(place.path, "PRAGMA user_version = 99");
        AUTO_FREE char *before = stored_db_schema(place.path);
        assert_null(store_create(place.path, &e));
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_non_null(strstr(e.text, place.path));
        assert_non_null(strstr(e.text, "version 99"));
        assert_non_null(strstr(e.text, "move the file away"));
        AUTO_FREE char *after = stored_db_schema(place.path);
        assert_string_equal(after, before);
        place_close(&place);
}

/* Makes the fourth step fail: a table is in its way. */
static void a_migration_that_fails_leaves_the_file_as_it_was(void **state)
{
        struct err e = {0};
        struct place place;
        (void)state;
        place_open(&place);
        stored_db_make(place.path, "status-2");
        stored_db_exec(place.path, "CREATE TABLE others(n)");
        AUTO_FREE char *before = stored_db_schema(place.path);
        assert_null(store_create(place.path, &e));
        assert_non_null(strstr(e.text, "from version 4 to 5"));
        AUTO_FREE char *after = stored_db_schema(place.path);
        assert_string_equal(after, before);
        AUTO_FREE char *rows = stored_db_lines(place.path, "SELECT count(*) FROM jobs");
        assert_string_equal(rows, "8\n");
        stored_db_exec(place.path, "DROP TABLE others");
        err_clear(&e);
        AUTO(store) store = store_create(place.path, &e);
        assert_non_null(store);
        store_destroy(&store);
        place_close(&place);
}

/* Refused at the start, and not set aside: nothing is damaged. */
static void one_without_a_table_is_refused(void **state)
{
        static const char *const tables[] = {
                "jobs",   "bodies",   "others",  "attempts",     "starts",  "names",   "finds",
                "counts", "counters", "minutes", "type_minutes", "workers", "position"};
        (void)state;
        for (size_t i = 0; i < COUNT(tables); i++) {
                struct err e = {0};
                struct place place;
                place_open(&place);
                AUTO(store) store = store_create(place.path, &e);
                assert_non_null(store);
                store_destroy(&store);
                AUTO_FREE char *drop = xasprintf("DROP TABLE %s", tables[i]);
                stored_db_exec(place.path, drop);
                assert_null(store_create(place.path, &e));
                assert_int_equal(e.code, ERR_SYSTEM);
                assert_non_null(strstr(e.text, tables[i]));
                place_close(&place);
        }
}

/* The path of the set-aside database beside this one; NULL: there is none. The caller frees it. */
static char *set_aside_of(const struct place *place)
{
        char *found = NULL;
        DIR *folder = opendir(place->folder);
        assert_non_null(folder);
        for (const struct dirent *d; (d = readdir(folder)) != NULL;) {
                bool damaged = strncmp(d->d_name, "status.db.damaged-", 18) == 0;
                if (damaged && strchr(d->d_name + 18, '-') == NULL)
                        found = xasprintf("%s/%s", place->folder, d->d_name);
        }
        closedir(folder);
        return found;
}

static void a_damaged_one_is_set_aside(void **state)
{
        static const char rubbish[] = "this is no database, however long it is looked at .......";
        struct err e = {0};
        struct place place;
        char kept[sizeof(rubbish)] = "";
        (void)state;
        place_open(&place);
        FILE *f = fopen(place.path, "we");
        assert_int_equal(fwrite(rubbish, 1, sizeof(rubbish), f), sizeof(rubbish));
        assert_int_equal(fclose(f), 0);
        AUTO(store) store = store_create(place.path, &e);
        if (store == NULL)
                fail_msg("%s", e.text);
        store_destroy(&store);
        AUTO_FREE char *aside = set_aside_of(&place);
        assert_non_null(aside);
        f = fopen(aside, "re");
        assert_int_equal(fread(kept, 1, sizeof(kept), f), sizeof(kept));
        assert_int_equal(fclose(f), 0);
        assert_string_equal(kept, rubbish);
        stored_db_remove(aside);
        place_close(&place);
}

/* What every start reads. */
static void one_whose_position_is_damaged_is_set_aside(void **state)
{
        static const char rubbish[4096] = {[0] = 1};
        struct err e = {0};
        struct place place;
        (void)state;
        place_open(&place);
        stored_db_make(place.path, "status-5");
        AUTO(store) store = store_create(place.path, &e);
        assert_non_null(store);
        store_destroy(&store);
        AUTO_FREE char *at =
                stored_db_lines(place.path, "SELECT (rootpage - 1) * page_size FROM sqlite_master,"
                                            " pragma_page_size WHERE name = 'position'");
        FILE *f = fopen(place.path, "r+e");
        assert_int_equal(fseek(f, strtol(at, NULL, 10), SEEK_SET), 0);
        assert_int_equal(fwrite(rubbish, 1, sizeof(rubbish), f), sizeof(rubbish));
        assert_int_equal(fclose(f), 0);
        store = store_create(place.path, &e);
        assert_non_null(store);
        AUTO_FREE char *aside = set_aside_of(&place);
        assert_non_null(aside);
        store_destroy(&store);
        stored_db_remove(aside);
        place_close(&place);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_version_holds_its_rows),
                cmocka_unit_test(each_version_goes_on),
                cmocka_unit_test(what_a_rewound_stream_tells_again_changes_nothing),
                cmocka_unit_test(a_rewound_stream_adds_what_is_new),
                cmocka_unit_test(counts_end_where_the_stream_was),
                cmocka_unit_test(a_newer_status_db_is_refused),
                cmocka_unit_test(a_migration_that_fails_leaves_the_file_as_it_was),
                cmocka_unit_test(one_without_a_table_is_refused),
                cmocka_unit_test(a_damaged_one_is_set_aside),
                cmocka_unit_test(one_whose_position_is_damaged_is_set_aside),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
