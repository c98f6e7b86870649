/* SPDX-License-Identifier: Apache-2.0
 * siding bootstrap: the options of bootstrap.h.
 */
#include "bootstrap.h"

#include "cmd.h"
#include "out.h"

typedef struct BootstrapOptions {
    CliCommon common;
    bool dry_run;
} BootstrapOptions;

static const Opt bootstrap_options[] = {
    {"dry-run", 'n', OPT_FLAG, offsetof(BootstrapOptions, dry_run), .doc = "Only print the statements."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run)
{
    const BootstrapOptions *o = options;
    BootstrapPlan plan = {.dry_run = o->dry_run};
    AUTO(str_done) Str text = STR_INIT;
    (void)words;
    (void)rest;
    bool ok = bootstrap_run(&cli->config, &plan, &text, err);
    if (cli->json) {
        AUTO(strlist_done) StrList lines = STRLIST_INIT;
        AUTOJSON json_t *j = json_object();
        strlist_split(&lines, str_z(&text), '\n');
        json_set_strs(j, o->dry_run ? "statements" : "done", &lines);
        out_json(j);
    } else {
        out_text(str_z(&text));
    }
    return ok;
}

const CliCommand cmd_bootstrap = {
    .name = "bootstrap",
    .summary = "Make schema, procedures and accounts on the primary.",
    .detail = "Idempotent; uses the account of admin_defaults_file and writes missing option files into "
              "credentials_dir.",
    .options = bootstrap_options,
    .size = sizeof(BootstrapOptions),
    .run = run,
};
