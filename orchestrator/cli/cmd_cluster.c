/* SPDX-License-Identifier: Apache-2.0
 * siding cluster …: the topology as sidingd sees it.
 */
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
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

static CLI_RUN(run_primary)
{
    AUTOJSON json_t *j = NULL;
    (void)options;
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/cluster", &j, err))
        return false;
    if (!*json_str(j, "primary"))
        return err_set(err, ERR_NOT_FOUND, 0, "no primary is known; siding check says why");
    if (cli->json)
        out_json(json_object_get(j, "primary"));
    else
        printf("%s\n", json_str(j, "primary"));
    return true;
}

const CliCommand cmd_cluster_primary = {
    .group = "cluster",
    .name = "primary",
    .summary = "Print the name of the primary.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_primary,
};
