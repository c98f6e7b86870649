/* SPDX-License-Identifier: Apache-2.0
 * siding-restore: loads a dump into a server. Exit status 0 only if all is there; 2 for wrong words.
 */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/base/text.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "replica-agent/dump/control.h"
#include "restore.h"

static const char *position(const json_t *about)
{
    const json_t *snapshot = json_object_get(about, "snapshot");
    const char *applied = json_str(snapshot, "applied"), *gtid = json_str(about, "gtid");
    return *gtid ? gtid : *applied ? applied : json_str(snapshot, "binlog_gtid");
}

/* Tells of the dump, and is no part of it. */
static bool is_paper(const char *name)
{
    static const char *const papers[] = {"metadata", "manifest.json", "SHA256SUMS", "files.json"};
    for (size_t i = 0; i < COUNT(papers); i++)
        if (str_eq(name, papers[i]))
            return true;
    return *name == '.';
}

static void tell_notes(const Folder *f, const RestoreOutcome *out)
{
    if (f->about)
        return;
    text_print(stderr,
               "siding-restore: note: the dump has no list of its files: whether one is missing or damaged "
               "was not checked%s\n",
               out->tables_counted ? ", but for the number of rows of each table, which metadata has" : "");
    for (size_t i = 0; i < f->unknown.n; i++)
        if (!is_paper(f->unknown.v[i]))
            text_print(stderr,
                       "siding-restore: note: %s was not loaded: siding-restore does not know what it is\n",
                       f->unknown.v[i]);
}

static void tell_position(const Folder *f, const RestoreOutcome *out)
{
    if (!*position(f->about))
        return;
    AUTO(str_done) Str line = STR_INIT;
    str_addf(&line, out->become_replica, position(f->about));
    printf("position of the dump: %s\nto make the server a replica from there: %s\n", position(f->about),
           line.p);
}

static void tell(const Folder *f, const RestoreOutcome *out, int64_t took_ms)
{
    char took[CLOCK_TEXT];
    clock_format_duration(took_ms, took);
    printf("%zu files in %s%s", out->files, took, out->resumed ? ", gone on with after an earlier run" : "");
    if (out->tables_proved)
        printf("; %zu tables equal the dump by their checksums", out->tables_proved);
    if (out->tables_counted)
        printf("; %zu tables have as many rows as the dump says", out->tables_counted);
    if (out->objects_proved)
        printf("; %zu views, triggers, routines and events have the dump's environment", out->objects_proved);
    if (out->accounts_made)
        printf("; %zu accounts made", out->accounts_made);
    printf("\n");
    tell_position(f, out);
    tell_notes(f, out);
}

static bool judge_views(const RestoreOptions *o, const RestoreOutcome *out, Err *err)
{
    for (size_t i = 0; i < out->unmade.n; i++)
        text_print(stderr, "siding-restore: note: not made: %s\n", out->unmade.v[i]);
    if (!out->unmade.n)
        return true;
    if (o->defer_views) {
        text_print(stderr, "siding-restore: note: the statements of these %zu views are in %s\n",
                   out->unmade.n, o->defer_views);
        return true;
    }
    return err_set(
        err, ERR_REFUSED, 0,
        "%zu views could not be made; all else is there. Make what they need and run the same command "
        "again, or give up their definers by --skip-definer or --definer, or leave them to a file by "
        "--defer-views FILE",
        out->unmade.n);
}

static bool run(const RestoreOptions *o, Err *err)
{
    Folder f;
    RestoreOutcome out;
    int64_t from = clock_mono_ms();
    if (!control_begin(err) || !folder_open(o->input, &f, err))
        return false;
    progress_start("bytes");
    bool ok = restore_run(o, &f, &out, err);
    progress_end();
    if (ok) {
        tell(&f, &out, clock_mono_ms() - from);
        ok = judge_views(o, &out, err);
    }
    restore_outcome_done(&out);
    folder_done(&f);
    return ok;
}

int main(int argc, char **argv)
{
    Err err;
    RestoreOptions o = {0}; /* stays so where the words are refused */
    OptSpecial special = OPT_RUN;
    proc_no_core();
    bool ok = restore_options_read(argc, argv, &o, &special, &err);
    if (ok && special == OPT_HELP) {
        AUTO(str_done) Str help = STR_INIT;
        restore_options_help(&help);
        fputs(help.p, stdout);
    } else if (ok && special == OPT_VERSION) {
        puts("siding-restore " SIDING_VERSION);
    } else if (ok) {
        ok = run(&o, &err);
    }
    if (!ok)
        text_print(stderr, "siding-restore: %s\n", err.text);
    restore_options_done(&o);
    return ok ? 0 : err_exit_status(&err);
}
