/* SPDX-License-Identifier: Apache-2.0 */
#include "fill.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/subprocess.h"
#include "common/base/text.h"
#include "common/db/clientfile.h"
#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "fill_impl.h"
#include "replica-agent/host/tools.h"

enum { STATEMENT_MS = 600000, PORT_TEXT = 24, CHILD_FAILED = 1 };

typedef struct FillArgs {
    char *config, *dir;
    bool silent;
} FillArgs;

#define FIELD(name) offsetof(FillArgs, name)
static const Opt options[] = {
    {"config", 0, OPT_STR, FIELD(config), .arg = "FILE", .doc = "agent.conf."},
    {"folder", 0, OPT_STR, FIELD(dir), .arg = "DIR", .doc = "Folder with the order."},
    {"silent", 0, OPT_FLAG, FIELD(silent),
     .doc = "The server does not acknowledge what it receives before it is told to."},
    {0},
};

/* ---- how far it is -------------------------------------------------------------------------------- */

static char *stage_path(const char *dir)
{
    return xasprintf("%s/%s", dir, FILL_STAGE);
}

static json_t *read_stage(const char *dir)
{
    Err ignored;
    json_t *j = NULL;
    AUTOFREE char *path = stage_path(dir);
    return json_read_file(path, &j, &ignored) ? j : NULL;
}

FillPhase fill_stage_read(const char *dir, const char *id)
{
    AUTOJSON json_t *j = read_stage(dir);
    if (!j || !str_eq(json_str(j, "id"), id))
        return FILL_NONE;
    return (FillPhase)wire_enum_find(&fill_phase_names, json_str(j, "phase"));
}

/* Of an earlier order that has begun to put data in and has not ended. */
static bool is_of_earlier(const char *dir, const char *id)
{
    AUTOJSON json_t *j = read_stage(dir);
    int phase = wire_enum_find(&fill_phase_names, json_str(j, "phase"));
    if (j && str_eq(json_str(j, "id"), id))
        return json_bool(j, "ours");
    return phase == FILL_RESTORING || phase == FILL_JOINING || json_bool(j, "ours");
}

static void read_logged(Fill *f)
{
    AUTOJSON json_t *j = read_stage(f->dir);
    if (j && str_eq(json_str(j, "id"), f->order.id) && *json_str(j, "logged"))
        f->logged = xstrdup(json_str(j, "logged"));
}

static bool reach(Fill *f, FillPhase phase, Err *err)
{
    AUTOFREE char *path = stage_path(f->dir);
    AUTOJSON json_t *j = json_object();
    json_set_str(j, "id", f->order.id);
    json_set_str(j, "phase", wire_enum_name(&fill_phase_names, (int)phase));
    json_set_str(j, "logged", f->logged);
    json_set_bool(j, "ours", f->ours && phase <= FILL_DUMPING);
    AUTOFREE char *text = json_text(j);
    if (!fs_replace(path, text, strlen(text), 0600, err))
        return false;
    f->phase = phase;
    return true;
}

/* ---- siding-dump, siding-restore ------------------------------------------------------------------ */

static bool run(Fill *f, const char *name, const StrList *args, Err *err)
{
    AUTOFREE char *bin = fs_program_dir(), *program = xasprintf("%s/%s", bin, name);
    Subprocess p = {.program = program, .args = args, .kept = true, .progress = progress_is_given()};
    SubprocessEnd end;
    if (!subprocess_run(&p, &end, err))
        return false;
    f->told = end.how != SUBPROCESS_EXITED || end.status != 0; /* it has said why */
    return !f->told || err_set(err, ERR_IO, 0, "%s has failed", name);
}

static void add_server(StrList *args, const DbTarget *t)
{
    strlist_add(args, "--defaults-file");
    strlist_add(args, t->defaults_file);
    if (t->socket) {
        strlist_add(args, "--socket");
        strlist_add(args, t->socket);
        return;
    }
    strlist_add(args, "--host");
    strlist_add(args, t->host);
    strlist_add(args, "--port");
    strlist_addf(args, "%lld", (long long)t->port);
}

