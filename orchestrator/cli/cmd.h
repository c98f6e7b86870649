/* SPDX-License-Identifier: Apache-2.0
 * Commands of siding: one file cmd_<group>.c each, its option tables first, found through the one table in
 * commands.c. Data goes to stdout, messages to stderr. A command returns false with `err` set to fail; with
 * an empty err->text it has said all there is to say itself.
 */
#pragma once

#include "common/base/opts.h"
#include "common/file/json.h"
#include "common/net/coordconf.h"

/* First member of every command's option struct. */
typedef struct CliCommon {
    char *config;
    bool json;
} CliCommon;

/* Last rows of every command's option table. */
#define CLI_COMMON_OPTIONS                                                                                   \
    {"config",                                                                                               \
     'c',                                                                                                    \
     OPT_STR,                                                                                                \
     offsetof(CliCommon, config),                                                                            \
     .arg = "FILE",                                                                                          \
     .doc =                                                                                                  \
         "sidingd.conf, a client's file, or sidingd's address such as unix:/path; else SIDING_CONFIG, else " \
         "/etc/siding/sidingd.conf or client.conf, else the socket in /run/siding.",                         \
     .section = "Common options"},                                                                           \
        {"json", 0, OPT_FLAG, offsetof(CliCommon, json), .doc = "Print JSON."},                              \
    {                                                                                                        \
        0                                                                                                    \
    }

typedef struct Cli {
    char *config_path;
    SidingConfig config; /* loaded when the command `needs` it; of a client's file only tls */
    bool whole;          /* it is all of sidingd.conf */
    char *url;           /* of sidingd */
    bool json;
} Cli;

#define CLI_RUN(name)                                                                                        \
    bool name(Cli *cli, const void *options, const StrList *words, const StrList *rest, Err *err)

typedef enum CliNeeds {
    CLI_NEEDS_SIDINGD,
    CLI_NEEDS_CONFIG, /* all of sidingd.conf */
    CLI_NEEDS_PATH,
    CLI_NEEDS_NOTHING
} CliNeeds;

typedef struct CliCommand {
    const char *group; /* "task"; NULL: the verb stands alone */
    const char *name;
    const char *args;    /* shown: "ID…" */
    const char *summary; /* one line of siding --help */
    const char *detail;  /* more for --help of the command; may be NULL */
    const Opt *options;
    size_t size; /* of the option struct */
    size_t min_words, max_words;
    bool takes_rest; /* words behind "--" */
    CliNeeds needs;
    bool (*run)(Cli *cli, const void *options, const StrList *words, const StrList *rest, Err *err);
} CliCommand;

/* Each stands in its group's file; cli_commands (commands.c) lists them, ended by NULL. */
extern const CliCommand cmd_submit, cmd_task_list, cmd_task_show, cmd_task_why, cmd_task_log, cmd_task_err,
    cmd_task_stop, cmd_task_kill, cmd_task_sleep, cmd_task_wake, cmd_task_retry, cmd_task_reinit,
    cmd_task_ack, cmd_task_delete, cmd_task_run, cmd_task_requeue, cmd_queue_show, cmd_queue_manual,
    cmd_queue_auto, cmd_queue_hold, cmd_queue_release, cmd_replica_cordon, cmd_replica_uncordon,
    cmd_replica_drain, cmd_task_set, cmd_queue_purge, cmd_tasklet_list, cmd_schedule_list, cmd_schedule_show,
    cmd_schedule_diff, cmd_schedule_apply, cmd_schedule_dump, cmd_schedule_enable, cmd_schedule_disable,
    cmd_schedule_run_now, cmd_schedule_forecast, cmd_result_list, cmd_result_show, cmd_result_path,
    cmd_result_verify, cmd_result_fetch, cmd_restore, cmd_replica_list, cmd_replica_pause, cmd_replica_resume,
    cmd_replica_check, cmd_replica_invite, cmd_replica_add, cmd_replica_reprovision, cmd_replica_remove,
    cmd_cluster_status, cmd_cluster_primary, cmd_cluster_reset_term, cmd_events, cmd_status, cmd_monitor,
    cmd_completion, cmd_man, cmd_check, cmd_bootstrap, cmd_cert_init, cmd_cert_issue, cmd_init;
extern const CliCommand cmd_import_bibsched, cmd_cluster_open, cmd_cluster_failover, cmd_cluster_switchover,
    cmd_cluster_failovers, cmd_cluster_maintenance, cmd_start, cmd_stop, cmd_halt, cmd_restart;
extern const CliCommand *const cli_commands[];

/* main.c's work, apart from the process: the exit status of the contract (0, 1 failure, 2 usage). */
int cli_main(int argc, char **argv);
/* Usage, options and text of one command; the verbs of a group, NULL: of all. */
void cli_write_help(const CliCommand *c, Str *out);
void cli_write_overview(const char *group, Str *out);
/* "task list", owned. */
char *cli_command_name(const CliCommand *c);

/* For commands that take the common options only. */
typedef struct CliPlain {
    CliCommon common;
} CliPlain;
extern const Opt cli_plain_options[];
