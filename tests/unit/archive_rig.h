/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_rig.h: an archive in a folder of its own, burials into it, and its lists as JSON.
 */
#pragma once

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/base/own.h"
#include "dlx-monitor/letters.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define NOW ((msec)1732250000000)

struct place {
        char folder[64], path[96], copy[96];
        struct archive *archive;
};

static inline int begin(void **state)
{
        struct place *p = calloc(1, sizeof(*p));
        struct err e = {0};

        snprintf(p->folder, sizeof(p->folder), "/tmp/warren-archive-XXXXXX");
        if (mkdtemp(p->folder) == NULL)
                return -1;
        snprintf(p->path, sizeof(p->path), "%s/archive.db", p->folder);
        snprintf(p->copy, sizeof(p->copy), "%s/copy.db", p->folder);
        p->archive = archive_open(p->path, &e);
        *state = p;
        return p->archive == NULL ? -1 : 0;
}

static inline int end(void **state)
{
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        struct place *p = *state;
        char path[128];

        archive_destroy(&p->archive);
        for (size_t i = 0; i < 3; i++) {
                snprintf(path, sizeof(path), "%s%s", p->path, suffixes[i]);
                unlink(path);
                snprintf(path, sizeof(path), "%s%s", p->copy, suffixes[i]);
                unlink(path);
        }
        rmdir(p->folder);
        free(p);
        return 0;
}

/* A property list in wire form with what a job needs. */
static inline size_t wire_properties(char *out, const char *id, const char *type)
{
        static const char content_type[] = "application/json";
        size_t at = 0;

        out[at++] = (char)0x90; /* content_type, delivery_mode */
        out[at++] = (char)0xa0; /* message_id, type */
        out[at++] = (char)strlen(content_type);
        memcpy(out + at, content_type, strlen(content_type));
        at += strlen(content_type);
        out[at++] = 2;
        out[at++] = (char)strlen(id);
        memcpy(out + at, id, strlen(id));
        at += strlen(id);
        out[at++] = (char)strlen(type);
        memcpy(out + at, type, strlen(type));
        return at + strlen(type);
}

/* The same of a job from outside, with one header of 8 bytes. */
static inline void wire_with_header(struct buffer *out, const char *header, char kind,
                                    int64_t value)
{
        AUTO_BUFFER field = {0};
        char plain[256];
        size_t length = wire_properties(plain, ID, "t"), before = 3 + (size_t)plain[2];

        buffer_add_char(&field, (char)strlen(header));
        buffer_add_text(&field, header);
        buffer_add_char(&field, kind);
        for (int shift = 56; shift >= 0; shift -= 8)
                buffer_add_char(&field, (char)((uint64_t)value >> shift));
        plain[0] = (char)(plain[0] | 0x20); /* headers, after content_type */
        buffer_add(out, plain, before);
        buffer_add(out, "\0\0\0", 3);
        buffer_add_char(out, (char)field.length);
        buffer_add(out, field.data, field.length);
        buffer_add(out, plain + before, length - before);
}

/* Archives a burial published by a service; returns how many letters archive_put stored. */
static inline size_t bury(struct archive *a, const char *id, const char *tenant_lane,
                          const char *type, const char *body, struct letter *l)
{
        static char wire[256];
        static struct message m;
        struct err e = {0};
        char burial[UUID_SIZE];
        size_t kept;

        memset(&m, 0, sizeof(m));
        uuid7(burial);
        m.exchange = bytes_of_text("dead");
        m.routing_key = bytes_of_text(tenant_lane);
        m.user_id = bytes_of_text("warren-consumer");
        m.message_id = bytes_of_text(id);
        m.type = bytes_of_text(type);
        m.content_type = bytes_of_text("application/json");
        m.delivery_mode = 2;
        m.body = bytes_of_text(body);
        m.properties = bytes_of(wire, wire_properties(wire, id, type));
        message_add_text(&m, "x-reason", bytes_of_text("exhausted"));
        message_add_text(&m, "x-error", bytes_of_text("boom 7"));
        message_add_text(&m, "x-burial", bytes_of_text(burial));
        letter_of_message(&m, FROM_DEAD, NOW, l);
        assert_int_equal(archive_put(a, l, 1, &kept, &e), 0);
        return kept;
}

static inline json_t *read_json(int result, struct buffer *text)
{
        assert_int_equal(result, 0);
        json_t *json = json_loadb(text->data, text->length, 0, NULL);
        assert_non_null(json);
        buffer_clear(text);
        return json;
}

static inline json_t *list(struct archive *a, const struct letter_filter *f)
{
        AUTO_BUFFER out = {0};
        struct err e = {0};

        return read_json(letters_list(a, f, &out, &e), &out);
}

static inline size_t list_count(struct archive *a, const struct letter_filter *f)
{
        json_t *json = list(a, f);
        size_t count = json_array_size(json_object_get(json, "letters"));

        json_decref(json);
        return count;
}
