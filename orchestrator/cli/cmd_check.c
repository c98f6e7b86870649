/* SPDX-License-Identifier: Apache-2.0
 * siding check: configuration and files here, sidingd, and through it every server. Where sidingd does not
 * run the agents are asked one by one, so that all that is wrong is told at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "common/file/fs.h"
#include "common/net/httpc.h"
#include "findings.h"

enum { PROBE_MS = 10000 };

static void check_private_file(Findings *f, const char *name, const char *path, bool required)
{
    Err err;
    if (!path) {
        if (required)
            findings_add(f, NULL, name, "error", "not set", NULL);
        return;
    }
    AUTOFREE char *mend = xasprintf("siding bootstrap --config FILE writes it where credentials_dir is set");
    if (!fs_exists(path))
        findings_add(f, NULL, name, "error", path,
                     required ? mend : "create it with mode 0600, group [client]");
    else if (access(path, R_OK) < 0)
        findings_add(f, NULL, name, "warning", "not readable by this user; run as the user of sidingd", NULL);
    else if (!fs_check_private(path, &err))
        findings_add(f, NULL, name, "error", err.text, NULL);
    else
        findings_add(f, NULL, name, "ok", path, NULL);
}

static void check_folder(Findings *f, const char *name, const char *path)
{
    struct stat st;
    AUTOFREE char *mend = xasprintf("mkdir -p %s, owned by the user of sidingd", path);
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        AUTOFREE char *text =
            xasprintf("%s: %s", path, errno == ENOENT ? "there is no such folder" : "not a folder");
        findings_add(f, NULL, name, "error", text, mend);
    } else {
        findings_add(f, NULL, name, "ok", path, NULL);
    }
}

static void check_files(Findings *f, const SidingConfig *c)
{
    check_folder(f, "state_dir", c->state_dir);
    check_private_file(f, "database_defaults_file", c->database_defaults_file, true);
    check_private_file(f, "admin_defaults_file", c->admin_defaults_file, false);
    if (c->credentials_dir)
        check_folder(f, "credentials_dir", c->credentials_dir);
}

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
    AUTOFREE char *mend =
        xasprintf("start siding-agent on that host, or mend agents of %s", cli->config_path);
    if (!call(cli, a->url, "/v1/preflight", PROBE_MS, &j, &err))
        findings_add(f, a->name, "agent", "error", err.text, err_is_transient(&err) ? mend : NULL);
    else
        findings_add(f, a->name, "agent", "ok", a->url, NULL);
    if (j && !findings_add_json(f, j, a->name, NULL, &err))
        findings_add(f, a->name, "agent", "error", err.text, NULL);
}

/* What is asked directly while sidingd cannot be. */
static void check_without_sidingd(const Cli *cli, Findings *f, const Err *why)
{
    AUTOFREE char *mend = xasprintf("sidingd --config %s", cli->config_path);
    AUTOFREE char *text = xasprintf("is not running: %s", why->text);
    findings_add(f, NULL, "sidingd", "error", why->kind == ERR_UNREACHABLE ? text : why->text,
                 why->kind == ERR_UNREACHABLE ? mend : NULL);
    for (size_t i = 0; i < coordconf_agents(&cli->config); i++)
        check_agent(cli, f, coordconf_agent(&cli->config, i));
}

static CLI_RUN(run)
{
    Err why;
    AUTO(findings_done) Findings f = FINDINGS_INIT;
    AUTOJSON json_t *j = NULL;
    (void)options;
    (void)words;
    (void)rest;
    if (!coordconf_load(cli->config_path, &cli->config, &why)) {
        findings_add(&f, NULL, "configuration", "error", why.text, NULL);
        return findings_print(&f, cli->json, err);
    }
    cli->url = coordconf_url(&cli->config);
    findings_add(&f, NULL, "configuration", "ok", cli->config_path, NULL);
    check_files(&f, &cli->config);
    if (!call(cli, cli->url, "/v1/check", API_CHECK_MS, &j, &why)) {
        check_without_sidingd(cli, &f, &why);
    } else {
        findings_add(&f, NULL, "sidingd", "ok", cli->url, NULL);
        if (!findings_add_json(&f, j, NULL, NULL, &why))
            findings_add(&f, NULL, "sidingd", "error", why.text, NULL);
    }
    return findings_print(&f, cli->json, err);
}

const CliCommand cmd_check = {
    .name = "check",
    .summary = "Check configuration, files, sidingd, agents and servers; say what mends each.",
    .detail = "Works without sidingd too. Exit status 1 if anything is wrong.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .needs = CLI_NEEDS_PATH,
    .run = run,
};
