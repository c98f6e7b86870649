/* SPDX-License-Identifier: Apache-2.0
 * siding monitor: the queue and the replicas on one screen, with keys.
 */
#include "client.h"
#include "orchestrator/terminal/terminal.h"
#include "when.h"

typedef struct MonitorCommand {
    CliCommon common;
    bool read_only, by_hand_only;
} MonitorCommand;

static const Opt monitor_options[] = {
    {"read-only", 0, OPT_FLAG, offsetof(MonitorCommand, read_only),
     .doc = "Look only: no key changes anything. Who may only look, by his role, needs no such option."},
    {"only-in-manual", 0, OPT_FLAG, offsetof(MonitorCommand, by_hand_only),
     .doc =
         "As BibSched did: in automatic mode look only; what changes something wants manual mode first (a)."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run)
{
    const MonitorCommand *o = options;
    AUTOFREE char *user = cli_user();
    (void)words;
    (void)rest;
    return terminal_run(
        &(TerminalSetup){cli->url, user, &cli->config.tls, when_parse, o->read_only, o->by_hand_only}, err);
}

const CliCommand cmd_monitor = {
    .name = "monitor",
    .summary = "Watch and steer the queue on a screen with keys; ? there lists them.",
    .detail =
        "For a terminal of 60 columns and 16 lines or more. Colours are left out where NO_COLOR is set.",
    .options = monitor_options,
    .size = sizeof(MonitorCommand),
    .run = run,
};