static bool dump(Fill *f, Err *err)
{
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    /* A dump that another order has begun is of another position. */
    if (f->phase != FILL_DUMPING &&
        (!fs_remove_tree(f->spool, err) || !fs_mkdirs(f->spool, 0700, err) || !reach(f, FILL_DUMPING, err)))
        return false;
    add_server(&args, &f->donor);
    strlist_add(&args, "--siding-users");
    strlist_add(&args, "--verify");
    if (f->order.max_rate > 0)
        strlist_addf(&args, "--max-rate=%lld", (long long)f->order.max_rate);
    strlist_add(&args, "--output");
    strlist_add(&args, f->dump);
    if (setenv("SIDING_GTID", f->order.gtid, 1) != 0)
        abort();
    AUTOFREE char *whole = xasprintf("%s/metadata", f->dump);
    return (fs_exists(whole) || (fill_donor_stands(f, err) && run(f, "siding-dump", &args, err))) &&
           reach(f, FILL_RESTORING, err);
}

/* The ledger goes last: with data and without it, all was restored and proved before a kill. */
static bool is_restored(Fill *f, bool *ret, Err *err)
{
    int64_t ledgers, tables;
    if (!db_value_int(f->db, &ledgers, err,
                      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='siding_restore'",
                      "") ||
        !db_value_int(f->db, &tables, err,
                      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema NOT IN "
                      "('mysql', 'information_schema', 'performance_schema', 'sys', 'siding_restore')",
                      ""))
        return false;
    *ret = !ledgers && tables;
    return true;
}

static bool restore(Fill *f, Err *err)
{
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    bool done;
    if (!is_restored(f, &done, err) ||
        (f->flavor->admins_write && !db_exec(f->db, err, f->flavor->admins_write, "")))
        return false;
    add_server(&args, &f->local);
    strlist_add(&args, "--users");
    strlist_add(&args, "--no-binlog");
    strlist_add(&args, f->dump);
    return (done || run(f, "siding-restore", &args, err)) && reach(f, FILL_JOINING, err);
}

/* ---- replication ---------------------------------------------------------------------------------- */

static bool read_position(const Fill *f, char **ret, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/files.json", f->dump);
    AUTOJSON json_t *about = NULL;
    if (!json_read_file(path, &about, err))
        return false;
    const char *applied = json_str(json_object_get(about, "snapshot"), "applied");
    if (!*applied)
        return err_set(err, ERR_CORRUPT, 0, "%s does not say at which position the dump was made", path);
    *ret = xstrdup(applied);
    return true;
}

static bool set_account(Fill *f, Err *err)
{
    ClientFile account = {0};
    AUTO(str_done) Str sql = STR_INIT;
    const char *path = f->conf.server.replication_defaults_file;
    bool ok = clientfile_read(path, &account, err) &&
              ((account.user && account.password) ||
               err_set(err, ERR_REFUSED, 0, "%s names no user and password to receive as", path));
    if (ok)
        f->flavor->follow_as(&sql, account.user, account.password);
    clientfile_done(&account);
    return ok && db_exec(f->db, err, str_z(&sql), "");
}

/* Whoever replicates from it later stands there. On disk with the next file of the log. */
static bool set_positions(Fill *f, const char *position, Err *err)
{
    const Flavor *flavor = f->flavor;
    return db_exec(f->db, err, flavor->forget_log, "") &&
           (!flavor->set_logged ||
            (db_exec(f->db, err, flavor->set_logged, "s", f->logged ? f->logged : position) &&
             db_exec(f->db, err, "FLUSH LOCAL BINARY LOGS", ""))) &&
           db_exec(f->db, err, flavor->set_position, "s", position);
}

