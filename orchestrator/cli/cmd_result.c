/* SPDX-License-Identifier: Apache-2.0
 * siding result …: what runs left behind, where it is, and whether it is whole.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/net/httpc.h"
#include "common/wire/wire_run.h"
#include "out.h"
#include "result_verify.h"

typedef struct ResultOptions {
    CliCommon common;
    char *node;
} ResultOptions;

static const Opt result_options[] = {
    {"node", 0, OPT_STR, offsetof(ResultOptions, node), .arg = "NODE",
     .doc = "Of a job on several replicas: which one's result."},
    CLI_COMMON_OPTIONS,
};

typedef struct ResultListing {
    CliCommon common;
    int64_t limit;
} ResultListing;

static const Opt list_options[] = {
    {"limit", 0, OPT_INT, offsetof(ResultListing, limit), .arg = "N", .fallback = "100", .min = 1,
     .max = 1000, .doc = "The newest N."},
    CLI_COMMON_OPTIONS,
};

static void list_row(Table *t, const json_t *r)
{
    char bytes[OUT_TEXT], packed[OUT_TEXT], sealed[OUT_TEXT] = "", ratio[OUT_TEXT] = "";
    int64_t at, raw = json_int(r, "bytes"), small = json_int(r, "compressed_bytes");
    out_size(raw, bytes);
    out_size(small, packed);
    if (small > 0)
        snprintf(ratio, sizeof ratio, "%.1f", (double)raw / (double)small);
    if (clock_parse(json_str(r, "sealed_at"), &at))
        out_time(at, sealed);
    table_row(t, (const char *[]){json_str(r, "run"), json_str(r, "job"), json_str(r, "node"),
                                  json_str(r, "state"), *json_str(r, "expired_at") ? "expired" : "kept",
                                  bytes, packed, ratio, sealed, json_str(r, "gtid"), NULL});
}

static CLI_RUN(run_list)
{
    static const char *const head[] = {"RUN",        "JOB",   "NODE",   "STATE", "KEPT", "SIZE",
                                       "COMPRESSED", "RATIO", "SEALED", "GTID",  NULL};
    const ResultListing *l = options;
    AUTOJSON json_t *j = NULL;
    AUTO(table_done) Table t = TABLE_INIT;
    AUTOFREE char *path = xasprintf("/v1/results?limit=%lld", (long long)l->limit);
    (void)words;
    (void)rest;
    if (!client_get(cli, path, &j, err))
        return false;
    table_head(&t, "xllxxrrrxl", head);
    for (size_t i = 0; i < json_array_size(j); i++)
        list_row(&t, json_array_get(j, i));
    if (cli->json)
        out_json(j);
    else
        out_table(&t);
    return true;
}

const CliCommand cmd_result_list = {
    .group = "result",
    .name = "list",
    .summary = "List results, the newest first.",
    .detail = "Results that have expired (keep, keep_for) stay listed as long as their task is known.",
    .options = list_options,
    .size = sizeof(ResultListing),
    .run = run_list,
};

static void show_files(const json_t *manifest, Str *out)
{
    static const char *const head[] = {"FILE", "ROWS", "SIZE", "COMPRESSED", "SHA256", NULL};
    const json_t *files = json_object_get(manifest, "files");
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "xrrrx", head);
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *f = json_array_get(files, i);
        char rows[OUT_TEXT], bytes[OUT_TEXT], packed[OUT_TEXT];
        out_count(json_int(f, "rows"), rows);
        out_size(json_int(f, "bytes"), bytes);
        out_size(json_int(f, "compressed_bytes"), packed);
        table_row(&t,
                  (const char *[]){json_str(f, "name"), rows, bytes, packed, json_str(f, "sha256"), NULL});
    }
    table_write(&t, 0, out);
}

static CLI_RUN(run_show)
{
    static const char *const fields[] = {
        "run", "job", "gtid", "frozen_at", "flavor", "server_version", "started_at", "finished_at", NULL};
    const ResultOptions *o = options;
    AUTOJSON json_t *j = NULL;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(table_done) Table t = {.align = "xx"};
    (void)rest;
    if (!client_get_result(cli, words->v[0], o->node, &j, err))
        return false;
    if (cli->json) {
        out_json(j);
        return true;
    }
    const json_t *manifest = json_object_get(j, "manifest");
    table_row(&t, (const char *[]){"node", json_str(j, "node"), NULL});
    table_row(&t, (const char *[]){"path", json_str(j, "path"), NULL});
    for (const char *const *f = fields; *f; f++)
        if (*json_str(manifest, *f))
            table_row(&t, (const char *[]){*f, json_str(manifest, *f), NULL});
    table_write(&t, 0, &text);
    str_adds(&text, "\n");
    show_files(manifest, &text);
    out_text(str_z(&text));
    return true;
}

const CliCommand cmd_result_show = {
    .group = "result",
    .name = "show",
    .args = "RUN",
    .summary = "Show a result: position, files, sizes, checksums.",
    .detail = "RUN is a task's id, meaning its last run, or a run's (12.1).",
    .options = result_options,
    .size = sizeof(ResultOptions),
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

static CLI_RUN(run_path)
{
    const ResultOptions *o = options;
    AUTOJSON json_t *j = NULL;
    (void)rest;
    if (!client_get_result(cli, words->v[0], o->node, &j, err))
        return false;
    if (cli->json)
        out_json(json_object_get(j, "path"));
    else
        text_print(stdout, "%s\n", json_str(j, "path"));
    return true;
}

const CliCommand cmd_result_path = {
    .group = "result",
    .name = "path",
    .args = "RUN",
    .summary = "Print the folder that holds manifest.json.",
    .detail =
        "The folder is on the node that ran the job. RUN is a task's id, meaning its last run, or a run's.",
    .options = result_options,
    .size = sizeof(ResultOptions),
    .min_words = 1,
    .max_words = 1,
    .run = run_path,
};

/* ---- fetch ------------------------------------------------------------------------------------------ */

