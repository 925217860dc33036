/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.c: the table of commands.
 */
#include "ui/cli/command.h"

#define PRIORITIES "critical high medium low 3 2 1 0"
#define STATUSES "scheduled pending running failed completed dead cancelled"
#define KINDS "submitted started progress completed failed retry dlq cancelled forgotten"
#define LIST_OPTIONS \
        {"limit", "N", "list at most N (up to 500)", .member = "limit"}, \
        { \
                "cursor", "CURSOR", "continue a list at the cursor that it printed", \
                        .member = "cursor" \
        }
#define JSON_SOURCES "JSON is the text itself, @FILE, or - for standard input."

/* clang-format off */
const struct option command_shared_options[] = {
        {"json", .help = "print answers as JSON, one per line"},
        {"url", "URL", .help = "the gateway's URL (WARREN_URL)"},
        {"config", "FILE", .help = "settings file instead of ~/.config/warren/config"},
        {"help", .help = "show this help"},
        {0},
};

/* --tenant also chooses WARREN_ADMIN_KEY. */
#define OF_TENANT "of this tenant (WARREN_ADMIN_KEY)"

static const struct option one_job_options[] = {
        {"tenant", "NAME", .help = "the job is " OF_TENANT},
        {0},
};

static const struct option find_options[] = {
        {"tenant", "NAME", .help = "only jobs " OF_TENANT},
        {0},
};

static const struct option submit_options[] = {
        {"priority", "NAME", "how urgent it is", PRIORITIES, "priority", .number = true},
        {"delay", "DURATION", "do not start before this time has passed: 30s, 5m, 2d",
         .member = "delay", .number = true},
        {"run-at", "TIME", "do not start before this time (RFC 3339)", .member = "run_at"},
        {"max-retries", "N", "retries after the first attempt, 0 to 100",
         .member = "max_retries", .number = true},
        {"timeout", "DURATION", "time limit of one attempt", .member = "timeout", .number = true},
        {"expires", "WHEN", "not run when it has not started by then: 30s, 2d, or RFC 3339",
         .member = "expires", .number = true},
        {"key", "TEXT", "idempotency key: submitted again with it, the job is not made again",
         .member = "idempotency_key"},
        {"tenant", "NAME", "the job's tenant (WARREN_ADMIN_KEY)", .member = "tenant_id"},
        {"wait", .help = "wait until it has ended; exit code 1 when it failed"},
        {"dry-run", .help = "check it, or all jobs of --batch, without submitting anything"},
        {"batch", "FILE", .help = "submit the jobs in FILE, or - for standard input"},
        {"refused", "FILE", .help = "with --batch: write refused jobs here, not to FILE.refused"},
        {"restart", .help = "with --batch: begin again; do not go on where an earlier run stopped"},
        {0},
};

static const struct option get_options[] = {
        {"wait", .help = "wait until it has ended; exit code 1 when it failed"},
        {"attempts", .help = "with --json: print its attempts instead of the job"},
        {"events", .help = "print its events instead of the job"},
        {"payload", .help = "print its payload instead of the job, as it was submitted"},
        {"tenant", "NAME", .help = "the job is " OF_TENANT},
        {0},
};

#define JOB_FILTERS \
        {"status", "STATUS,...", "only jobs with one of these statuses", STATUSES, \
         .member = "status", .several = true}, \
        {"type", "TYPE,...", "only jobs of these types", .member = "type"}, \
        {"priority", "NAME,...", "only jobs of these priorities", PRIORITIES, \
         .member = "priority", .several = true}, \
        {"tenant", "NAME", "only jobs of this tenant (WARREN_ADMIN_KEY)", .member = "tenant"}, \
        {"after", "TIME", "only jobs created after (RFC 3339)", .member = "created_after"}, \
        {"before", "TIME", "only jobs created before (RFC 3339)", .member = "created_before"}, \
        {"search", "TEXT", "only jobs with this text in payload or error", .member = "q"}

