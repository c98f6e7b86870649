/* SPDX-License-Identifier: Apache-2.0
 * siding replica …: who is paused, and pausing by hand.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/wire_node.h"
#include "findings.h"
#include "view.h"

static bool is_replica(const json_t *node)
{
    return !str_eq(json_str(node, "role"), "primary");
}

static CLI_RUN(run_list)
{
    AUTOJSON json_t *j = NULL;
    AUTOJSON json_t *replicas = json_array();
    WireList nodes;
    (void)options;
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/nodes", &j, err))
        return false;
    for (size_t i = 0; i < json_array_size(j); i++)
        if (is_replica(json_array_get(j, i)))
            json_array_append(replicas, json_array_get(j, i));
    if (!client_read_list(replicas, node_fields, sizeof(Node), &nodes, err))
        return false;
    AUTO(str_done) Str text = STR_INIT;
    view_nodes(&nodes, clock_wall_ms(), out_width(STDOUT_FILENO), &text);
    if (cli->json)
        out_json(replicas);
    else
        out_text(str_z(&text));
    client_list_free(node_fields, sizeof(Node), &nodes);
    return true;
}

const CliCommand cmd_replica_list = {
    .group = "replica",
    .name = "list",
    .summary = "List replicas: state, lag, position, pause.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_list,
};

typedef struct PauseCommand {
    CliCommon common;
    int64_t for_ms, timeout_ms;
    char *reason;
    StrList allow;
    bool hold;
} PauseCommand;

static const Opt pause_options[] = {
    {"for", 0, OPT_DURATION, offsetof(PauseCommand, for_ms), .arg = "D", .min = 1000, .max = 14 * 86400000LL,
     .doc = "How long at most; then the replica resumes by itself. Required."},
    {"reason", 0, OPT_STR, offsetof(PauseCommand, reason), .arg = "TEXT",
     .doc = "Why, for others to read. Required."},
    {"hold", 0, OPT_FLAG, offsetof(PauseCommand, hold),
     .doc = "Keep the pause over a restart of the server."},
    {"allow", 0, OPT_STRS, offsetof(PauseCommand, allow), .arg = "downstream|delayed",
     .doc = "Pause although other servers replicate from it, or although it is delayed on purpose."},
    {"timeout", 0, OPT_DURATION, offsetof(PauseCommand, timeout_ms), .arg = "D", .fallback = "2m",
     .min = 1000, .max = 3600000, .doc = "How long to wait until it is frozen."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_pause)
{
    const PauseCommand *p = options;
    AUTOJSON json_t *body = json_object();
    AUTOJSON json_t *answer = NULL;
    AUTOFREE char *user = cli_user();
    AUTOFREE char *path = client_path("nodes", words->v[0], "pause");
    (void)rest;
    if (!p->for_ms || !p->reason || !*p->reason)
        return err_set(err, ERR_USAGE, 0, "siding replica pause needs --for D and --reason TEXT");
    json_set_int(body, "for_s", (p->for_ms + 999) / 1000);
    json_set_str(body, "reason", p->reason);
    json_set_bool(body, "hold", p->hold);
    json_set_str(body, "by", user);
    if (p->allow.n)
        json_set_strs(body, "allow", &p->allow);
    if (!client_call(cli, "POST", path, body, p->timeout_ms, &answer, err))
        return false;
    if (cli->json) {
        out_json(answer);
        return true;
    }
    const json_t *lease = json_object_get(answer, "lease");
    const char *gtid = *json_str(answer, "gtid") ? json_str(answer, "gtid") : json_str(lease, "gtid");
    text_print(stdout, "%s\n", gtid);
    return true;
}

const CliCommand cmd_replica_pause = {
    .group = "replica",
    .name = "pause",
    .args = "NODE",
    .summary = "Freeze a replica at an exact GTID and print it.",
    .detail = "The replica goes on receiving the binlog. Returns once frozen.",
    .options = pause_options,
    .size = sizeof(PauseCommand),
    .min_words = 1,
    .max_words = 1,
    .run = run_pause,
};

typedef struct Resume {
    CliCommon common;
    char *reason;
} Resume;

static const Opt resume_options[] = {
    {"reason", 0, OPT_STR, offsetof(Resume, reason), .arg = "TEXT", .doc = "Why, for others to read."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_resume)
{
    const Resume *r = options;
    AUTOJSON json_t *body = json_object();
    AUTOJSON json_t *answer = NULL;
    AUTOFREE char *user = cli_user();
    AUTOFREE char *path = client_path("nodes", words->v[0], "resume");
    (void)rest;
    json_set_str(body, "by", user);
    json_set_str(body, "reason", r->reason ? r->reason : "by hand");
    if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
        return false;
    if (cli->json)
        out_json(answer);
    else
        text_print(stderr, "%s resumes\n", words->v[0]);
    return true;
}

const CliCommand cmd_replica_resume = {
    .group = "replica",
    .name = "resume",
    .args = "NODE",
    .summary = "End a pause by hand.",
    .options = resume_options,
    .size = sizeof(Resume),
    .min_words = 1,
    .max_words = 1,
    .run = run_resume,
};

static CLI_RUN(run_check)
{
    AUTOJSON json_t *j = NULL;
    AUTO(findings_done) Findings f = FINDINGS_INIT;
    const CheckOptions *o = options;
    (void)rest;
    if (!client_call(cli, "GET", "/v1/check", NULL, API_CHECK_MS, &j, err) ||
        !findings_add_json(&f, j, NULL, words->n ? words->v[0] : NULL, err))
        return false;
    if (words->n && f.list.n == 0)
        return err_set(err, ERR_NOT_FOUND, 0,
                       "nothing is known of a node \"%s\"; siding replica list names them", words->v[0]);
    return findings_print(&f, o->all, cli->json, err);
}

const CliCommand cmd_replica_check = {
    .group = "replica",
    .name = "check",
    .args = "[NODE]",
    .summary = "Check whether replicas are fit for jobs.",
    .options = check_options,
    .size = sizeof(CheckOptions),
    .max_words = 1,
    .run = run_check,
};