typedef struct FetchOptions {
    CliCommon common;
    char *node, *to;
} FetchOptions;

static const Opt fetch_options[] = {
    {"to", 0, OPT_STR, offsetof(FetchOptions, to), .arg = "DIR", .fallback = ".",
     .doc = "Where the folder, named as the run, is made."},
    {"node", 0, OPT_STR, offsetof(FetchOptions, node), .arg = "NODE",
     .doc = "Of a job on several replicas: which one's result."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run_fetch)
{
    const FetchOptions *o = options;
    AUTOJSON json_t *j = NULL;
    AUTOFREE char *path = NULL;
    (void)rest;
    if (!client_get_result(cli, words->v[0], o->node, &j, err) ||
        !client_fetch_result(cli, j, o->to, &path, err))
        return false;
    AUTOJSON json_t *text = json_string(path);
    if (cli->json)
        out_json(text);
    else
        text_print(stdout, "%s\n", path);
    return true;
}

const CliCommand cmd_result_fetch = {
    .group = "result",
    .name = "fetch",
    .args = "RUN",
    .summary = "Copy a result from the node that made it.",
    .detail = "Each file is compared with its checksum; after an interruption the same command goes on. A "
              "result that is "
              "on this host stays where it is. Prints the folder. RUN is a task's id, meaning its last run, "
              "or a run's "
              "(12.1). The files come from the node's agent where a certificate of yours is accepted there, "
              "else through sidingd; this takes the role operator.",
    .options = fetch_options,
    .size = sizeof(FetchOptions),
    .min_words = 1,
    .max_words = 1,
    .run = run_fetch,
};

/* ---- verify ----------------------------------------------------------------------------------------- */

/* A job on several replicas left a result on each, if they could not be gathered on the first. */
static bool nodes_of(const Cli *cli, const json_t *result, StrList *ret, Err *err)
{
    Task t;
    int64_t id, no;
    if (!cli_task_id(json_str(result, "run"), &id, &no, err) || !client_task(cli, id, &t, NULL, err))
        return false;
    for (size_t i = 0; i < t.runs.n; i++) {
        const Run *r = (const Run *)t.runs.v + i;
        for (size_t n = 0; str_eq(r->id, json_str(result, "run")) && n < wire_run_holders(r); n++)
            strlist_add(ret, r->nodes.v[n]);
    }
    wire_free(task_fields, &t);
    if (ret->n == 0)
        strlist_add(ret, json_str(result, "node"));
    return true;
}

static bool verify_one(const Cli *cli, const json_t *result, json_t *all, bool *all_ok, Err *err)
{
    json_t *report = NULL;
    AUTOJSON json_t *ignored = NULL;
    AUTOFREE char *key = runkey_of_manifest(result);
    ResultSource from = {0};
    if (!verify_is_here(result) && !client_result_source(cli, result, key, &from, &ignored, err))
        return false;
    if (!verify_result(result, &from, &report, err))
        return false;
    *all_ok = *all_ok && json_bool(report, "ok");
    const json_t *files = json_object_get(report, "files");
    for (size_t i = 0; !cli->json && i < json_array_size(files); i++) {
        const json_t *f = json_array_get(files, i);
        text_print(stdout, "%s: %s%s%s\n", json_str(f, "name"), json_bool(f, "ok") ? "OK" : "FAILED",
                   *json_str(f, "error") ? ": " : "", json_str(f, "error"));
    }
    json_array_append_new(all, report);
    return true;
}

static CLI_RUN(run_verify)
{
    const ResultOptions *o = options;
    AUTOJSON json_t *first = NULL;
    AUTOJSON json_t *all = json_array();
    AUTO(strlist_done) StrList nodes = STRLIST_INIT;
    bool ok = true;
    (void)rest;
    if (!client_get_result(cli, words->v[0], o->node, &first, err) ||
        (!o->node && !nodes_of(cli, first, &nodes, err)))
        return false;
    if (nodes.n <= 1 && !verify_one(cli, first, all, &ok, err))
        return false;
    for (size_t i = 0; nodes.n > 1 && i < nodes.n; i++) {
        AUTOJSON json_t *j = NULL;
        if (!client_get_result(cli, json_str(first, "run"), nodes.v[i], &j, err) ||
            !verify_one(cli, j, all, &ok, err))
            return err_prefix(err, "%s", nodes.v[i]);
    }
    if (cli->json)
        out_json(json_array_size(all) == 1 ? json_array_get(all, 0) : all);
    return ok ? true
              : err_set(err, ERR_CORRUPT, 0, "the result of run %s is damaged", json_str(first, "run"));
}

const CliCommand cmd_result_verify = {
    .group = "result",
    .name = "verify",
    .args = "RUN",
    .summary = "Read a result's files again and compare their checksums.",
    .detail = "Files on this host are read in place, others fetched as \"siding result fetch\" does. RUN is "
              "a task's id, "
              "meaning its last run, or a run's (12.1).",
    .options = result_options,
    .size = sizeof(ResultOptions),
    .min_words = 1,
    .max_words = 1,
    .run = run_verify,
};