static const struct option tail_options[] = {
        {"kind", "KIND,...", "only these kinds of events", KINDS, .several = true},
        {"status", "STATUS,...", "only events that lead to one of these statuses", STATUSES,
         .member = "status", .several = true},
        {"type", "TYPE,...", "only jobs of these types", .member = "types"},
        {"job", "ID,...", "only these jobs", .member = "job"},
        {"tenant", "NAME", "only jobs of this tenant (WARREN_ADMIN_KEY)", .member = "tenant"},
        {"counts", .help = "show how many jobs have which status, once a second, instead"},
        {"since-offset", "N", .help = "go on after this offset of an earlier --json"},
        {0},
};

static const struct option list_options[] = {
        JOB_FILTERS,
        {"sort", "ORDER", "newest first, or oldest first", "-created_at created_at",
         .member = "sort"},
        {"fields", "NAME,...", "only these members of each job: id,status,created_at",
         .member = "fields"},
        {"count", .help = "say how many jobs match, up to 10000", .member = "count"},
        LIST_OPTIONS,
        {0},
};

static const struct option type_list_options[] = {
        {"tenant", "NAME", "as this tenant sees them (WARREN_ADMIN_KEY)", .member = "tenant"},
        {"limit", "N", "list at most N (up to 1000)", .member = "limit"},
        {"cursor", "CURSOR", "continue a list at the cursor that it printed", .member = "cursor"},
        {0},
};

static const struct option type_show_options[] = {
        {"tenant", "NAME", .help = "as this tenant sees it (WARREN_ADMIN_KEY)"},
        {0},
};

static const struct option stats_options[] = {
        {"tenant", "NAME", "only jobs of this tenant (WARREN_ADMIN_KEY)", .member = "tenant"},
        {"minutes", "N", "show the last N minutes instead (up to 1440)", .member = "minutes"},
        {"step", "N", "with --minutes: a row for N minutes", "1 2 5 10 15 30 60", .member = "step"},
        {0},
};

static const struct option act_options[] = {
        JOB_FILTERS,
        {"yes", .help = "with filters: do not ask"},
        {"dry-run", .help = "with filters: show what matches, and change nothing"},
        {"wait", .help = "with IDs: wait until they have ended"},
        {0},
};

static const struct option one_act_options[] = {
        {"tenant", "NAME", .help = "the jobs are " OF_TENANT},
        {0},
};

static const struct option reschedule_options[] = {
        {"at", "TIME", "do not start before this time (RFC 3339)", .member = "run_at"},
        {"in", "DURATION",
         .help = "do not start before this time has passed: 30s, 5m, 2d; at most 365d"},
        {"tenant", "NAME", .help = "the job is " OF_TENANT},
        {0},
};

static const struct option operation_options[] = {
        {"wait", .help = "follow it until it has ended; exit code 1 when jobs failed"},
        {"abort", .help = "end it; what it has done stays"},
        {"tenant", "NAME", .help = "it is " OF_TENANT},
        {0},
};

static const struct option operations_options[] = {
        {"state", "STATE", "only operations in this state", "running done aborted failed",
         .member = "state"},
        {"tenant", "NAME", "only " OF_TENANT, .member = "tenant"},
        LIST_OPTIONS,
        {0},
};

#define PAUSE_OPTIONS \
        {"tenant", "NAME", "all types of this tenant; with TYPE: this type of it", \
         .member = "tenant"}, \
        {"all-tenants", .help = "with TYPE: of all tenants (WARREN_ADMIN_KEY)"}

static const struct option pause_options[] = {
        PAUSE_OPTIONS,
        {"list", .help = "list what is paused, and how many jobs are parked"},
        {0},
};

static const struct option resume_options[] = {
        PAUSE_OPTIONS,
        {0},
};

static const struct option workers_options[] = {
        {"running", .help = "list the jobs that they run"},
        LIST_OPTIONS,
        {0},
};

