/* SPDX-License-Identifier: Apache-2.0
 * siding bootstrap: the options of bootstrap.h.
 */
#include "bootstrap.h"

#include "cmd.h"
#include "out.h"

typedef struct BootstrapOptions {
    CliCommon common;
    bool dry_run, rotate, end_rotation, remove;
} BootstrapOptions;

static const Opt bootstrap_options[] = {
    {"dry-run", 'n', OPT_FLAG, offsetof(BootstrapOptions, dry_run), .doc = "Only print the statements."},
    {"rotate", 0, OPT_FLAG, offsetof(BootstrapOptions, rotate),
     .doc = "New passwords for all accounts, beside the old ones, and new files of them."},
    {"end-rotation", 0, OPT_FLAG, offsetof(BootstrapOptions, end_rotation),
     .doc = "Once the files are where they belong: the old passwords go."},
    {"remove", 0, OPT_FLAG, offsetof(BootstrapOptions, remove),
     .doc = "Take away accounts, schema and tables of Siding on the primary, put back what it has set there, "
            "and say what is left."},
    CLI_COMMON_OPTIONS,
};

static CLI_RUN(run)
{
    const BootstrapOptions *o = options;
    BootstrapPlan plan = {
        .dry_run = o->dry_run, .rotate = o->rotate, .end_rotation = o->end_rotation, .remove = o->remove};
    AUTO(str_done) Str text = STR_INIT;
    (void)words;
    (void)rest;
    if (o->rotate + o->end_rotation + o->remove > 1)
        return err_set(err, ERR_USAGE, 0, "--rotate, --end-rotation and --remove are three things to do");
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
    .detail =
        "Idempotent; uses the account of admin_defaults_file, over TLS unless it is on this host, and writes "
        "missing option files into credentials_dir. A password that is in use is not replaced.",
    .options = bootstrap_options,
    .size = sizeof(BootstrapOptions),
    .needs = CLI_NEEDS_CONFIG,
    .run = run,
};
