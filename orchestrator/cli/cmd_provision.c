/* SPDX-License-Identifier: Apache-2.0
 * siding replica add, reprovision, remove: a server gets the data of a replica and becomes one; one is
 * counted out.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/bounds.h"
#include "view.h"

enum { LOOK_MS = 300 };

typedef struct Provision {
    CliCommon common;
    char *from, *wait, *confirm;
    int64_t max_rate;
    bool discards;
} Provision;

#define FIELD(name) offsetof(Provision, name)
#define FROM                                                                                                 \
    {                                                                                                        \
        "from", 0, OPT_STR, FIELD(from),                                                                     \
            .arg = "DONOR",                                                                                  \
            .doc = "The replica whose data are copied; left out: the one that is least behind."              \
    }
#define MAX_RATE                                                                                             \
    {                                                                                                        \
        "max-rate", 0, OPT_SIZE, FIELD(max_rate),                                                            \
            .arg = "SIZE", .min = BOUND_LEAST_RATE, .max = BOUND_MOST_BYTES,                                 \
            .doc = "Most bytes a second that are read from the donor; left out: as sidingd.conf says."       \
    }
#define WAIT                                                                                                 \
    {                                                                                                        \
        "wait", 0, OPT_STR, FIELD(wait),                                                                     \
            .arg = "D", .fallback = "7d",                                                                    \
            .doc = "Watch it for so long; it goes on without you. 0s: only begin it."                        \
    }

static const Opt add_options[] = {FROM, MAX_RATE, WAIT, CLI_COMMON_OPTIONS};

static const Opt reprovision_options[] = {
    FROM,
    MAX_RATE,
    WAIT,
    {"confirm", 0, OPT_STR, FIELD(confirm), .arg = "NODE",
     .doc = "The node's name again: what its server holds goes. Asked for on a terminal."},
    {"discard-its-transactions", 0, OPT_FLAG, FIELD(discards),
     .doc = "Also where it has transactions that nobody else has: they are lost."},
    CLI_COMMON_OPTIONS,
};

/* ---- watching --------------------------------------------------------------------------------------- */

static char *doing(const json_t *j, const FillState *f)
{
    AUTO(str_done) Str out = STR_INIT;
    const char *waits = json_str(j, "waits_for");
    if (str_eq(json_str(j, "phase"), "filling"))
        view_fill(f, clock_wall_ms(), &out);
    if (*waits)
        str_addf(&out, "%s%s", out.len ? "; " : "", waits);
    return xstrdup(out.len ? str_z(&out) : "waits for the coordinator");
}

/* A line for each phase, or one line that changes. `shown` is the phase of the last. */
static void show(const Cli *cli, const json_t *j, const FillState *f, char **shown)
{
    AUTOFREE char *phase = xasprintf("%s %d", json_str(j, "phase"), (int)f->phase);
    bool smart = out_is_smart(STDERR_FILENO);
    if (cli->json || (!smart && str_eq(phase, *shown)))
        return;
    AUTOFREE char *text = doing(j, f);
    if (smart)
        fputs("\r", stderr);
    text_print(stderr, "%s: %s", json_str(j, "node"), text);
    fputs(smart ? "\x1b[K" : "\n", stderr);
    fflush(stderr);
    str_set(shown, phase);
}

static bool is_over(const json_t *j)
{
    return str_eq(json_str(j, "phase"), "done") || str_eq(json_str(j, "phase"), "failed");
}

/* *ret: once it is done, or has failed. */
static bool look(const Cli *cli, const char *id, char **shown, json_t **ret, Err *err)
{
    FillState f = {0};
    AUTOJSON json_t *j = NULL;
    if (!client_get(cli, "/v1/provision", &j, err))
        return false;
    if (!str_eq(json_str(j, "id"), id))
        return err_set(err, ERR_NOT_FOUND, 0,
                       "another one has been begun since: siding replica list shows it");
    const json_t *fill = json_object_get(j, "fill");
    bool ok = !fill || wire_read(fill_state_fields, fill, &f, err);
    if (ok && is_over(j))
        *ret = json_incref(j);
    else if (ok)
        show(cli, j, &f, shown);
    wire_free(fill_state_fields, &f);
    return ok;
}

/* A coordinator that is away for a moment goes on by itself. */
static bool watch(Cli *cli, const char *id, int64_t limit_ms, json_t **ret, Err *err)
{
    AUTOFREE char *shown = NULL;
    for (int64_t until = clock_mono_ms() + limit_ms;;) {
        if (!look(cli, id, &shown, ret, err) && !err_is_transient(err))
            return false;
        if (*ret)
            return true;
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TIMEOUT, 0,
                           "it is not over and goes on; siding replica list shows how far it is");
        clock_sleep_ms(LOOK_MS);
    }
}

static bool print_end(const Cli *cli, const json_t *j, Err *err)
{
    if (!cli->json && out_is_smart(STDERR_FILENO))
        fputs("\n", stderr);
    if (cli->json)
        out_json(j);
    else if (str_eq(json_str(j, "phase"), "done"))
        text_print(stdout,
                   "%s is a replica with the data of %s, equal by their checksums, and has caught up\n",
                   json_str(j, "node"), json_str(j, "donor"));
    return str_eq(json_str(j, "phase"), "done") ||
           err_set(err, ERR_REFUSED, 0, "%s was not made a replica: %s", json_str(j, "node"),
                   json_str(j, "error"));
}