static const struct option queues_options[] = {
        {"tenant", "NAME", "only queues of this tenant (WARREN_ADMIN_KEY)", .member = "tenant"},
        LIST_OPTIONS,
        {0},
};

static const struct option audit_options[] = {
        {"by", "KEY", "only acts of this key", .member = "by"},
        {"what", "ACT", "only these acts: tenant.change, or tenant.* for all of tenants",
         .member = "what"},
        {"target", "TARGET", "only acts on this: tenant/acme", .member = "target"},
        {"tenant", "NAME", "only acts on this tenant (WARREN_ADMIN_KEY)", .member = "tenant"},
        {"after", "TIME", "only acts after (RFC 3339)", .member = "after"},
        {"before", "TIME", "only acts before (RFC 3339)", .member = "before"},
        LIST_OPTIONS,
        {0},
};

static const struct option key_rotate_options[] = {
        {"overlap", "DURATION", "how long the old key stays valid: 24h (the default), or 0", .member = "overlap"},
        {"expires", "WHEN", .help = "the new key is not valid after: 90d, or RFC 3339"},
        {0},
};

#define TENANT_OPTIONS \
        {"rate", "N/DURATION", "submissions over HTTP: 10/1m, or unlimited", .member = "rate"}, \
        {"burst", "N", "submissions at once; without it the N of --rate", .member = "burst", \
         .number = true}, \
        {"max-running", "N|unlimited", "jobs running at once over all consumers: 1 to 10000", \
         .member = "max_running", .number = true}, \
        {"max-pending", "N|unlimited", "jobs waiting", \
         .member = "max_pending", .number = true}, \
        {"weight", "N", "its share of busy consumers relative to other tenants: 1 to 1000", \
         .member = "weight", .number = true}, \
        {"amqp-login", .help = "also create an AMQP login that may publish its jobs", \
         .member = "amqp_login"}

static const struct option tenant_add_options[] = {
        TENANT_OPTIONS,
        {"reuse", .help = "allow it when a deleted tenant of this name left jobs or dead letters"},
        {0},
};

static const struct option tenant_set_options[] = {
        TENANT_OPTIONS,
        {0},
};

static const struct option type_set_options[] = {
        {"max-running", "N|unlimited", "jobs running at once over all consumers: 1 to 10000",
         .member = "max_running", .number = true},
        {"max-rate", "N/DURATION", "starts over all consumers: 10/1s, or unlimited",
         .member = "max_rate"},
        {0},
};

static const struct option tenant_rm_options[] = {
        {"force", .help = "allow it when jobs have not ended; they are dropped"},
        {0},
};

static const struct option key_add_options[] = {
        {"scopes", "LIST", .help = "submit,read,operate (the default), or some of them"},
        {"name", "TEXT", "what it is for, at most 64 bytes", .member = "name"},
        {"expires", "WHEN", .help = "not valid after: 90d, or a time (RFC 3339)"},
        {0},
};

static const struct option dlq_list_options[] = {
        {"tenant", "NAME", "only letters of this tenant (WARREN_ADMIN_KEY)", .member = "tenant"},
        {"job", "ID", "only letters of this job", .member = "job"},
        {"type", "TYPE", "only letters of this type", .member = "type"},
        {"reason", "REASON", "only letters with this reason",
         "permanent exhausted no_handler malformed unroutable poison delivery_limit expired",
         .member = "reason"},
        {"state", "STATE", "only letters in this state", "dead replayed discarded",
         .member = "state"},
        {"group", "GROUP", "only letters of this group", .member = "group"},
        {"search", "TEXT", "only letters with this text in payload or error", .member = "q"},
        LIST_OPTIONS,
        {0},
};

static const struct option letter_options[] = {
        {"tenant", "NAME", .help = "the letter is " OF_TENANT},
        {0},
};

static const struct option requeue_options[] = {
        {"payload", "JSON", .help = "replace the payload"},
        {"type", "TYPE", "replace the type", .member = "type"},
        {"priority", "NAME", "replace the priority", PRIORITIES, "priority", .number = true},
        {"run-at", "TIME|now", .help = "replace the start time (RFC 3339); now: at once"},
        {"tenant", "NAME", .help = "the letters are " OF_TENANT},
        {0},
};

