/* SPDX-License-Identifier: Apache-2.0
 * siding cluster …: the topology as sidingd sees it, and its term.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/wire_node.h"
#include "view.h"

static CLI_RUN(run_status)
{
    AUTOJSON json_t *j = NULL;
    AUTO(str_done) Str text = STR_INIT;
    WireList nodes;
    (void)options;
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/cluster", &j, err) ||
        !client_read_list(json_object_get(j, "nodes"), node_fields, sizeof(Node), &nodes, err))
        return false;
    str_addf(&text, "cluster %s, term %lld, primary %s\n\n", json_str(j, "cluster_name"),
             (long long)json_int(j, "term"), *json_str(j, "primary") ? json_str(j, "primary") : "not known");
    view_nodes(&nodes, clock_wall_ms(), out_width(STDOUT_FILENO), &text);
    if (cli->json)
        out_json(j);
    else
        out_text(str_z(&text));
    client_list_free(node_fields, sizeof(Node), &nodes);
    return true;
}

const CliCommand cmd_cluster_status = {
    .group = "cluster",
    .name = "status",
    .summary = "Show nodes, roles, term and primary.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_status,
};

typedef struct PrimaryCommand {
    CliCommon common;
    char *format;
} PrimaryCommand;

static const Opt primary_options[] = {
    {"format", 0, OPT_STR, offsetof(PrimaryCommand, format), .arg = "F", .fallback = "name",
     .doc = "name, host:port, dsn (mysql://host:port), or json."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_primary)
{
    const PrimaryCommand *o = options;
    AUTOJSON json_t *j = NULL;
    (void)words;
    (void)rest;
    static const char *const formats[] = {"name", "host:port", "dsn", "json"};
    bool known = false;
    for (size_t i = 0; i < COUNT(formats); i++)
        known = known || str_eq(o->format, formats[i]);
    if (!known)
        return err_set(err, ERR_USAGE, 0, "--format %s: name, host:port, dsn or json", o->format);
    if (!client_get(cli, "/v1/primary", &j, err))
        return false;
    const char *host = json_str(j, "host");
    long long port = json_int(j, "port");
    bool v6 = strchr(host, ':') != NULL;
    if (str_eq(o->format, "json"))
        out_json(j);
    else if (str_eq(o->format, "name") && cli->json)
        out_json(json_object_get(j, "name"));
    else if (str_eq(o->format, "name"))
        text_print(stdout, "%s\n", json_str(j, "name"));
    else
        text_print(stdout, "%s%s%s%s:%lld\n", str_eq(o->format, "dsn") ? "mysql://" : "", v6 ? "[" : "", host,
                   v6 ? "]" : "", port);
    return true;
}

const CliCommand cmd_cluster_primary = {
    .group = "cluster",
    .name = "primary",
    .summary = "Print the primary: its name, or where its server takes connections.",
    .options = primary_options,
    .size = sizeof(PrimaryCommand),
    .run = run_primary,
};

typedef struct ResetTerm {
    CliCommon common;
    char *confirm;
} ResetTerm;

static const Opt reset_term_options[] = {
    {"confirm", 0, OPT_STR, offsetof(ResetTerm, confirm), .arg = "CLUSTER",
     .doc = "The cluster's name; asked for on a terminal."},
    CLI_COMMON_OPTIONS,
};

/* What was typed, or NULL. */
static char *ask_name(const char *cluster, int64_t term)
{
    char line[200] = "";
    if (!isatty(STDIN_FILENO))
        return NULL;
    fprintf(stderr,
            "All agents of cluster %s forget which term they have heard, and follow this coordinator (term "
            "%lld).\n"
            "If another coordinator of this cluster lives, stop it first. The cluster's name, to confirm: ",
            cluster, (long long)term);
    if (!fgets(line, sizeof line, stdin))
        return NULL;
    line[strcspn(line, "\n")] = 0;
    return xstrdup(line);
}

static bool print_reset(const Cli *cli, json_t *answer, Err *err)
{
    const char *key;
    json_t *why, *failed = json_object_get(answer, "failed");
    if (cli->json)
        out_json(answer);
    else
        printf("the term is %lld\n", (long long)json_int(answer, "term"));
    json_object_foreach(failed, key, why) fprintf(stderr, "siding: %s: %s\n", key, json_string_value(why));
    return json_object_size(failed) == 0 ||
           err_set(err, ERR_UNREACHABLE, 0,
                   "not all have taken it: mend what is named above, and reset it again");
}

static CLI_RUN(run_reset_term)
{
    const ResetTerm *o = options;
    AUTOJSON json_t *cluster = NULL, *answer = NULL, *body = json_object();
    AUTOFREE char *user = cli_user();
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/cluster", &cluster, err))
        return false;
    const char *name = json_str(cluster, "cluster_name");
    AUTOFREE char *confirm = o->confirm ? xstrdup(o->confirm) : ask_name(name, json_int(cluster, "term"));
    if (!confirm)
        return err_set(err, ERR_USAGE, 0, "confirm it: siding cluster reset-term --confirm %s", name);
    json_set_str(body, "confirm", confirm);
    json_set_str(body, "by", user);
    return client_call(cli, "POST", "/v1/cluster/reset-term", body, API_CHECK_MS, &answer, err) &&
           print_reset(cli, answer, err);
}

const CliCommand cmd_cluster_reset_term = {
    .group = "cluster",
    .name = "reset-term",
    .summary = "Make all agents take this coordinator's term, whatever they have heard.",
    .detail = "For a cluster whose agents have heard a term that no coordinator has (docs/runbook.md). Not "
              "while another "
              "coordinator of the cluster lives.",
    .options = reset_term_options,
    .size = sizeof(ResetTerm),
    .run = run_reset_term,
};

typedef struct OpenPrimary {
    CliCommon common;
    char *reason;
} OpenPrimary;

static const Opt open_options[] = {
    {"reason", 0, OPT_STR, offsetof(OpenPrimary, reason), .arg = "TEXT", .doc = "Why, for others to read."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_open)
{
    const OpenPrimary *o = options;
    AUTOJSON json_t *answer = NULL, *body = json_object();
    AUTOFREE char *user = cli_user();
    (void)words;
    (void)rest;
    json_set_str(body, "by", user);
    json_set_str(body, "reason", o->reason ? o->reason : "by hand");
    if (!client_call(cli, "POST", "/v1/cluster/open", body, API_TIMEOUT_MS, &answer, err))
        return false;
    if (cli->json)
        out_json(answer);
    else
        text_print(stderr, "%s is open to writes\n", json_str(answer, "node"));
    return true;
}

const CliCommand cmd_cluster_open = {
    .group = "cluster",
    .name = "open",
    .summary = "Open the primary to writes, after somebody has closed it.",
    .detail =
        "Its agent opens it once, when its server has started and the coordinator has said that it is "
        "the primary. Who sets read_only after that means it, and is not overruled: this opens it again.",
    .options = open_options,
    .size = sizeof(OpenPrimary),
    .run = run_open,
};
