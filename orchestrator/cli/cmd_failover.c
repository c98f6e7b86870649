/* SPDX-License-Identifier: Apache-2.0
 * siding cluster failover, switchover, failovers, maintenance: a new primary, and what became of it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "common/base/clock.h"
#include "out.h"
#include "when.h"

enum { LOOK_MS = 200 };

/* ---- what would be done ----------------------------------------------------------------------------- */

static void print_reasons(const json_t *list, const char *before, Str *out)
{
    size_t i;
    const json_t *text;
    json_array_foreach((json_t *)list, i, text) str_addf(out, "%s%s\n", before, json_string_value(text));
}

static void print_loss(const json_t *loss, Str *out)
{
    const json_t *lines = json_object_get(loss, "lines"), *text;
    size_t i;
    str_adds(out, json_bool(loss, "nothing") ? "if it were replaced now: " : "if it were replaced now:\n");
    json_array_foreach((json_t *)lines, i, text)
        str_addf(out, "%s%s\n", json_bool(loss, "nothing") ? "" : "  ", json_string_value(text));
    if (!json_bool(loss, "majority"))
        str_adds(
            out,
            "  no majority of the agents answers: a person decides, who has seen that its host is off\n");
    str_addf(out, "by: %s\n", json_str(loss, "command"));
}

static void print_plan(const json_t *plan)
{
    AUTO(str_done) Str out = STR_INIT;
    const json_t *nodes = json_object_get(plan, "nodes"), *n;
    size_t i;
    str_addf(&out, "primary %s: %s\n", json_str(plan, "primary"), json_str(plan, "analysis"));
    str_addf(&out, "members %s; each commit waits for %" PRId64 " of them%s\n", json_str(plan, "members"),
             json_int(plan, "acks"),
             json_bool(plan, "strict") ? "" : ", but commits were seen that waited for nobody");
    if (json_bool(plan, "automatic"))
        str_adds(&out, "a dead primary is replaced without a person\n");
    else
        str_adds(&out, "no failover begins by itself:\n");
    print_reasons(json_object_get(plan, "obstacles"), "  ", &out);
    json_array_foreach((json_t *)nodes, i, n)
    {
        str_addf(&out, "%s %s become the primary%s\n", json_str(n, "name"),
                 json_bool(n, "can") ? "can" : "cannot", json_bool(n, "preferred") ? ", preferred" : "");
        print_reasons(json_object_get(n, "never"), "  ", &out);
        print_reasons(json_object_get(n, "avoid"), "  better not: ", &out);
    }
    print_loss(json_object_get(plan, "loss"), &out);
    out_text(str_z(&out));
}

static bool show_plan(Cli *cli, Err *err)
{
    AUTOJSON json_t *plan = NULL;
    if (!client_get(cli, "/v1/failover", &plan, err))
        return false;
    if (cli->json)
        out_json(plan);
    else
        print_plan(plan);
    return true;
}

/* ---- begin one and watch it ------------------------------------------------------------------------- */

static void print_step(const json_t *step)
{
    printf("%8.3f s  %s\n", (double)json_int(step, "ms") / 1000, json_str(step, "text"));
}

static void print_end(const json_t *o)
{
    char took[CLOCK_TEXT], without[CLOCK_TEXT];
    clock_format_duration(json_int(o, "took_ms"), took);
    clock_format_duration(json_int(o, "without_writes_ms"), without);
    printf("failover %" PRId64 ": %s%s%s, %s", json_int(o, "id"), json_str(o, "outcome"),
           *json_str(o, "to") ? " " : "", json_str(o, "to"), took);
    if (json_int(o, "without_writes_ms") >= 0)
        printf(", %s without writes", without);
    printf("\n");
}

/* A coordinator that is away for a moment goes on by itself. */
static bool watch(Cli *cli, int64_t id, int64_t limit_ms, json_t **ret, Err *err)
{
    size_t shown = 0;
    AUTOFREE char *path = xasprintf("/v1/failovers/%" PRId64, id);
    int64_t until = clock_mono_ms() + limit_ms;
    for (;;) {
        AUTOJSON json_t *o = NULL;
        bool ok = client_get(cli, path, &o, err);
        const json_t *steps = json_object_get(o, "steps");
        for (; ok && !cli->json && shown < json_array_size(steps); shown++)
            print_step(json_array_get(steps, shown));
        fflush(stdout);
        if (ok && *json_str(o, "outcome")) {
            *ret = json_incref(o);
            return true;
        }
        if (!ok && !err_is_transient(err))
            return false;
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TIMEOUT, 0,
                           "failover %" PRId64 " is not over; siding cluster failover show %" PRId64
                           " shows what it waits for",
                           id, id);
        clock_sleep_ms(LOOK_MS);
    }
}