#define EVENTS_OPTIONS \
        {"events-max-bytes", "SIZE", .help = "maximum size of the event stream (default 10 GB)"}, \
        {"events-max-age", "DURATION", .help = "maximum age of events in it (default 7d)"}

static const struct option apply_options[] = {
        EVENTS_OPTIONS,
        {"accounts", "DIR",
         .help = "also create the services' logins; passwords in DIR/<login>.password"},
        {0},
};

static const struct option doctor_options[] = {
        {"fix", .help = "replace the tokens of limits that have lost some"},
        {0},
};

static const struct option events_options[] = {
        EVENTS_OPTIONS,
        {0},
};

#define BATCH_MORE \
        "warren submit --batch FILE: a job in each line, or an array of jobs, as in a request\n" \
        "to the API: {\"type\": \"echo\", \"payload\": {}}. Priority, expires, tenant_id and\n" \
        "the like are members of each job; there is no default for all. When it was stopped,\n" \
        "the same command goes on, within 23 hours: each job has a key, KEY/<line>, and is not\n" \
        "made twice. FILE.warren-batch holds how far it is. With - go on by --key KEY and the\n" \
        "same input. Refused jobs are written to FILE.refused, with their lines; then the exit\n" \
        "code is 6. Correct them in FILE, and give the command that was printed:\n" \
        "--restart --key KEY submits what was not accepted in the last 24 hours. After an end\n" \
        "without refused jobs the same command makes all jobs again. The ids of the jobs are\n" \
        "not told."
#define SLOTS_MORE \
        "Each job takes a token while it runs (or starts, for a rate). When some were lost,\n" \
        "fewer jobs run than the limit allows: 'warren doctor' finds it, 'warren doctor --fix'\n" \
        "does this for every limit that needs it. Jobs that run go on; until they end, more\n" \
        "jobs than the limit allows may run."
#define ACT_MORE \
        "With filters instead of IDs it shows how many jobs match and asks; about more than 100\n" \
        "jobs it asks for their number. Then it follows the operation, which goes on after\n" \
        "Ctrl-C. Jobs that come after the preview are left alone."
#define ACT_CODES \
        "Exit code 1 when jobs of a filter failed, or one of --wait did not end as it should,\n" \
        "2 without --yes where nobody can be asked, 6 when the answer was no, or when it was\n" \
        "done for some of the IDs only."
#define PAUSE_EXAMPLES(verb) \
        "  warren " verb " export                     this type, of WARREN_API_KEY's tenant\n" \
        "  warren " verb " export --tenant acme       this type of one tenant\n" \
        "  warren " verb " export --all-tenants       this type of all\n" \
        "  warren " verb " --tenant acme              all of a tenant's jobs"
#define ADMIN_NEEDS "Needs WARREN_ADMIN_AMQP_URL (amqp://login:password@host:5672/warren)"
#define MANAGEMENT_NEEDS "WARREN_MANAGEMENT_URL (http://login:password@host:15672)"