static bool begin(Cli *cli, const char *node, const Provision *o, json_t *body, Err *err)
{
    AUTOJSON json_t *answer = NULL, *last = NULL;
    AUTOFREE char *user = cli_user(), *path = client_path("nodes", node, "provision");
    int64_t wait_ms;
    if (!clock_parse_duration(o->wait, &wait_ms))
        return err_set(err, ERR_USAGE, 0, "--wait %s: write a time such as 30m or 12h", o->wait);
    if (o->from)
        json_set_str(body, "from", o->from);
    if (o->max_rate)
        json_set_int(body, "max_rate", o->max_rate);
    json_set_str(body, "by", user);
    if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
        return false;
    if (wait_ms == 0) {
        if (cli->json)
            out_json(answer);
        else
            text_print(stderr, "%s gets the data of %s; siding replica list shows how far it is\n", node,
                       json_str(answer, "donor"));
        return true;
    }
    return watch(cli, json_str(answer, "id"), wait_ms, &last, err) && print_end(cli, last, err);
}

/* ---- commands --------------------------------------------------------------------------------------- */

static CLI_RUN(run_add)
{
    AUTOJSON json_t *body = json_object();
    (void)rest;
    return begin(cli, words->v[0], options, body, err);
}

const CliCommand cmd_replica_add = {
    .group = "replica",
    .name = "add",
    .args = "NODE",
    .summary = "Make a replica of a server that holds nothing.",
    .detail = "Its agent runs and is named in sidingd.conf. The data come from a replica that is paused "
              "while they are "
              "read, with accounts and position; nothing that serves is slowed. It counts once it has caught "
              "up. Broken "
              "off at any point, the same command begins again.",
    .options = add_options,
    .size = sizeof(Provision),
    .min_words = 1,
    .max_words = 1,
    .run = run_add,
};

static bool confirm(const char *node, const Provision *o, Err *err)
{
    char line[200] = "";
    if (!o->confirm && isatty(STDIN_FILENO)) {
        text_print(
            stderr,
            "All databases of the server of %s are dropped and replaced. Its name, to confirm: ", node);
        if (!fgets(line, sizeof line, stdin))
            line[0] = 0;
        line[strcspn(line, "\n")] = 0;
    }
    return str_eq(o->confirm ? o->confirm : line, node) ||
           err_set(err, ERR_USAGE, 0,
                   "all databases of the server of %s would be dropped; confirm it: siding replica "
                   "reprovision %s "
                   "--confirm %s",
                   node, node, node);
}

static CLI_RUN(run_reprovision)
{
    const Provision *o = options;
    AUTOJSON json_t *body = json_object();
    (void)rest;
    if (!confirm(words->v[0], o, err))
        return false;
    json_set_bool(body, "replaces", true);
    json_set_bool(body, "discards", o->discards);
    return begin(cli, words->v[0], o, body, err);
}

const CliCommand cmd_replica_reprovision = {
    .group = "replica",
    .name = "reprovision",
    .args = "NODE",
    .summary = "Replace the data of a replica that is broken, or has transactions of its own.",
    .detail = "Its databases are dropped, then it is filled as by siding replica add. Refused on the "
              "primary, and where it "
              "has transactions that would be lost.",
    .options = reprovision_options,
    .size = sizeof(Provision),
    .min_words = 1,
    .max_words = 1,
    .run = run_reprovision,
};

/* ---- remove ----------------------------------------------------------------------------------------- */

typedef struct Remove {
    CliCommon common;
    bool is_off;
    int64_t wait_ms;
} Remove;

static const Opt remove_options[] = {
    {"its-host-is-off", 0, OPT_FLAG, offsetof(Remove, is_off),
     .doc = "Of one that does not answer: you have seen that it acknowledges nothing any more."},
    {"wait", 0, OPT_DURATION, offsetof(Remove, wait_ms), .arg = "D", .fallback = "1m", .min = 1000,
     .max = 86400000, .doc = "How long to wait until the others hold all that it may have acknowledged."},
    CLI_COMMON_OPTIONS,
};

static void print_removed(const Cli *cli, const char *node, const json_t *answer)
{
    size_t i;
    const json_t *text;
    if (cli->json) {
        out_json(answer);
        return;
    }
    text_print(stdout, "%s is counted out: no commit waits for it, and it is not promoted. Left to do:\n",
               node);
    json_array_foreach(json_object_get(answer, "left_to_do"), i, text)
        text_print(stdout, "  %s\n", json_string_value(text));
}

static CLI_RUN(run_remove)
{
    const Remove *o = options;
    const char *node = words->v[0];
    AUTOJSON json_t *body = json_object();
    AUTOFREE char *user = cli_user(), *path = client_path("nodes", node, "remove");
    (void)rest;
    json_set_str(body, "by", user);
    json_set_bool(body, "its_host_is_off", o->is_off);
    for (int64_t until = clock_mono_ms() + o->wait_ms;; clock_sleep_ms(LOOK_MS)) {
        AUTOJSON json_t *answer = NULL;
        if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
            return false;
        if (json_bool(answer, "removed")) {
            print_removed(cli, node, answer);
            return true;
        }
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TIMEOUT, 0, "%s is not counted out yet: %s", node,
                           json_str(answer, "waits_for"));
    }
}

const CliCommand cmd_replica_remove = {
    .group = "replica",
    .name = "remove",
    .args = "NODE",
    .summary = "Count a replica out, and say what is left to do.",
    .detail = "Its replication is stopped before. It waits until the other replicas hold all that it may "
              "have acknowledged, "
              "so that nothing is lost when it is gone.",
    .options = remove_options,
    .size = sizeof(Remove),
    .min_words = 1,
    .max_words = 1,
    .run = run_remove,
};
