/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.c: reads the clocks; parses and writes times and durations.
 */
#include "common/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
        struct timespec t;

        clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

msec clock_wall(void)
{
        return read_us(CLOCK_REALTIME) / 1000;
}

msec clock_mono(void)
{
        return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
        return read_us(CLOCK_MONOTONIC);
}

msec clock_boot(void)
{
        return read_us(CLOCK_BOOTTIME) / 1000;
}

static const msec year_0000 = INT64_C(-62167219200000);
static const msec year_9999_end = INT64_C(253402300799999);

const char *time_format(msec at, char out[TIME_TEXT_SIZE])
{
        if (at < year_0000)
                at = year_0000;
        if (at > year_9999_end)
                at = year_9999_end;

        msec part = at % 1000;
        if (part < 0)
                part += 1000;
        time_t seconds = (time_t)((at - part) / 1000);
        struct tm t;
        gmtime_r(&seconds, &t);
        snprintf(out, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                 (unsigned)(t.tm_year + 1900) % 10000U, (unsigned)(t.tm_mon + 1) % 100U,
                 (unsigned)t.tm_mday % 100U, (unsigned)t.tm_hour % 100U, (unsigned)t.tm_min % 100U,
                 (unsigned)t.tm_sec % 100U, (unsigned)part % 1000U);
        return out;
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Reads exactly `count` digits and advances *at. */
static bool take_digits(const char **at, int count, int *out)
{
        int value = 0;

        for (int i = 0; i < count; i++) {
                if (!is_digit((*at)[i]))
                        return false;
                value = value * 10 + ((*at)[i] - '0');
        }
        *at += count;
        *out = value;
        return true;
}

static bool take_char(const char **at, char c)
{
        if (**at != c)
                return false;
        (*at)++;
        return true;
}

static bool take_date(const char **at, struct tm *t)
{
        if (!take_digits(at, 4, &t->tm_year) || !take_char(at, '-') ||
            !take_digits(at, 2, &t->tm_mon) || !take_char(at, '-') ||
            !take_digits(at, 2, &t->tm_mday))
                return false;
        t->tm_year -= 1900;
        t->tm_mon--;
        /* timegm turns a date that does not exist into another. */
        struct tm date = *t;
        timegm(&date);
        return date.tm_mon == t->tm_mon && date.tm_mday == t->tm_mday;
}

/* A leap second is read as the second after it. */
static bool take_clock(const char **at, struct tm *t)
{
        if (!take_digits(at, 2, &t->tm_hour) || !take_char(at, ':') ||
            !take_digits(at, 2, &t->tm_min) || !take_char(at, ':') ||
            !take_digits(at, 2, &t->tm_sec))
                return false;
        return t->tm_hour <= 23 && t->tm_min <= 59 && t->tm_sec <= 60;
}

/* One to nine digits after the point, as nanoseconds. */
static bool take_fraction(const char **at, int64_t *ns)
{
        int count = 0;

        *ns = 0;
        for (; is_digit(**at); (*at)++, count++) {
                if (count == 9)
                        return false;
                *ns = *ns * 10 + (**at - '0');
        }
        if (count == 0)
                return false;
        for (; count < 9; count++)
                *ns *= 10;
        return true;
}

static bool take_offset(const char **at, int *minutes)
{
        int hour, minute;
        bool west = **at == '-';

        *minutes = 0;
        if (take_char(at, 'Z') || take_char(at, 'z'))
                return true;
        if (!take_char(at, west ? '-' : '+') || !take_digits(at, 2, &hour) || !take_char(at, ':') ||
            !take_digits(at, 2, &minute))
                return false;
        *minutes = (west ? -1 : 1) * (hour * 60 + minute);
        return hour <= 23 && minute <= 59;
}

int time_parse(const char *text, msec *at, struct err *e)
{
        struct tm t = {0};
        int64_t ns = 0;
        int offset = 0;
        const char *p = text;

        bool good = take_date(&p, &t) && (take_char(&p, 'T') || take_char(&p, 't')) &&
                    take_clock(&p, &t) && (!take_char(&p, '.') || take_fraction(&p, &ns)) &&
                    take_offset(&p, &offset) && *p == '\0';
        if (!good)
                return err_set(e, ERR_INVALID,
                               "'%.40s' is not an RFC 3339 time such as 2026-01-31T12:00:00Z",
                               text);
        *at = ((msec)timegm(&t) - offset * 60) * 1000 + (ns + 999999) / 1000000;
        return 0;
}

int time_parse_bound(const char *text, msec *at, struct err *e)
{
        if (time_parse(text, at, e) != 0)
                return -1;
        if (*at < 1)
                *at = 1;
        return 0;
}

/* From the largest to the smallest. */
static const struct unit {
        const char *name;
        msec length;
} units[] = {{"d", MSEC_DAY}, {"h", MSEC_HOUR}, {"m", MSEC_MINUTE}, {"s", MSEC_SECOND}, {"ms", 1}};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]), UNIT_SECONDS = 3 };