/* All of it again after a kill: nothing is received before it is done. */
static bool join(Fill *f, Err *err)
{
    AUTOFREE char *position = NULL;
    AUTO(str_done) Str follow = STR_INIT;
    f->flavor->follow(&follow, f->order.source.host, f->order.source.port);
    return read_position(f, &position, err) && db_exec(f->db, err, f->flavor->stop_both, "") &&
           db_exec(f->db, err, f->flavor->forget_source, "") && set_positions(f, position, err) &&
           (!f->silent || db_exec(f->db, err, f->flavor->semi_sync_replica_off, "")) &&
           db_exec(f->db, err, str_z(&follow), "") && set_account(f, err) &&
           repl_set_read_only(f->db, true, err) && reach(f, FILL_FILLED, err) &&
           fs_remove_tree(f->spool, err);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static bool connect_local(Fill *f, Err *err)
{
    if (!db_connect(&f->local, STATEMENT_MS, &f->db, err) ||
        !db_exec(f->db, err, "SET SESSION sql_log_bin=0", ""))
        return false;
    f->flavor = flavor_of(db_version(f->db)->flavor);
    return true;
}

static bool begin(Fill *f, Err *err)
{
    AgentConfig *c = &f->conf;
    AUTOFREE char *path = xasprintf("%s/%s", f->dir, FILL_ORDER);
    AUTOJSON json_t *order = NULL;
    if (!json_read_file(path, &order, err) || !wire_read(fill_order_fields, order, &f->order, err))
        return false;
    if (!c->server.provision_defaults_file)
        return err_set(
            err, ERR_REFUSED, 0,
            "agent.conf names no server.provision_defaults_file: the account to fill this server with");
    if (!c->server.replication_defaults_file)
        return err_set(err, ERR_REFUSED, 0,
                       "agent.conf names no server.replication_defaults_file: the account to receive as");
    f->phase = fill_stage_read(f->dir, f->order.id);
    f->ours = is_of_earlier(f->dir, f->order.id);
    read_logged(f);
    f->spool = xasprintf("%s/%s", c->spool_dir, FILL_FOLDER);
    f->dump = xasprintf("%s/dump", f->spool);
    f->local = (DbTarget){.defaults_file = xstrdup(c->server.provision_defaults_file),
                          .socket = xstrdup(c->server.socket),
                          .host = c->server.socket ? NULL : xstrdup(c->server.address),
                          .port = c->server.socket ? 0 : c->server.port};
    const char *donor = c->server.donor_defaults_file;
    f->donor = (DbTarget){.defaults_file = xstrdup(donor ? donor : c->server.provision_defaults_file),
                          .host = xstrdup(f->order.donor.host),
                          .port = f->order.donor.port};
    return connect_local(f, err);
}

static bool fill(Fill *f, Err *err)
{
    if (!begin(f, err))
        return false;
    if (f->phase < FILL_DUMPING && (!fill_check(f, err) || !reach(f, FILL_EMPTYING, err) ||
                                    ((f->order.replaces || f->ours) && !fill_empty(f, err))))
        return false;
    if (f->phase <= FILL_DUMPING && !dump(f, err))
        return false;
    if (f->phase == FILL_RESTORING && !restore(f, err))
        return false;
    return f->phase == FILL_FILLED || join(f, err);
}

static void fill_done(Fill *f)
{
    db_close(f->db);
    db_target_done(&f->local);
    db_target_done(&f->donor);
    wire_free(fill_order_fields, &f->order);
    free(f->spool);
    free(f->dump);
    free(f->logged);
    agent_config_free(&f->conf);
}

static int failed(const Fill *f, const Err *err)
{
    if (f->told)
        return CHILD_FAILED;
    text_print(stderr, "siding-agent fill: %s\n", err->text);
    return err->kind == ERR_REFUSED ? FILL_REFUSED_STATUS : CHILD_FAILED;
}

int fill_main(int argc, char **argv)
{
    Err err;
    FillArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("fill", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent fill --config FILE --folder DIR",
                         "Fills this host's server with the data of another.", special);
    Fill f = {.dir = args.dir, .silent = args.silent};
    bool ok = (args.config && args.dir) || err_set(&err, ERR_USAGE, 0, "--config and --folder are needed");
    ok = ok && agent_config_load(args.config, &f.conf, &err) && fill(&f, &err);
    int status = ok ? 0 : failed(&f, &err);
    fill_done(&f);
    opts_free(options, &args);
    return status;
}
