/* SPDX-License-Identifier: Apache-2.0
 * siding tasklet …: the small programs that the agents have in their folders, and how they are called.
 */
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "common/base/text.h"
#include "out.h"
#include "tasklet_calls.h"

/* "bst_foo(arg1, arg2=default)", as BibSched lists them. */
static void add_call(Str *out, const json_t *tasklet)
{
    size_t i;
    json_t *p;
    str_addf(out, "%s(", json_str(tasklet, "name"));
    json_array_foreach(json_object_get(tasklet, "params"), i, p)
    {
        const char *fallback = json_string_value(json_object_get(p, "fallback"));
        str_addf(out, "%s%s%s%s", i ? ", " : "", json_str(p, "name"), fallback ? "=" : "",
                 fallback ? fallback : "");
    }
    str_adds(out, ")");
}

static void add_params(Str *out, const json_t *params)
{
    size_t i;
    json_t *p;
    AUTO(table_done) Table t = TABLE_INIT;
    json_array_foreach((json_t *)params, i, p)
    {
        AUTOFREE char *name = xasprintf("    %s", json_str(p, "name"));
        table_row(&t, (const char *[]){name, json_str(p, "type"), json_str(p, "text"), NULL});
    }
    if (table_rows(&t))
        table_write(&t, out_width(STDOUT_FILENO), out);
}

static void add_one(Str *out, const json_t *tasklet)
{
    AUTO(strlist_done) StrList nodes = STRLIST_INIT;
    Err ignored;
    (void)!json_opt_strs(tasklet, "nodes", &nodes, &ignored);
    AUTOFREE char *where = strlist_join(&nodes, ", ");
    const char *text = json_str(tasklet, "text");
    add_call(out, tasklet);
    str_addf(out, "\n    %s\n    On the %s; known on %s.\n", *text ? text : "No documentation.",
             json_str(tasklet, "on"), where);
    add_params(out, json_object_get(tasklet, "params"));
    str_adds(out, "\n");
}

static void write_list(const json_t *list, Str *out)
{
    size_t i;
    json_t *o;
    const json_t *broken = json_object_get(list, "broken");
    if (!json_array_size(json_object_get(list, "tasklets")))
        str_adds(out, "No tasklets: tasklets_dir of agent.conf names their folder.\n");
    json_array_foreach(json_object_get(list, "tasklets"), i, o)
    {
        add_one(out, o);
    }
    if (json_array_size(broken))
        str_adds(out, "Broken tasklets:\n");
    json_array_foreach(broken, i, o)
    {
        str_addf(out, "    %s on %s: %s\n", json_str(o, "name"), json_str(o, "node"), json_str(o, "error"));
    }
}

bool tasklets_print(const Cli *cli, Err *err)
{
    AUTOJSON json_t *list = NULL;
    AUTO(str_done) Str text = STR_INIT;
    if (!client_get(cli, "/v1/tasklets", &list, err))
        return false;
    write_list(list, &text);
    if (cli->json)
        out_json(list);
    else
        text_print(stdout, "%s", str_z(&text));
    return true;
}

bool tasklets_know(const Cli *cli, const char *name, Err *err)
{
    AUTOFREE char *path = client_path("tasklets", name, NULL);
    AUTOJSON json_t *found = NULL;
    return client_get(cli, path, &found, err);
}

static CLI_RUN(run_list)
{
    (void)options;
    (void)words;
    (void)rest;
    return tasklets_print(cli, err);
}

const CliCommand cmd_tasklet_list = {
    .group = "tasklet",
    .name = "list",
    .summary = "List the tasklets with their parameters, and those that are broken, and why.",
    .detail = "A tasklet is submitted by siding submit tasklet -T NAME -a KEY=VALUE.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_list,
};