static const msec duration_max = INT64_C(10000) * MSEC_DAY;
static const int64_t billion = INT64_C(1000000000);

static int duration_refuse(const char *text, struct err *e)
{
        return err_set(e, ERR_INVALID,
                       "'%.40s' is not a duration: " DURATION_FORM ", at most 10000d", text);
}

/* Index of the unit named at *at, which advances; UNIT_COUNT: none. */
static int take_unit(const char **at)
{
        size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
        int i = 0;

        while (i < UNIT_COUNT &&
               (strlen(units[i].name) != length || strncmp(units[i].name, *at, length) != 0))
                i++;
        *at += length;
        return i;
}

/* A number with an optional fraction. Stops early over duration_max, so *whole cannot overflow. */
static bool take_number(const char **at, int64_t *whole, int64_t *billionths)
{
        *whole = *billionths = 0;
        if (!is_digit(**at))
                return false;
        for (; is_digit(**at); (*at)++) {
                if (*whole > duration_max)
                        return false;
                *whole = *whole * 10 + (**at - '0');
        }
        return !take_char(at, '.') || take_fraction(at, billionths);
}

int duration_parse(const char *text, msec *out, struct err *e)
{
        const char *p = text;
        msec sum = 0;
        int last_unit = -1;

        do {
                int64_t whole, billionths;
                if (!take_number(&p, &whole, &billionths))
                        return duration_refuse(text, e);
                int unit = *p == '\0' && last_unit < 0 ? UNIT_SECONDS : take_unit(&p);
                if (unit == UNIT_COUNT || unit <= last_unit || (billionths != 0 && *p != '\0') ||
                    whole > duration_max / units[unit].length)
                        return duration_refuse(text, e);
                sum += whole * units[unit].length +
                       (billionths * units[unit].length + billion - 1) / billion;
                last_unit = unit;
        } while (*p != '\0');
        if (sum > duration_max)
                return duration_refuse(text, e);
        *out = sum;
        return 0;
}

/* False when it would begin with "0." or not be exact. */
static bool format_in_unit(msec duration, const struct unit *unit, char out[TIME_TEXT_SIZE])
{
        long long whole = duration / unit->length;
        msec rest = duration % unit->length;

        if (rest == 0) {
                snprintf(out, TIME_TEXT_SIZE, "%lld%s", whole, unit->name);
                return whole > 0 || unit->length == MSEC_SECOND;
        }
        if (whole == 0 || rest * billion % unit->length != 0)
                return false;
        char fraction[24];
        snprintf(fraction, sizeof(fraction), "%09lld", (long long)(rest * billion / unit->length));
        for (size_t last = strlen(fraction) - 1; fraction[last] == '0'; last--)
                fraction[last] = '\0';
        snprintf(out, TIME_TEXT_SIZE, "%lld.%s%s", whole, fraction, unit->name);
        return true;
}

const char *duration_format(msec duration, char out[TIME_TEXT_SIZE])
{
        char text[TIME_TEXT_SIZE];

        snprintf(out, TIME_TEXT_SIZE, "%lldms", (long long)duration);
        if (duration < 0)
                return out;
        for (int i = 0; i < UNIT_COUNT; i++) {
                if (format_in_unit(duration, &units[i], text) && strlen(text) < strlen(out))
                        memcpy(out, text, sizeof(text));
        }
        return out;
}
