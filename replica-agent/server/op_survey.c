/* SPDX-License-Identifier: Apache-2.0 */
#include "op_survey.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/servercheck.h"
#include "common/file/fs.h"
#include "op_impl.h"
#include "op_sample.h"

enum { RECENT_MS = 86400000, SHOWN = 5, SCAN_TRIES = 10, SCAN_AGAIN_MS = 30, SCAN_BYTES = 256 << 20 };

void survey_in_done(SurveyIn *in)
{
    op_server_done(&in->at);
    db_target_done(&in->rescuer);
    free(in->vault_folder);
    free(in->node);
    preflight_facts_done(&in->known);
    *in = (SurveyIn){0};
}

void survey_out_done(SurveyOut *out)
{
    server_seen_done(&out->seen);
    wire_free(lease_settings_fields, &out->settings);
    wire_free(vault_place_fields, &out->place);
    preflight_facts_done(&out->facts);
    servercheck_free(&out->findings);
    *out = (SurveyOut){0};
}

/* ---- the server's own settings and grants --------------------------------------------------------- */

static bool check_server(Db *db, SurveyOut *out)
{
    ServerFacts facts = {0};
    if (!servercheck_read(db, &facts, &out->err))
        return false;
    servercheck_judge(&facts, "siding_agent", &out->findings);
    server_facts_done(&facts);
    return true;
}

static bool read_settings(Db *db, SurveyOut *out)
{
    ReplSettings r = {0};
    if (!repl_settings_read(db, &r, &out->err))
        return false;
    out->settings =
        (LeaseSettings){r.sync_binlog, r.flush_log, r.workers, r.parallel_mode, r.sync_relay, r.queue_bytes};
    return true;
}

/* ---- what a pause needs --------------------------------------------------------------------------- */

/* The newest of them, as many as are read in a moment. */
static void newest(const StrList *files, StrList *ret)
{
    int64_t bytes = 0;
    size_t from = files->n;
    while (from > 0 && (bytes += fs_size(files->v[from - 1])) <= SCAN_BYTES)
        from--;
    for (size_t i = from < files->n ? from : files->n - 1; i < files->n; i++)
        strlist_add(ret, files->v[i]);
}

/* As a resume, or a start after a crash, will read them. */
static bool read_buffer(const Db *db, const VaultPlace *place, Err *err)
{
    AUTO(strlist_done) StrList all = STRLIST_INIT, files = STRLIST_INIT;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!op_flavor(db)->purges_on_start)
        return true; /* the server reads them itself */
    if (!vault_files(place, &all, err))
        return false;
    newest(&all, &files);
    return binlog_scan(&files, &scan, err);
}

/* Files go at any moment: the applier has passed one, the links of the pause before are removed, MySQL puts a
 * new index in place of the old one. What is there the next moment counts. */
static bool try_buffer(const Db *db, const VaultPlace *place, Err *err)
{
    for (int tries = 1;; tries++) {
        if (vault_check(place, err) && read_buffer(db, place, err))
            return true;
        if (err->kind != ERR_NOT_FOUND || tries == SCAN_TRIES)
            return false;
        clock_sleep_ms(SCAN_AGAIN_MS);
    }
}

static const char *mend_of_files(const Err *why)
{
    if (why->kind == ERR_REFUSED && why->code == BINLOG_ENCRYPTED)
        return "encrypt_binlog=OFF in the server's option file, then restart the server; until the applier "
               "has "
               "passed the files of before, they stay encrypted";
    if (why->kind == ERR_CORRUPT)
        return "wait until the applier has passed the file, which the server then removes; see its error log";
    if (why->kind == ERR_CONFIG)
        return "set relay_log to the name that its relay files have now: siding check prints the line";
    return "give the agent read and write access to the relay files, on one file system with its vault_dir";
}

/* What a paused replica receives must be linkable from here, and be read as a resume will read it. */
static void check_buffer(const SurveyIn *in, Db *db, SurveyOut *out)
{
    Err why;
    if (vault_place_read(db, in->vault_folder, &out->place, &why) && try_buffer(db, &out->place, &why))
        return;
    finding_add(&out->findings, "relay_files", "error", mend_of_files(&why),
                "the relay files cannot be kept safe: %s", why.text);
}

