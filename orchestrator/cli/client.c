/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "common/file/json.h"
#include "common/net/httpc.h"
#include "common/net/resultfetch.h"
#include "common/wire/runkey.h"
#include "result_verify.h"

bool client_call(const Cli *cli, const char *method, const char *path, const json_t *body, int64_t timeout_ms,
                 json_t **ret, Err *err)
{
    HttpCall call = {.base_url = cli->url,
                     .method = method,
                     .path = path,
                     .body = body,
                     .timeout_ms = timeout_ms,
                     .tls = &cli->config.tls};
    return httpc_call(&call, ret, err) || client_explain(cli, err);
}

bool client_explain(const Cli *cli, Err *err)
{
    /* sidingd may itself tell of an agent or server that it cannot reach. */
    AUTOFREE char *own = xasprintf("cannot reach %s:", cli->url);
    if (err->kind == ERR_UNREACHABLE && str_starts(err->text, own) && !cli->whole)
        err_set(err, err->kind, err->code, "%s. Is sidingd running there?", err->text);
    else if (err->kind == ERR_UNREACHABLE && str_starts(err->text, own))
        err_set(err, err->kind, err->code, "%s. Is sidingd running? Start it with: sidingd --config %s",
                err->text, cli->config_path);
    return false;
}

bool client_get(const Cli *cli, const char *path, json_t **ret, Err *err)
{
    return client_call(cli, "GET", path, NULL, API_TIMEOUT_MS, ret, err);
}

bool client_read_list(const json_t *a, const WireField *fields, size_t size, WireList *ret, Err *err)
{
    *ret = (WireList){NULL, 0};
    if (!json_is_array(a))
        return err_set(err, ERR_PROTOCOL, 0, "sidingd answered with something other than a list");
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!wire_read(fields, json_array_get(a, i), wire_list_add(ret, size), err)) {
            client_list_free(fields, size, ret);
            return err_prefix(err, "answer of sidingd, element %zu", i);
        }
    return true;
}

void client_list_free(const WireField *fields, size_t size, WireList *l)
{
    for (size_t i = 0; i < l->n; i++)
        wire_free(fields, (char *)l->v + i * size);
    free(l->v);
    *l = (WireList){NULL, 0};
}

bool client_task(const Cli *cli, int64_t id, Task *ret, json_t **ret_json, Err *err)
{
    AUTOFREE char *path = xasprintf("/v1/tasks/%lld", (long long)id);
    AUTOJSON json_t *j = NULL;
    if (!client_get(cli, path, &j, err))
        return false;
    memset(ret, 0, sizeof *ret);
    if (!wire_read(task_fields, j, ret, err))
        return err_prefix(err, "answer of sidingd");
    if (ret_json)
        *ret_json = STEAL(j);
    return true;
}

bool client_result_source(const Cli *cli, const json_t *result, const char *key, ResultSource *ret,
                          json_t **ret_manifest, Err *err)
{
    const ResultSource agent = {.url = json_str(result, "url"), .run = key, .tls = &cli->config.tls};
    const ResultSource coordinator = {
        .url = cli->url, .run = key, .node = json_str(result, "node"), .tls = &cli->config.tls};
    if (cli->whole || tls_is_set(&cli->config.tls)) {
        *ret = agent;
        if (resultfetch_manifest(&agent, ret_manifest, err))
            return true;
        if (err->kind != ERR_AUTH && err->kind != ERR_UNREACHABLE)
            return false;
    }
    *ret = coordinator;
    return true;
}

bool client_fetch_result(const Cli *cli, const json_t *result, const char *dir, char **ret, Err *err)
{
    AUTOJSON json_t *manifest = NULL;
    AUTOFREE char *key = runkey_of_manifest(result);
    AUTOFREE char *to = xasprintf("%s/%s", dir, json_str(result, "run"));
    ResultSource from;
    if (verify_is_here(result)) {
        *ret = xstrdup(json_str(result, "path"));
        return true;
    }
    if (!client_result_source(cli, result, key, &from, &manifest, err) ||
        !resultfetch(&from, manifest, to, err))
        return false;
    *ret = STEAL(to);
    return true;
}

char *cli_user(void)
{
    static const char *const names[] = {"SUDO_USER", "USER", "LOGNAME"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (getenv(names[i]) && *getenv(names[i]))
            return xstrdup(getenv(names[i]));
    struct passwd *p = getpwuid(getuid());
    return p ? xstrdup(p->pw_name) : xasprintf("uid %u", (unsigned)getuid());
}

char *client_path(const char *list, const char *name, const char *verb)
{
    Str path = STR_INIT;
    str_addf(&path, "/v1/%s/", list);
    httpc_encode(&path, name);
    if (verb)
        str_addf(&path, "/%s", verb);
    return str_take(&path);
}

bool cli_task_id(const char *word, int64_t *ret_task, int64_t *ret_run, Err *err)
{
    int64_t task, run;
    if (!wire_run_id(word, &task, &run) || (run && !ret_run))
        return err_set(err, ERR_USAGE, 0, "\"%s\" is not the ID of a %s; IDs are numbers such as 12%s", word,
                       ret_run ? "run" : "task", ret_run ? ", of runs 12.1" : "");
    *ret_task = task;
    if (ret_run)
        *ret_run = run;
    return true;
}

bool client_get_result(const Cli *cli, const char *run, const char *node, json_t **ret, Err *err)
{
    int64_t task, no;
    AUTO(str_done) Str path = STR_INIT;
    if (!cli_task_id(run, &task, &no, err))
        return false;
    AUTOFREE char *whole = client_path("results", run, NULL);
    str_adds(&path, whole);
    if (node) {
        str_adds(&path, "?node=");
        httpc_encode(&path, node);
    }
    return client_get(cli, str_z(&path), ret, err);
}
