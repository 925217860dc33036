/* SPDX-License-Identifier: Apache-2.0
 *
 * cli.h: what all commands of `warren` use.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "ui/cli/arguments.h"
#include "ui/cli/settings.h"

enum exit_code {
        EXIT_DONE = 0,
        EXIT_JOB_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NOT_FOUND = 3,
        EXIT_NOT_ALLOWED = 4,
        EXIT_UNREACHABLE = 5,
        EXIT_REFUSED = 6,
        EXIT_LIMITED = 7,
        EXIT_INTERRUPTED = 130, /* the shell's exit code after Ctrl-C */
};

struct http_client;

struct cli {
        struct arguments arguments;
        struct settings settings;
        bool json;                      /* --json: print answers as JSON, one per line */
        bool colours;                   /* standard output is a terminal with colours */
        bool terminal;                  /* standard output is a terminal */
        unsigned width, height;         /* the terminal's columns and rows; 0: unknown */
        struct http_client *clients[2]; /* by enum api_role; created when first used */
        /* NULL, or a flag that ends calls when it is not 0. Set it before the first call. */
        const volatile sig_atomic_t *stop;
        /* NULL, or called about once a second while a call waits. Set it before the first call. */
        void (*waiting)(void *owner);
        void *waiting_owner;
        const char *about;     /* with several arguments, the one a failure is about; or NULL */
        const char *submitted; /* id of the accepted job, which every failure names; or NULL */
};

typedef enum exit_code command_fn(struct cli *c);

/* Prints an error on standard error, as JSON with --json. Returns code. */
enum exit_code cli_fail(const struct cli *c, enum exit_code code, const char *format, ...)
        PRINTF_LIKE(3, 4);
/* If a job was submitted, adds a line about how to wait for it, or with --json its id as a member.
 */
void cli_add_submitted(const struct cli *c, struct buffer *out);
/* Adds " --tenant NAME" when it was given, quoted for a shell: to a command that is suggested. */
void cli_add_tenant(const struct cli *c, struct buffer *out);
enum exit_code cli_fail_err(const struct cli *c, const struct err *e);
/* Says on standard error what a command that takes some time does; nothing with --json. */
void cli_note(const struct cli *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* Writes to standard output. EXIT_REFUSED when that fails. A closed pipe (`| head -1`) is not a
 * failure: the text is dropped. Nor is a caught signal, when the output's reader takes nothing. */
enum exit_code cli_print(const struct cli *c, struct bytes text);
/* False when standard output is a closed pipe: a command that only prints may end. */
bool cli_has_reader(void);
/* As cli_print, by show_json, with a line break. */
enum exit_code cli_print_json(const struct cli *c, struct bytes json);

/* From now on Ctrl-C and SIGTERM set the stop flag and do not end the process. */
void cli_catch_interrupts(void);
/* The stop flag: 0, or the number of the signal that came. */
const volatile sig_atomic_t *cli_interrupt(void);
/* Ends the process by the signal that came, so that a shell's loop around it ends too. Returns when
 * none came. */
void cli_pass_interrupt_on(void);

/* The n-th word or NULL; an option's value or NULL. */
const char *cli_word(const struct cli *c, int n);
const char *cli_option(const struct cli *c, const char *name);
bool cli_has(const struct cli *c, const char *name);

command_fn command_submit, command_get, command_list, command_watch, command_tail, command_stats;
command_fn command_find_jobs, command_why, command_workers, command_queues, command_audit;
command_fn command_cancel, command_run_now, command_retry, command_reschedule, command_priority;
command_fn command_forget, command_operation, command_operations, command_pause, command_resume;
command_fn command_tenant_add, command_tenant_list, command_tenant_show, command_tenant_set;
command_fn command_tenant_rm, command_tenant_slots;
command_fn command_key_add, command_key_list, command_key_rotate, command_key_rm;
command_fn command_type_list, command_type_show, command_type_set, command_type_slots;
command_fn command_dlq_list, command_dlq_show, command_dlq_requeue;
command_fn command_topology_apply, command_topology_export, command_topology_check;
command_fn command_doctor, command_completion;
