/* SPDX-License-Identifier: Apache-2.0
 *
 * exposition.c: the Prometheus text format, version 0.0.4.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/metrics/metrics.h"
#include "common/metrics/registry.h"

static const char *kind_name(enum metric_kind kind)
{
        switch (kind) {
        case METRIC_COUNTER:
                return "counter";
        case METRIC_GAUGE:
                return "gauge";
        case METRIC_HISTOGRAM:
                return "histogram";
        }
        return "untyped";
}

/* The shortest form that is read as the same number. */
static void write_number(struct buffer *out, double value)
{
        char text[32];

        if (isnan(value)) {
                buffer_add_text(out, "NaN");
                return;
        }
        if (isinf(value)) {
                buffer_add_text(out, value > 0 ? "+Inf" : "-Inf");
                return;
        }
        for (int digits = 6; digits <= 17; digits++) {
                snprintf(text, sizeof(text), "%.*g", digits, value);
                if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
                        break;
        }
        buffer_add_text(out, text);
}

static void write_escaped(struct buffer *out, const char *text, bool quotes)
{
        for (const char *c = text; *c != '\0'; c++) {
                if (*c == '\\')
                        buffer_add_text(out, "\\\\");
                else if (*c == '\n')
                        buffer_add_text(out, "\\n");
                else if (*c == '"' && quotes)
                        buffer_add_text(out, "\\\"");
                else
                        buffer_add_char(out, *c);
        }
}

/* Writes name_suffix{labels,le="…"}; le: NULL except for a histogram's buckets. */
static void write_name(struct buffer *out, const struct metric *m, const struct series *s,
                       const char *suffix, const char *le)
{
        char before = '{';

        buffer_add_text(out, m->spec.name);
        buffer_add_text(out, suffix);
        for (size_t i = 0; i < m->label_count; i++) {
                buffer_add_char(out, before);
                buffer_add_text(out, m->spec.labels[i]);
                buffer_add_text(out, "=\"");
                write_escaped(out, s->values[i], true);
                buffer_add_char(out, '"');
                before = ',';
        }
        if (le != NULL) {
                buffer_printf(out, "%cle=\"%s\"", before, le);
                before = ',';
        }
        buffer_add_text(out, before == ',' ? "} " : " ");
}

static void write_histogram(struct buffer *out, const struct metric *m, const struct series *s)
{
        uint64_t below = 0;

        for (size_t i = 0; i < m->spec.bucket_count; i++) {
                char le[32];
                snprintf(le, sizeof(le), "%g", m->spec.buckets[i]);
                below += s->counts[i];
                write_name(out, m, s, "_bucket", le);
                buffer_printf(out, "%" PRIu64 "\n", below);
        }
        write_name(out, m, s, "_bucket", "+Inf");
        buffer_printf(out, "%" PRIu64 "\n", s->count);
        write_name(out, m, s, "_sum", NULL);
        write_number(out, s->value);
        buffer_add_char(out, '\n');
        write_name(out, m, s, "_count", NULL);
        buffer_printf(out, "%" PRIu64 "\n", s->count);
}

static void write_metric(struct buffer *out, struct metric *m)
{
        pthread_mutex_lock(&m->mutex);
        if (m->series != NULL) {
                buffer_printf(out, "# HELP %s ", m->spec.name);
                write_escaped(out, m->spec.help, false);
                buffer_printf(out, "\n# TYPE %s %s\n", m->spec.name, kind_name(m->spec.kind));
        }
        for (const struct series *s = m->series; s != NULL; s = s->hh.next) {
                if (m->spec.kind == METRIC_HISTOGRAM) {
                        write_histogram(out, m, s);
                        continue;
                }
                write_name(out, m, s, "", NULL);
                write_number(out, s->value);
                buffer_add_char(out, '\n');
        }
        pthread_mutex_unlock(&m->mutex);
}

void metrics_write(struct metrics *m, struct buffer *out)
{
        struct metric *at = NULL;
        struct collector *c = NULL;

        pthread_mutex_lock(&m->mutex);
        LL_FOREACH (m->collectors, c)
                c->collect(c->owner);
        LL_FOREACH (m->all, at)
                write_metric(out, at);
        pthread_mutex_unlock(&m->mutex);
}
