/* SPDX-License-Identifier: Apache-2.0
 * siding restore: a run's dump into a server, by siding-restore, which takes the place of this process.
 */
#include <errno.h>
#include <unistd.h>

#include "api.h"
#include "cmd.h"
#include "common/fs.h"
#include "common/httpc.h"

typedef struct RestoreOptions {
    CliCommon common;
    char *node, *to;
    int64_t threads;
    bool overwrite, no_binlog, no_verify;
} RestoreOptions;

#define FIELD(name) offsetof(RestoreOptions, name)
static const Opt restore_options[] = {
    {"to", 0, OPT_STR, FIELD(to), .arg = "FILE",
     .doc = "Option file of the server to fill: socket or host, user, password (mode 0600). Required."},
    {"threads", 't', OPT_INT, FIELD(threads), .arg = "N", .min = 1, .max = 256,
     .doc = "Connections that load at the same time."},
    {"overwrite", 0, OPT_FLAG, FIELD(overwrite), .doc = "Drop the dump's databases there first."},
    {"no-binlog", 0, OPT_FLAG, FIELD(no_binlog), .doc = "Keep it out of the server's binary log."},
    {"no-verify", 0, OPT_FLAG, FIELD(no_verify),
     .doc = "Do not compare the tables with the dump's checksums."},
    {"node", 0, OPT_STR, FIELD(node), .arg = "NODE",
     .doc = "Of a job on several replicas: which one's result."},
    CLI_COMMON_OPTIONS,
};

static bool result_path(const Cli *cli, const char *run, const char *node, char **ret, Err *err)
{
    AUTOJSON json_t *j = NULL;
    if (!api_get_result(cli, run, node, &j, err))
        return false;
    AUTOFREE char *metadata = xasprintf("%s/metadata", json_str(j, "path"));
    if (!fs_exists(metadata))
        return err_set(
            err, ERR_NOT_FOUND, 0,
            "the dump is in %s on node %s, not on this host: run this there, or copy the folder and run "
            "siding-restore on it",
            json_str(j, "path"), json_str(j, "node"));
    *ret = xstrdup(json_str(j, "path"));
    return true;
}

static CLI_RUN(run_restore)
{
    const RestoreOptions *o = options;
    AUTOFREE char *path = NULL, *dir = fs_program_dir(), *program = xasprintf("%s/siding-restore", dir);
    AUTO(strlist_done) StrList argv = STRLIST_INIT;
    (void)rest;
    if (!o->to)
        return err_set(err, ERR_USAGE, 0, "option --to is missing: the option file of the server to fill");
    if (!result_path(cli, words->v[0], o->node, &path, err))
        return false;
    strlist_add(&argv, "siding-restore");
    strlist_addf(&argv, "--defaults-file=%s", o->to);
    if (o->threads)
        strlist_addf(&argv, "--threads=%lld", (long long)o->threads);
    if (o->overwrite)
        strlist_add(&argv, "--overwrite");
    if (o->no_binlog)
        strlist_add(&argv, "--no-binlog");
    if (o->no_verify)
        strlist_add(&argv, "--no-verify");
    strlist_add(&argv, path);
    execv(program, argv.v);
    return err_errno(err, errno, "run %s", program);
}

const CliCommand cmd_restore = {
    .name = "restore",
    .args = "RUN",
    .summary = "Load a run's dump into a server.",
    .detail = "Parallel; started again after a kill it goes on where it was. A database that holds tables is "
              "refused without "
              "--overwrite. RUN is a task's id, meaning its last run, or a run's (12.1).",
    .options = restore_options,
    .size = sizeof(RestoreOptions),
    .min_words = 1,
    .max_words = 1,
    .run = run_restore,
};