static bool begin(Cli *cli, json_t *body, int64_t limit_ms, Err *err)
{
    AUTOJSON json_t *answer = NULL, *end = NULL;
    AUTOFREE char *user = cli_user();
    json_set_str(body, "by", user);
    if (!client_call(cli, "POST", "/v1/failover", body, API_TIMEOUT_MS, &answer, err) ||
        !watch(cli, json_int(answer, "id"), limit_ms, &end, err))
        return false;
    if (cli->json)
        out_json(end);
    else
        print_end(end);
    return str_eq(json_str(end, "outcome"), "promoted") ||
           err_set(err, ERR_REFUSED, 0, "it was %s%s%s", json_str(end, "outcome"),
                   *json_str(end, "why") ? ": " : "", json_str(end, "why"));
}

typedef struct FailoverCommand {
    CliCommon common;
    bool dry_run, accept_data_loss, force, old_primary_is_off, give_up;
    char *to, *wait;
} FailoverCommand;

static const Opt failover_options[] = {
    {"dry-run", 0, OPT_FLAG, offsetof(FailoverCommand, dry_run),
     .doc = "Only show who could become the primary, why not, and what would be lost."},
    {"to", 0, OPT_STR, offsetof(FailoverCommand, to), .arg = "NODE",
     .doc = "This node and no other; left out: the one that has received most."},
    {"accept-data-loss", 0, OPT_FLAG, offsetof(FailoverCommand, accept_data_loss),
     .doc = "Go on without those that cannot be asked: commits that only they hold are lost."},
    {"force", 0, OPT_FLAG, offsetof(FailoverCommand, force),
     .doc = "Nobody waits for the old primary to close, and those that answer are enough. Only with "
            "--old-primary-is-off."},
    {"old-primary-is-off", 0, OPT_FLAG, offsetof(FailoverCommand, old_primary_is_off),
     .doc = "You have seen that its host is off, and stays off until a majority of the agents is back. "
            "Refused while it answers."},
    {"give-up", 0, OPT_FLAG, offsetof(FailoverCommand, give_up),
     .doc = "Give up the one that is under way, as long as no new primary is decided."},
    {"wait", 0, OPT_STR, offsetof(FailoverCommand, wait), .arg = "D", .fallback = "10m",
     .doc = "Watch it for so long; it goes on without you."},
    CLI_COMMON_OPTIONS,
};

static bool show_one(Cli *cli, const char *id, Err *err)
{
    AUTOJSON json_t *o = NULL;
    AUTOFREE char *path = xasprintf("/v1/failovers/%s", id);
    if (!client_get(cli, path, &o, err))
        return false;
    if (cli->json) {
        out_json(o);
        return true;
    }
    const json_t *steps = json_object_get(o, "steps");
    printf("failover %s of %s, %s, %s\n", id, json_str(o, "from"), json_str(o, "kind"),
           json_str(o, "began_at"));
    for (size_t i = 0; i < json_array_size(steps); i++)
        print_step(json_array_get(steps, i));
    if (*json_str(o, "outcome"))
        print_end(o);
    else
        printf("it is under way\n");
    return true;
}

static CLI_RUN(run_failover)
{
    const FailoverCommand *o = options;
    AUTOJSON json_t *body = json_object(), *answer = NULL;
    int64_t wait_ms;
    (void)rest;
    if (words->n) {
        if (words->n == 2 && str_eq(words->v[0], "show"))
            return show_one(cli, words->v[1], err);
        return err_set(err, ERR_USAGE, 0, "\"%s\": siding cluster failover, or failover show N", words->v[0]);
    }
    if (o->dry_run)
        return show_plan(cli, err);
    if (o->give_up)
        return client_call(cli, "POST", "/v1/failover/give-up", body, API_TIMEOUT_MS, &answer, err);
    if (o->force != o->old_primary_is_off)
        return err_set(err, ERR_USAGE, 0,
                       "--force and --old-primary-is-off go together: you say that its host is off");
    if (!clock_parse_duration(o->wait, &wait_ms))
        return err_set(err, ERR_USAGE, 0, "--wait %s: write a time such as 30s or 10m", o->wait);
    if (o->to)
        json_set_str(body, "to", o->to);
    json_set_bool(body, "accept_data_loss", o->accept_data_loss);
    json_set_bool(body, "old_primary_is_off", o->old_primary_is_off);
    return begin(cli, body, wait_ms, err);
}

const CliCommand cmd_cluster_failover = {
    .group = "cluster",
    .name = "failover",
    .args = "[show N]",
    .summary = "Make a replica the primary in place of one that is dead; show N: what failover N did.",
    .detail = "No acknowledged commit is lost; where that cannot be known it waits, and says what it lacks. "
              "Watched until it is over; it goes on without the one who asked.",
    .options = failover_options,
    .size = sizeof(FailoverCommand),
    .max_words = 2,
    .run = run_failover,
};

typedef struct SwitchoverCommand {
    CliCommon common;
    char *to, *wait, *kill_after;
} SwitchoverCommand;

