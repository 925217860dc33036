/* SPDX-License-Identifier: Apache-2.0
 *
 * json_write.c: the last byte written decides whether a comma is needed.
 */
#include "common/base/json_write.h"

#include <string.h>

/* Adds a comma if needed and the name, with room for `room` bytes after it. Only an opening bracket
 * suppresses the comma, and no value ends in one: a string ends in its quote. */
static void put_name(struct buffer *out, const char *name, size_t room)
{
        size_t length = name != NULL ? strlen(name) : 0;

        buffer_reserve(out, length + 4 + room);
        char *at = out->data + out->length;
        char last = out->length > 0 ? at[-1] : '{';
        if (last != '{' && last != '[')
                *at++ = ',';
        if (name != NULL) {
                *at++ = '"';
                at = mempcpy(at, name, length);
                *at++ = '"';
                *at++ = ':';
        }
        out->length = (size_t)(at - out->data);
}

/* Writes into the room that put_name left. */
static inline void put(struct buffer *out, const char *text, size_t length)
{
        memcpy(out->data + out->length, text, length);
        out->length += length;
        out->data[out->length] = '\0';
}

void json_begin(struct buffer *out)
{
        buffer_add_char(out, '{');
}

void json_end(struct buffer *out)
{
        buffer_add_char(out, '}');
}

void json_begin_object(struct buffer *out, const char *name)
{
        put_name(out, name, 1);
        put(out, "{", 1);
}

void json_begin_array(struct buffer *out, const char *name)
{
        put_name(out, name, 1);
        put(out, "[", 1);
}

void json_end_array(struct buffer *out)
{
        buffer_add_char(out, ']');
}

void json_put_text(struct buffer *out, const char *name, struct bytes text)
{
        put_name(out, name, text.length + 2);
        buffer_add_json_string(out, text);
}

void json_put_string(struct buffer *out, const char *name, const char *text)
{
        if (text == NULL)
                json_put_null(out, name);
        else
                json_put_text(out, name, bytes_of_text(text));
}

void json_put_text_or_null(struct buffer *out, const char *name, struct bytes text)
{
        if (text.length == 0)
                json_put_null(out, name);
        else
                json_put_text(out, name, text);
}

void json_put_given(struct buffer *out, const char *name, struct bytes text)
{
        if (text.data != NULL)
                json_put_text(out, name, text);
}

void json_put_int(struct buffer *out, const char *name, int64_t value)
{
        char digits[24];
        char *at = digits + sizeof(digits);
        uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

        do {
                *--at = (char)('0' + left % 10);
                left /= 10;
        } while (left > 0);
        if (value < 0)
                *--at = '-';
        put_name(out, name, sizeof(digits));
        put(out, at, (size_t)(digits + sizeof(digits) - at));
}

void json_put_flag(struct buffer *out, const char *name, bool value)
{
        put_name(out, name, 5);
        put(out, value ? "true" : "false", value ? 4 : 5);
}

void json_put_real(struct buffer *out, const char *name, double value)
{
        put_name(out, name, 0);
        buffer_printf(out, "%.6g", value);
}

void json_put_time(struct buffer *out, const char *name, msec at)
{
        char text[TIME_TEXT_SIZE];

        if (at <= 0)
                json_put_null(out, name);
        else
                json_put_text(out, name, bytes_of_text(time_format(at, text)));
}

void json_put_null(struct buffer *out, const char *name)
{
        put_name(out, name, 4);
        put(out, "null", 4);
}

void json_put_raw(struct buffer *out, const char *name, struct bytes json)
{
        if (json.length == 0) {
                json_put_null(out, name);
                return;
        }
        put_name(out, name, json.length);
        put(out, json.data, json.length);
}

void json_put_payload(struct buffer *out, struct bytes payload, bool is_json)
{
        json_put_raw(out, "payload", is_json ? payload : (struct bytes){0});
        if (is_json)
                return;
        put_name(out, "payload_base64", 0);
        buffer_add_char(out, '"');
        buffer_add_base64(out, payload);
        buffer_add_char(out, '"');
}
