/* SPDX-License-Identifier: Apache-2.0
 *
 * findings_json.c: findings as JSON.
 */
#include <string.h>

#include "common/base/json_path.h"
#include "common/base/json_write.h"
#include "common/base/own.h"
#include "common/doctor/findings.h"

static const char ask_the_operator[] = "ask the operator";

/* What somebody may see of a finding. */
struct shown {
        const char *problem, *remedy;
};

static struct shown show(const struct finding *f, const char *tenant)
{
        if (tenant == NULL || strcmp(f->tenant, tenant) == 0)
                return (struct shown){f->problem, f->remedy};
        return (struct shown){.remedy = f->state == FINDING_WRONG ? ask_the_operator : NULL};
}

/* A finding about another tenant is not even told of. */
static bool is_hidden(const struct finding *f, const char *tenant)
{
        return tenant != NULL && f->tenant[0] != '\0' && strcmp(f->tenant, tenant) != 0;
}

static void write_texts(const struct finding *f, const char *tenant, struct buffer *out)
{
        struct shown shown = show(f, tenant);

        json_put_string(out, "problem", shown.problem);
        json_put_string(out, "remedy", shown.remedy);
        json_put_time(out, "since", f->since);
}

static void write_reasons(const struct findings *f, const char *tenant, enum severity severity,
                          struct buffer *out)
{
        for (size_t i = 0; i < findings_count(f); i++) {
                const struct finding *found = findings_at(f, i);
                if (found->state != FINDING_WRONG || is_hidden(found, tenant) ||
                    check_kinds[found->check].severity != severity)
                        continue;
                json_begin_object(out, NULL);
                json_put_string(out, "check", found->name);
                json_put_string(out, "severity", severity_name(severity));
                write_texts(found, tenant, out);
                json_end(out);
        }
}

static void write_check(const struct finding *f, const char *tenant, struct buffer *out)
{
        json_begin_object(out, NULL);
        json_put_string(out, "check", f->name);
        json_put_string(out, "state", finding_state_name(f->state));
        write_texts(f, tenant, out);
        json_put_time(out, "looked_at", f->looked_at);
        if (tenant == NULL && f->tenant[0] != '\0')
                json_put_string(out, "tenant", f->tenant);
        json_end(out);
}

static void write_checks(const struct findings *f, const char *tenant, struct buffer *out)
{
        json_begin_array(out, "checks");
        for (size_t i = 0; i < findings_count(f); i++)
                if (!is_hidden(findings_at(f, i), tenant))
                        write_check(findings_at(f, i), tenant, out);
        json_end_array(out);
}

/* A verdict has its reasons: what somebody is not told of does not count. */
static enum verdict verdict_for(const struct findings *f, const char *tenant)
{
        AUTO(findings) told = findings_create();

        for (size_t i = 0; i < findings_count(f); i++)
                if (!is_hidden(findings_at(f, i), tenant))
                        findings_put(told, findings_at(f, i));
        return findings_verdict(told);
}

void findings_write(const struct findings *f, const char *tenant, struct buffer *out)
{
        json_put_string(out, "verdict", verdict_name(verdict_for(f, tenant)));
        json_begin_array(out, "reasons");
        write_reasons(f, tenant, SEVERITY_DOWN, out);
        write_reasons(f, tenant, SEVERITY_DEGRADED, out);
        json_end_array(out);
        write_checks(f, tenant, out);
}

void findings_write_checks(const struct findings *f, struct buffer *out)
{
        write_checks(f, NULL, out);
}

static enum finding_state state_parse(struct scan_value check)
{
        for (int i = 0; i <= FINDING_FIXED; i++)
                if (json_path_is(check, "state", finding_state_name((enum finding_state)i)))
                        return (enum finding_state)i;
        return FINDING_UNKNOWN;
}

/* 0: it is absent. */
static msec read_time(struct scan_value check, const char *name)
{
        AUTO_BUFFER text = {0};
        msec at = 0;

        if (!json_path_add(check, name, &text) || time_parse(text.data, &at, NULL) != 0)
                return 0;
        return at;
}

static void read_check(struct findings *f, struct scan_value check)
{
        AUTO_BUFFER name = {0}, problem = {0}, remedy = {0}, tenant = {0};
        struct finding made = {.state = state_parse(check),
                               .since = read_time(check, "since"),
                               .looked_at = read_time(check, "looked_at")};

        if (!json_path_add(check, "check", &name) || name.length == 0)
                return;
        made.check = check_parse(buffer_bytes(&name));
        made.name = name.data;
        if (json_path_add(check, "problem", &problem))
                made.problem = problem.data;
        if (json_path_add(check, "remedy", &remedy))
                made.remedy = remedy.data;
        if (json_path_add(check, "tenant", &tenant) &&
            bytes_to_text(buffer_bytes(&tenant), made.tenant, sizeof(made.tenant)) != 0)
                made.tenant[0] = '\0';
        findings_put(f, &made);
}

int findings_read(struct findings *f, struct scan_value object, struct err *e)
{
        struct scan_value checks;
        struct scan_item item;

        if (!json_path_find(object, "checks", &checks) || checks.kind != SCAN_ARRAY)
                return err_set(e, ERR_PROTOCOL, "the answer has no checks");
        for (struct scan_cursor at = scan_items(checks); scan_next(&at, &item);)
                read_check(f, item.value);
        return 0;
}
