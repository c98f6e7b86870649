/* SPDX-License-Identifier: Apache-2.0
 * The one table of commands: what is found, nearest to a misspelt word, and listed by --help.
 */
#include "cmd.h"
#include "out.h"

const Opt cli_plain_options[] = {CLI_COMMON_OPTIONS};

const CliCommand *const cli_commands[] = {
    &cmd_submit,
    &cmd_task_list,
    &cmd_task_show,
    &cmd_task_why,
    &cmd_task_log,
    &cmd_task_err,
    &cmd_task_stop,
    &cmd_task_kill,
    &cmd_task_sleep,
    &cmd_task_wake,
    &cmd_task_retry,
    &cmd_task_reinit,
    &cmd_task_ack,
    &cmd_task_delete,
    &cmd_task_set,
    &cmd_task_run,
    &cmd_task_requeue,
    &cmd_queue_show,
    &cmd_queue_manual,
    &cmd_queue_auto,
    &cmd_queue_hold,
    &cmd_queue_release,
    &cmd_queue_purge,
    &cmd_tasklet_list,
    &cmd_schedule_list,
    &cmd_schedule_show,
    &cmd_schedule_diff,
    &cmd_schedule_apply,
    &cmd_schedule_dump,
    &cmd_schedule_enable,
    &cmd_schedule_disable,
    &cmd_schedule_run_now,
    &cmd_schedule_forecast,
    &cmd_result_list,
    &cmd_result_show,
    &cmd_result_path,
    &cmd_result_verify,
    &cmd_result_fetch,
    &cmd_restore,
    &cmd_replica_list,
    &cmd_replica_invite,
    &cmd_replica_add,
    &cmd_replica_reprovision,
    &cmd_replica_remove,
    &cmd_replica_pause,
    &cmd_replica_resume,
    &cmd_replica_cordon,
    &cmd_replica_uncordon,
    &cmd_replica_drain,
    &cmd_replica_check,
    &cmd_cluster_status,
    &cmd_cluster_primary,
    &cmd_cluster_failover,
    &cmd_cluster_switchover,
    &cmd_cluster_failovers,
    &cmd_cluster_maintenance,
    &cmd_cluster_open,
    &cmd_cluster_reset_term,
    &cmd_start,
    &cmd_stop,
    &cmd_halt,
    &cmd_restart,
    &cmd_status,
    &cmd_monitor,
    &cmd_events,
    &cmd_import_bibsched,
    &cmd_check,
    &cmd_bootstrap,
    &cmd_init,
    &cmd_cert_init,
    &cmd_cert_issue,
    &cmd_completion,
    &cmd_man,
    NULL,
};

char *cli_command_name(const CliCommand *c)
{
    return c->group ? xasprintf("%s %s", c->group, c->name) : xstrdup(c->name);
}

void cli_write_help(const CliCommand *c, Str *out)
{
    AUTOFREE char *name = cli_command_name(c);
    AUTOFREE char *usage = xasprintf("siding %s [options]%s%s%s", name, c->args ? " " : "",
                                     c->args ? c->args : "", c->takes_rest ? " [-- argument…]" : "");
    AUTOFREE char *intro = xasprintf("%s%s%s", c->summary, c->detail ? " " : "", c->detail ? c->detail : "");
    opts_write_help(c->options, usage, intro, out);
}

static void write_commands(const char *group, Str *out)
{
    AUTO(table_done) Table t = TABLE_INIT;
    for (const CliCommand *const *c = cli_commands; *c; c++) {
        if (group && !str_eq((*c)->group, group))
            continue;
        AUTOFREE char *name = cli_command_name(*c);
        AUTOFREE char *shown =
            xasprintf("  %s%s%s", name, (*c)->args ? " " : "", (*c)->args ? (*c)->args : "");
        table_row(&t, (const char *[]){shown, (*c)->summary, NULL});
    }
    table_write(&t, 0, out);
}

void cli_write_overview(const char *group, Str *out)
{
    if (group) {
        str_addf(out, "Usage: siding %s VERB [options] [words]\n\n", group);
        write_commands(group, out);
        return;
    }
    str_adds(out,
             "Usage: siding [--config FILE] [--json] COMMAND [options] [words]\n\n"
             "Steers Siding's coordinator. Data goes to stdout, messages to stderr; exit status 0 only on "
             "success,\n1 on failure, 2 on wrong usage. siding COMMAND --help shows its options. On a "
             "terminal siding "
             "without a\nCOMMAND opens the monitor.\n\n");
    write_commands(NULL, out);
}