const struct command command_table[] = {
        {"submit", NULL, "TYPE [JSON|@FILE|-]", 0, 2, "submit a job, or the jobs in a file",
         submit_options, JSON_SOURCES "\n\n" BATCH_MORE, command_submit},
        {"get", NULL, "ID", 1, 1, "show a job and its attempts", get_options, NULL, command_get},
        {"list", NULL, "", 0, 0, "list jobs, the newest first", list_options, NULL, command_list},
        {"watch", NULL, "[ID]", 0, 1, "follow one job until it has ended, or all jobs", NULL,
         "Without ID it runs until Ctrl-C.", command_watch},
        {"tail", NULL, "", 0, 0, "print what happens to jobs, as it happens", tail_options,
         "An event a line, until Ctrl-C; then the exit code is 0. When the connection is lost it\n"
         "connects again and goes on where it was. What was missed, if anything, is told on\n"
         "standard error; with --json in lines {\"gap\": …} and {\"dropped\": …} among the events.\n\n"
         "  warren tail --kind failed,dlq              what goes wrong\n"
         "  warren tail --type export --json | jq      for programs",
         command_tail},
        {"find", NULL, "TEXT", 1, 1, "find jobs by id or its beginning, trace id, idempotency key",
         find_options, "The beginning of an id has 6 digits or more. At most 20 jobs are listed.",
         command_find_jobs},
        {"why", NULL, "ID", 1, 1, "say why a job waits", one_job_options, NULL, command_why},
        {"cancel", NULL, "[ID...]", 0, WORDS_MAX, "cancel jobs, by ID or by filters", act_options,
         "What has not started never starts; what runs is told to stop. A completed or dead job\n"
         "cannot be cancelled.\n\n" ACT_MORE "\n\n"
         "  warren cancel 0190a3f0-6c1e-7d3a-9b52-3c5e0f6a1b2c\n"
         "  warren cancel --type export --status pending,scheduled\n\n"
         ACT_CODES, command_cancel},
        {"run-now", NULL, "[ID...]", 0, WORDS_MAX, "start now what is scheduled or in backoff",
         act_options, ACT_MORE "\n\n" ACT_CODES, command_run_now},
        {"retry", NULL, "ID...", 1, WORDS_MAX, "run ended jobs again", one_act_options,
         "Each begins a new run, at attempt 1. At most 100 IDs, without filters. Dead letters with\n"
         "changes: warren dlq requeue.",
         command_retry},
        {"reschedule", NULL, "ID", 1, 1, "change when a job starts", reschedule_options,
         "The job must wait: one that runs or has ended is refused.", command_reschedule},
        {"priority", NULL, "ID NAME", 2, 2, "change the priority of a job that waits",
         one_act_options, "NAME is critical, high, medium or low.", command_priority},
        {"forget", NULL, "ID...", 1, WORDS_MAX, "delete ended jobs", one_act_options,
         "Their records, payloads and dead letters are deleted. They cannot be brought back.\n"
         "At most 100 IDs, without filters.",
         command_forget},
        {"operation", NULL, "ID", 1, 1, "show, follow or end an operation on many jobs",
         operation_options, NULL, command_operation},
        {"operations", NULL, "", 0, 0, "list operations, the newest first", operations_options,
         "They are kept for 30 days.", command_operations},
        {"pause", NULL, "[TYPE]", 0, 1, "start no more jobs of a tenant, a type, a tenant's type",
         pause_options, "Jobs that run go on; what waits is kept.\n\n" PAUSE_EXAMPLES("pause"),
         command_pause},
        {"resume", NULL, "[TYPE]", 0, 1, "end a pause", resume_options,
         "Each pause is ended as it was made: that of all tenants does not end with one tenant's."
         "\n\n" PAUSE_EXAMPLES("resume"),
         command_resume},
        {"workers", NULL, "", 0, 0, "list consumers", workers_options, NULL, command_workers},
        {"queues", NULL, "", 0, 0, "list queues by tenant and lane", queues_options, NULL,
         command_queues},
        {"audit", NULL, "", 0, 0, "list administrative acts, the newest first", audit_options,
         "Acts: job.cancel job.run_now job.move job.retry job.forget\n"
         "      jobs.cancel jobs.run_now jobs.cancel.preview jobs.run_now.preview operation.abort\n"
         "      tenant.create tenant.change tenant.delete tenant.pause tenant.resume tenant.slots\n"
         "      type.change type.pause type.resume type.slots letter.requeue\n"
         "      key.create key.rotate key.revoke session.begin session.end",
         command_audit},
        {"stats", NULL, "", 0, 0, "show jobs by status, throughput, latency", stats_options, NULL,
         command_stats},
        {"dlq", "list", "", 0, 0, "list dead letters", dlq_list_options, NULL, command_dlq_list},
        {"dlq", "show", "LETTER", 1, 1, "show a dead letter", letter_options, NULL,
         command_dlq_show},
        {"dlq", "requeue", "LETTER...", 1, WORDS_MAX, "run dead letters' jobs again",
         requeue_options, JSON_SOURCES, command_dlq_requeue},
        {"tenant", "add", "NAME", 1, 1, "create a tenant and its first key", tenant_add_options,
         "Without options: 10 submissions a minute over HTTP, 5 jobs running at once.",
         command_tenant_add},
        {"tenant", "list", "", 0, 0, "list tenants", NULL, NULL, command_tenant_list},
        {"tenant", "show", "NAME", 1, 1, "show a tenant, its limits and what it uses now", NULL,
         NULL, command_tenant_show},
        {"tenant", "set", "NAME", 1, 1, "change a tenant's limits", tenant_set_options, NULL,
         command_tenant_set},
        {"tenant", "rm", "NAME", 1, 1, "delete a tenant", tenant_rm_options, NULL,
         command_tenant_rm},
        {"tenant", "slots", "NAME", 1, 1, "make new tokens for its max running", NULL,
         SLOTS_MORE, command_tenant_slots},
        {"type", "list", "", 0, 0, "list job types: jobs, workers, last hour, limits",
         type_list_options, NULL, command_type_list},
        {"type", "show", "TYPE", 1, 1, "show a job type and its last hour",
         type_show_options, NULL, command_type_show},
        {"type", "set", "TYPE", 1, 1, "change the limits of a job type", type_set_options,
         "Each limit counts over all tenants and consumers. A consumer's own limit is the\n"
         "type's concurrency in its handlers.json.", command_type_set},
        {"type", "slots", "TYPE", 1, 1, "make new tokens for its max running and max rate",
         NULL, SLOTS_MORE, command_type_slots},
        {"key", "add", "TENANT", 1, 1, "create an API key; it is shown only once",
         key_add_options, NULL, command_key_add},
        {"key", "list", "[TENANT]", 0, 1, "list API keys, with when they were used last", NULL,
         "Without TENANT: those of all tenants, and admin keys.", command_key_list},
        {"key", "rotate", "KEY-ID", 1, 1, "replace an API key; both are valid for some time",
         key_rotate_options, "The new key has the old one's name, tenant and scopes; it is shown "
         "only once.", command_key_rotate},
        {"key", "rm", "[TENANT] KEY-ID", 1, 2, "revoke an API key", NULL, NULL, command_key_rm},
        {"topology", "apply", "", 0, 0, "declare what Warren needs in its vhost", apply_options,
         ADMIN_NEEDS "\nand " MANAGEMENT_NEEDS ".", command_topology_apply},
        {"topology", "export", "", 0, 0, "print the topology as RabbitMQ definitions",
         events_options, NULL, command_topology_export},
        {"topology", "check", "", 0, 0, "compare the broker with the topology", events_options,
         "Needs " MANAGEMENT_NEEDS ". Exit code 1 when they differ.", command_topology_check},
        {"doctor", NULL, "", 0, 0, "find what is wrong, and say what to do", doctor_options,
         "Shows what the gateway and the services found. Checks the broker itself when\n"
         "WARREN_MANAGEMENT_URL is set, or nothing else can: that takes 30 s longer, at most 60 s,\n"
         "when tokens of a limit seem to be lost. With --fix it asks for new ones and waits\n"
         "until they are in force, a minute at most for each limit.\n"
         "Exit code 1 when something is wrong and was not fixed; with --fix also when something\n"
         "could not be checked.",
         command_doctor},
        {"completion", NULL, "SHELL", 1, 1, "print a completion script for bash, zsh or fish",
         NULL, "bash: source <(warren completion bash)\nzsh:  source <(warren completion zsh)\n"
         "fish: warren completion fish | source", command_completion},
        {0},
};
/* clang-format on */
