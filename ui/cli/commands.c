/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.c: the table of commands.
 */
#include "ui/cli/command.h"

#define PRIORITIES "critical high medium low 3 2 1 0"
#define STATUSES "scheduled pending running failed completed dead cancelled"
#define JSON_SOURCES "JSON is the text itself, @FILE, or - for standard input."

/* clang-format off */
const struct option command_shared_options[] = {
        {"json", NULL, "print answers as JSON, one per line", NULL},
        {"url", "URL", "the gateway's URL (WARREN_URL)", NULL},
        {"config", "FILE", "settings file instead of ~/.config/warren/config", NULL},
        {"help", NULL, "show this help", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option submit_options[] = {
        {"priority", "NAME", "how urgent it is", PRIORITIES},
        {"delay", "DURATION", "do not start before this time has passed: 30s, 5m, 2d", NULL},
        {"run-at", "TIME", "do not start before this time (RFC 3339)", NULL},
        {"max-retries", "N", "retries after the first attempt, 0 to 100", NULL},
        {"timeout", "DURATION", "time limit of one attempt", NULL},
        {"key", "TEXT", "idempotency key; this version refuses it", NULL},
        {"tenant", "NAME", "the job's tenant (admin key only)", NULL},
        {"wait", NULL, "wait until it has ended; exit code 1 when it failed", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option get_options[] = {
        {"wait", NULL, "wait until it has ended; exit code 1 when it failed", NULL},
        {"attempts", NULL, "with --json: print its attempts instead of the job", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option list_options[] = {
        {"status", "STATUS", "only jobs with this status", STATUSES},
        {"type", "TYPE", "only jobs of this type", NULL},
        {"priority", "NAME", "only jobs of this priority", PRIORITIES},
        {"tenant", "NAME", "only jobs of this tenant (admin key only)", NULL},
        {"after", "TIME", "only jobs created after (RFC 3339)", NULL},
        {"before", "TIME", "only jobs created before (RFC 3339)", NULL},
        {"search", "TEXT", "only jobs with this text in payload or error", NULL},
        {"sort", "ORDER", "newest first, or oldest first", "-created_at created_at"},
        {"limit", "N", "list at most N (up to 500)", NULL},
        {"cursor", "CURSOR", "continue a list at the cursor that it printed", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option stats_options[] = {
        {"tenant", "NAME", "only jobs of this tenant (admin key only)", NULL},
        {NULL, NULL, NULL, NULL},
};

#define LIMIT_OPTIONS \
        {"rate", "N/DURATION", "submissions over HTTP: 10/1m, or unlimited", NULL}, \
        {"burst", "N", "submissions at once", NULL}, \
        {"max-running", "N", "jobs running at once; this version accepts only unlimited", NULL}, \
        {"max-pending", "N", "jobs waiting, or unlimited", NULL}, \
        {"weight", "N", "its share relative to other tenants", NULL}

static const struct option tenant_add_options[] = {
        LIMIT_OPTIONS,
        {"amqp-login", NULL, "also create an AMQP login that may publish its jobs", NULL},
        {"reuse", NULL,
         "allow it when a deleted tenant of this name left jobs or dead letters", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option tenant_set_options[] = {
        LIMIT_OPTIONS,
        {"amqp-login", NULL, "also create an AMQP login that may publish its jobs", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option tenant_rm_options[] = {
        {"force", NULL, "allow it when jobs have not ended; they are dropped", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option key_add_options[] = {
        {"scopes", "LIST", "submit,read,operate (the default), or some of them", NULL},
        {"expires", "TIME", "not valid after this time (RFC 3339)", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option dlq_list_options[] = {
        {"tenant", "NAME", "only letters of this tenant (admin key only)", NULL},
        {"job", "ID", "only letters of this job", NULL},
        {"type", "TYPE", "only letters of this type", NULL},
        {"reason", "REASON", "only letters with this reason",
         "permanent exhausted no_handler malformed unroutable poison delivery_limit "
         "expired"},
        {"state", "STATE", "only letters in this state", "dead replayed discarded"},
        {"group", "GROUP", "only letters of this group", NULL},
        {"search", "TEXT", "only letters with this text in payload or error", NULL},
        {"limit", "N", "list at most N (up to 500)", NULL},
        {"cursor", "CURSOR", "continue a list at the cursor that it printed", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option requeue_options[] = {
        {"payload", "JSON", "replace the payload", NULL},
        {"type", "TYPE", "replace the type", NULL},
        {"priority", "NAME", "replace the priority", PRIORITIES},
        {"run-at", "TIME", "replace the start time (RFC 3339); now: at once", NULL},
        {NULL, NULL, NULL, NULL},
};

#define EVENTS_OPTIONS \
        {"events-max-bytes", "SIZE", "maximum size of the event stream (default 10 GB)", NULL}, \
        {"events-max-age", "DURATION", "maximum age of events in it (default 7d)", NULL}

static const struct option apply_options[] = {
        EVENTS_OPTIONS,
        {"accounts", "DIR",
         "also create the services' logins; passwords in DIR/<login>.password", NULL},
        {NULL, NULL, NULL, NULL},
};

static const struct option events_options[] = {
        EVENTS_OPTIONS,
        {NULL, NULL, NULL, NULL},
};

#define ADMIN_NEEDS "Needs WARREN_ADMIN_AMQP_URL (amqp://login:password@host:5672/warren)"
#define MANAGEMENT_NEEDS "WARREN_MANAGEMENT_URL (http://login:password@host:15672)"

const struct command command_table[] = {
        {"submit", NULL, "TYPE [JSON|@FILE|-]", 1, 2, "submit a job", submit_options,
         JSON_SOURCES, command_submit},
        {"get", NULL, "ID", 1, 1, "show a job and its attempts", get_options, NULL, command_get},
        {"list", NULL, "", 0, 0, "list jobs, the newest first", list_options, NULL, command_list},
        {"watch", NULL, "[ID]", 0, 1, "follow one job until it has ended, or all jobs", NULL,
         "Without ID it runs until Ctrl-C.", command_watch},
        {"stats", NULL, "", 0, 0, "show jobs by status, throughput, latency", stats_options, NULL,
         command_stats},
        {"dlq", "list", "", 0, 0, "list dead letters", dlq_list_options, NULL, command_dlq_list},
        {"dlq", "show", "LETTER", 1, 1, "show a dead letter", NULL, NULL, command_dlq_show},
        {"dlq", "requeue", "LETTER...", 1, WORDS_MAX, "run dead letters' jobs again",
         requeue_options, JSON_SOURCES, command_dlq_requeue},
        {"tenant", "add", "NAME", 1, 1, "create a tenant and its first key", tenant_add_options,
         NULL, command_tenant_add},
        {"tenant", "list", "", 0, 0, "list tenants", NULL, NULL, command_tenant_list},
        {"tenant", "show", "NAME", 1, 1, "show a tenant", NULL, NULL, command_tenant_show},
        {"tenant", "set", "NAME", 1, 1, "change a tenant's limits", tenant_set_options, NULL,
         command_tenant_set},
        {"tenant", "rm", "NAME", 1, 1, "delete a tenant", tenant_rm_options, NULL,
         command_tenant_rm},
        {"key", "add", "TENANT", 1, 1, "create an API key; it is shown only once",
         key_add_options, NULL, command_key_add},
        {"key", "list", "TENANT", 1, 1, "list a tenant's API keys", NULL, NULL, command_key_list},
        {"key", "rm", "TENANT KEY-ID", 2, 2, "revoke an API key", NULL, NULL, command_key_rm},
        {"topology", "apply", "", 0, 0, "declare what Warren needs in its vhost", apply_options,
         ADMIN_NEEDS "\nand " MANAGEMENT_NEEDS ".", command_topology_apply},
        {"topology", "export", "", 0, 0, "print the topology as RabbitMQ definitions",
         events_options, NULL, command_topology_export},
        {"topology", "check", "", 0, 0, "compare the broker with the topology", events_options,
         "Needs " MANAGEMENT_NEEDS ". Exit code 1 when they differ.", command_topology_check},
        {"doctor", NULL, "", 0, 0, "find what is wrong, and say what to do", NULL,
         "Checks the broker too when WARREN_MANAGEMENT_URL is set.\n"
         "Exit code 1 when something is wrong.",
         command_doctor},
        {"completion", NULL, "SHELL", 1, 1, "print a completion script for bash, zsh or fish",
         NULL, "bash: source <(warren completion bash)\nzsh:  source <(warren completion zsh)\n"
         "fish: warren completion fish | source", command_completion},
        {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL},
};
/* clang-format on */
