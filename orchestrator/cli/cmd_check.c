/* SPDX-License-Identifier: Apache-2.0
 * siding check: configuration and files here, sidingd, and through it every server. Where sidingd does not
 * run the agents are asked one by one, so that all that is wrong is told at once.
 */
#include "client.h"
#include "common/net/coordcheck.h"
#include "common/net/httpc.h"
#include "common/net/peermend.h"
#include "findings.h"

enum { PROBE_MS = 10000 };

static bool call(const Cli *cli, const char *url, const char *path, int64_t timeout_ms, json_t **ret,
                 Err *err)
{
    HttpCall c = {
        .base_url = url, .method = "GET", .path = path, .timeout_ms = timeout_ms, .tls = &cli->config.tls};
    return httpc_call(&c, ret, err);
}

static void check_agent(const Cli *cli, Findings *f, const AgentAddress *a)
{
    Err err;
    AUTOJSON json_t *j = NULL;
    if (!call(cli, a->url, "/v1/preflight", PROBE_MS, &j, &err)) {
        AUTOFREE char *mend = peer_mend(&err, a->name, a->url);
        findings_add(f, a->name, "agent", "error", err.text, mend);
    } else
        findings_add(f, a->name, "agent", "ok", a->url, NULL);
    if (j && !findings_add_json(f, j, a->name, NULL, &err))
        findings_add(f, a->name, "agent", "error", err.text, NULL);
}

/* What is asked directly while sidingd cannot be. */
static void check_without_sidingd(const Cli *cli, Findings *f, const Err *why)
{
    AUTOFREE char *mend = cli->whole ? xasprintf("sidingd --config %s", cli->config_path) : NULL;
    AUTOFREE char *text = xasprintf("is not running: %s", why->text);
    findings_add(f, NULL, "sidingd", "error", why->kind == ERR_UNREACHABLE ? text : why->text,
                 why->kind == ERR_UNREACHABLE ? mend : NULL);
    if (cli->whole)
        coordcheck_files(&cli->config, &f->list);
    for (size_t i = 0; i < coordconf_agents(&cli->config); i++)
        check_agent(cli, f, coordconf_agent(&cli->config, i));
}

static CLI_RUN(run)
{
    const CheckOptions *o = options;
    Err why;
    AUTO(findings_done) Findings f = FINDINGS_INIT;
    AUTOJSON json_t *j = NULL;
    (void)words;
    (void)rest;
    if (!coordconf_load_client(cli->config_path, &cli->config, &cli->url, &cli->whole, &why)) {
        findings_add(&f, NULL, "configuration", "error", why.text, NULL);
        return findings_print(&f, o->all, cli->json, err);
    }
    findings_add(&f, NULL, "configuration", "ok", cli->config_path, NULL);
    if (cli->whole)
        coordcheck_admin(&cli->config, &f.list);
    if (!call(cli, cli->url, "/v1/check", API_CHECK_MS, &j, &why)) {
        check_without_sidingd(cli, &f, &why);
    } else {
        findings_add(&f, NULL, "sidingd", "ok", cli->url, NULL);
        if (!findings_add_json(&f, j, NULL, NULL, &why))
            findings_add(&f, NULL, "sidingd", "error", why.text, NULL);
    }
    return findings_print(&f, o->all, cli->json, err);
}

const CliCommand cmd_check = {
    .name = "check",
    .summary = "Check configuration, files, sidingd, agents and servers; say what mends each.",
    .detail = "Works without sidingd too. Exit status 1 if anything is wrong.",
    .options = check_options,
    .size = sizeof(CheckOptions),
    .needs = CLI_NEEDS_PATH,
    .run = run,
};