static const Opt switchover_options[] = {
    {"to", 0, OPT_STR, offsetof(SwitchoverCommand, to), .arg = "NODE",
     .doc = "This node and no other; left out: the one that has received most."},
    {"kill-after", 0, OPT_STR, offsetof(SwitchoverCommand, kill_after), .arg = "D",
     .doc = "End sessions of long transactions or locks after D; left out: they keep it from beginning."},
    {"wait", 0, OPT_STR, offsetof(SwitchoverCommand, wait), .arg = "D", .fallback = "10m",
     .doc = "Watch it for so long; it goes on without you."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_switchover)
{
    const SwitchoverCommand *o = options;
    AUTOJSON json_t *body = json_object();
    int64_t wait_ms, kill_ms;
    (void)words;
    (void)rest;
    if (!clock_parse_duration(o->wait, &wait_ms))
        return err_set(err, ERR_USAGE, 0, "--wait %s: write a time such as 30s or 10m", o->wait);
    if (o->kill_after && (!clock_parse_duration(o->kill_after, &kill_ms) || kill_ms < 1))
        return err_set(err, ERR_USAGE, 0, "--kill-after %s: write a time such as 2s", o->kill_after);
    if (o->kill_after)
        json_set_int(body, "kill_after_ms", kill_ms);
    if (o->to)
        json_set_str(body, "to", o->to);
    json_set_bool(body, "switchover", true);
    return begin(cli, body, wait_ms, err);
}

const CliCommand cmd_cluster_switchover = {
    .group = "cluster",
    .name = "switchover",
    .summary = "Move the primary to another node while it lives.",
    .detail =
        "It is closed to writes for a moment, 5 seconds at most, and follows the new primary. Where that "
        "is not done in a moment it is refused, with the session in the way, or undone.",
    .options = switchover_options,
    .size = sizeof(SwitchoverCommand),
    .run = run_switchover,
};

/* ---- what was done ---------------------------------------------------------------------------------- */

static CLI_RUN(run_failovers)
{
    static const char *const head[] = {"ID", "BEGAN",   "KIND",           "FROM",
                                       "TO", "OUTCOME", "WITHOUT WRITES", NULL};
    AUTOJSON json_t *list = NULL;
    AUTO(table_done) Table t = TABLE_INIT;
    (void)options;
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/failovers", &list, err))
        return false;
    if (cli->json) {
        out_json(list);
        return true;
    }
    table_head(&t, "rlllllr", head);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        char id[24], began[OUT_TEXT] = "", without[CLOCK_TEXT] = "";
        int64_t at = 0;
        snprintf(id, sizeof id, "%" PRId64, json_int(o, "id"));
        if (clock_parse(json_str(o, "began_at"), &at))
            out_time(at, began);
        if (json_int(o, "without_writes_ms") > 0)
            clock_format_duration(json_int(o, "without_writes_ms"), without);
        table_row(&t, (const char *[]){id, began, json_str(o, "kind"), json_str(o, "from"), json_str(o, "to"),
                                       *json_str(o, "outcome") ? json_str(o, "outcome") : "under way",
                                       without, NULL});
    }
    out_table(&t);
    return true;
}

const CliCommand cmd_cluster_failovers = {
    .group = "cluster",
    .name = "failovers",
    .summary = "List failovers and switchovers, the newest last.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_failovers,
};

typedef struct MaintenanceCommand {
    CliCommon common;
    char *span;
} MaintenanceCommand;

static const Opt maintenance_options[] = {
    {"for", 0, OPT_STR, offsetof(MaintenanceCommand, span), .arg = "D", .fallback = "1h",
     .doc = "It ends by itself after this time."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_maintenance)
{
    const MaintenanceCommand *o = options;
    AUTOJSON json_t *body = json_object(), *answer = NULL;
    AUTOFREE char *user = cli_user();
    int64_t span_ms;
    bool on = str_eq(words->v[0], "on");
    (void)rest;
    if (!on && !str_eq(words->v[0], "off"))
        return err_set(err, ERR_USAGE, 0, "\"%s\" is neither on nor off", words->v[0]);
    if (!when_parse_span(o->span, &span_ms, err))
        return false;
    json_set_bool(body, "on", on);
    json_set_int(body, "for_ms", span_ms);
    json_set_str(body, "by", user);
    if (!client_call(cli, "POST", "/v1/maintenance", body, API_TIMEOUT_MS, &answer, err))
        return false;
    if (cli->json)
        out_json(answer);
    else if (on)
        printf("no failover begins by itself until %s\n", json_str(answer, "maintenance_until"));
    else
        printf("maintenance has ended\n");
    return true;
}

const CliCommand cmd_cluster_maintenance = {
    .group = "cluster",
    .name = "maintenance",
    .args = "on|off",
    .summary = "Let no failover begin by itself for a while.",
    .options = maintenance_options,
    .size = sizeof(MaintenanceCommand),
    .min_words = 1,
    .max_words = 1,
    .run = run_maintenance,
};
