/* SPDX-License-Identifier: Apache-2.0
 * siding-restore: loads a dump into a server. Exit status 0 only if all is there; 2 for wrong words.
 */
#include <stdio.h>

#include "common/base/clock.h"
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

static void tell(const Folder *f, const RestoreOutcome *out, int64_t took_ms)
{
    char took[CLOCK_TEXT];
    clock_format_duration(took_ms, took);
    printf("%zu files in %s%s", out->files, took, out->resumed ? ", gone on with after an earlier run" : "");
    if (out->tables_proved)
        printf("; %zu tables equal the dump by their checksums", out->tables_proved);
    printf("\n");
    if (!*position(f->about))
        return;
    AUTO(str_done) Str line = STR_INIT;
    str_addf(&line, out->become_replica, position(f->about));
    printf("position of the dump: %s\nto make the server a replica from there: %s\n", position(f->about),
           line.p);
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
    if (ok)
        tell(&f, &out, clock_mono_ms() - from);
    folder_done(&f);
    return ok;
}

int main(int argc, char **argv)
{
    Err err;
    RestoreOptions o;
    OptSpecial special;
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
        fprintf(stderr, "siding-restore: %s\n", err.text);
    restore_options_done(&o);
    return ok ? 0 : err_exit_status(&err);
}