/* A rescue must not find out at night that its account is missing. */
static void check_rescue_account(const SurveyIn *in, const Cancel *cancel, const Flavor *f, SurveyOut *out)
{
    AUTODB Db *db = NULL;
    ServerFacts facts = {0};
    Err why;
    if (!f->purges_on_start)
        return;
    if (!in->has_rescuer)
        finding_add(&out->findings, "rescue_account", "error",
                    "siding bootstrap, then server.rescue_defaults_file in agent.conf",
                    "no account is configured that could replay the buffer after a crash");
    else if (!op_open_as(&in->rescuer, in->at.statement_ms, cancel, &db, &why) ||
             !servercheck_read(db, &facts, &why))
        finding_add(&out->findings, "rescue_account", "error",
                    "siding bootstrap, then copy its rescue.cnf here",
                    "the account that would replay the buffer after a crash cannot be used: %s", why.text);
    else
        servercheck_judge_grants(&facts, "siding_rescue", &out->findings);
    server_facts_done(&facts);
}

/* ---- the rest of the facts ------------------------------------------------------------------------ */

static bool read_primary(Db *db, PreflightFacts *f, Err *err)
{
    AUTOFREE char *sql = xasprintf("SELECT @@GLOBAL.%s", op_flavor(db)->purge_expire_var);
    ReplSemiSync semi_sync;
    if (!repl_semi_sync_read(db, &semi_sync, err) || !db_value_int(db, &f->log_expire_s, err, sql, ""))
        return false;
    f->semi_sync_on = semi_sync.source_on;
    f->semi_sync_acks = semi_sync.acks;
    return true;
}

/* What may not be asked is left out. */
static bool read_facts(Db *db, const ReplStatus *status, PreflightFacts *f, Err *err)
{
    const Flavor *flavor = op_flavor(db);
    Err ignored;
    f->is_replica = status->is_replica;
    f->delay_s = status->delay_s;
    if (!op_count_rows(db, flavor->xa_prepared_sql, &f->xa_prepared, &ignored))
        log_debug("%s: %s", flavor->xa_prepared_sql, ignored.text);
    if (!status->is_replica)
        return read_primary(db, f, err);
    if (!keyless_read(db, &f->tables, clock_wall_ms(), err) && err->kind != ERR_AUTH)
        return false;
    if (f->tables.sampled)
        f->keyless_changed_count =
            keyless_changed(&f->tables, clock_wall_ms() - RECENT_MS, SHOWN, &f->keyless_changed);
    return db_value_int(db, &f->log_readers, err, flavor->log_readers_sql, "") &&
           db_value(db, &f->sync_relay_log, err, "SELECT @@GLOBAL.sync_relay_log", "");
}

/* ---- the operation -------------------------------------------------------------------------------- */

static bool look(const SurveyIn *in, const Cancel *cancel, Db *db, SurveyOut *out)
{
    const ReplStatus *s = &out->seen.status;
    if (!op_look(db, &out->seen, &out->err) || !read_settings(db, out))
        return false;
    if (s->is_replica)
        check_buffer(in, db, out);
    if (s->is_replica && in->thorough)
        check_rescue_account(in, cancel, op_flavor(db), out);
    preflight_threads(op_flavor(db), s, in->node ? in->node : "NODE", &out->findings);
    if (!in->thorough) {
        servercheck_judge_channels(op_flavor(db), s, &out->findings);
        return true;
    }
    preflight_facts_copy(&out->facts, &in->known);
    if (!read_facts(db, s, &out->facts, &out->err))
        return false;
    preflight_judge(&out->facts, &out->findings);
    return true;
}

bool op_survey(const SurveyIn *in, const Cancel *cancel, SurveyOut *out)
{
    AUTODB Db *db = NULL;
    Err why;
    out->result = OP_FAILED;
    if (!op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) ||
        (in->thorough && !check_server(db, out)))
        return false;
    if (look(in, cancel, db, out))
        out->result = OP_DONE;
    else if (out->err.kind == ERR_AUTH && !preflight_allows(&out->findings, &why))
        out->err = why; /* the same with the grant that mends it */
    return out->result == OP_DONE;
}
