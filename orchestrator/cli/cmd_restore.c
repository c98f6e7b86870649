/* SPDX-License-Identifier: Apache-2.0
 * siding restore: a run's dump into a server, by siding-restore, which takes the place of this process.
 */
#include <errno.h>
#include <unistd.h>

#include "client.h"
#include "cmd.h"
#include "common/file/fs.h"
#include "common/file/json.h"

typedef struct RestoreCommand {
    CliCommon common;
    char *node, *to, *fetch_to, *definer, *defer_views;
    int64_t threads;
    bool overwrite, no_binlog, no_verify, skip_definer;
} RestoreCommand;

#define FIELD(name) offsetof(RestoreCommand, name)
static const Opt restore_options[] = {
    {"to", 0, OPT_STR, FIELD(to), .arg = "FILE",
     .doc = "Option file of the server to fill: socket or host, user, password (mode 0600). Required."},
    {"threads", 't', OPT_INT, FIELD(threads), .arg = "N", .min = 1, .max = 256,
     .doc = "Connections that load at the same time."},
    {"overwrite", 0, OPT_FLAG, FIELD(overwrite), .doc = "Drop the dump's databases there first."},
    {"no-binlog", 0, OPT_FLAG, FIELD(no_binlog), .doc = "Keep it out of the server's binary log."},
    {"no-verify", 0, OPT_FLAG, FIELD(no_verify),
     .doc = "Do not compare the tables with the dump's checksums."},
    {"skip-definer", 0, OPT_FLAG, FIELD(skip_definer),
     .doc = "Views, triggers, routines and events become the restoring account's."},
    {"definer", 0, OPT_STR, FIELD(definer), .arg = "USER@HOST", .doc = "They become this account's."},
    {"defer-views", 0, OPT_STR, FIELD(defer_views), .arg = "FILE",
     .doc = "Writes views that cannot be made into this file, and counts the restore as done."},
    {"fetch-to", 0, OPT_STR, FIELD(fetch_to), .arg = "DIR", .fallback = ".",
     .doc = "Where the dump is on another host: the folder that it is copied below. It stays there."},
    {"node", 0, OPT_STR, FIELD(node), .arg = "NODE",
     .doc = "Of a job on several replicas: which one's result."},
    CLI_COMMON_OPTIONS,
};

static bool is_dump(const json_t *manifest)
{
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(manifest, "files"), i,
                       f) if (str_eq(json_str(f, "name"), "metadata")) return true;
    return false;
}

static bool result_path(const Cli *cli, const RestoreCommand *o, const char *run, char **ret, Err *err)
{
    AUTOJSON json_t *j = NULL;
    if (!client_get_result(cli, run, o->node, &j, err))
        return false;
    if (*json_str(json_object_get(j, "manifest"), "encrypted"))
        return err_set(
            err, ERR_REFUSED, 0,
            "the files of run %s are encrypted (*%s): siding result fetch %s --to DIR, decrypt them "
            "there, then siding-restore DIR",
            json_str(j, "run"), json_str(json_object_get(j, "manifest"), "encrypted"), json_str(j, "run"));
    if (!is_dump(json_object_get(j, "manifest")))
        return err_set(err, ERR_REFUSED, 0, "run %s made no dump: its job is \"%s\"", json_str(j, "run"),
                       json_str(j, "job"));
    return client_fetch_result(cli, j, o->fetch_to, ret, err);
}

static CLI_RUN(run_restore)
{
    const RestoreCommand *o = options;
    AUTOFREE char *path = NULL, *dir = fs_program_dir(), *program = xasprintf("%s/siding-restore", dir);
    AUTO(strlist_done) StrList argv = STRLIST_INIT;
    (void)rest;
    if (!o->to)
        return err_set(err, ERR_USAGE, 0, "option --to is missing: the option file of the server to fill");
    if (!result_path(cli, o, words->v[0], &path, err))
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
    if (o->skip_definer)
        strlist_add(&argv, "--skip-definer");
    if (o->definer)
        strlist_addf(&argv, "--definer=%s", o->definer);
    if (o->defer_views)
        strlist_addf(&argv, "--defer-views=%s", o->defer_views);
    strlist_add(&argv, path);
    execv(program, argv.v);
    return err_errno(err, errno, "run %s", program);
}

const CliCommand cmd_restore = {
    .name = "restore",
    .args = "RUN",
    .summary = "Load a run's dump into a server.",
    .detail = "Parallel; started again after a kill it goes on where it was. A dump on another host is "
              "fetched first, each file "
              "compared with its checksum. A database that holds anything is refused without --overwrite. "
              "RUN is a task's id, meaning its last run, or a run's (12.1).",
    .options = restore_options,
    .size = sizeof(RestoreCommand),
    .min_words = 1,
    .max_words = 1,
    .run = run_restore,
};
