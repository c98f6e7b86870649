/* SPDX-License-Identifier: Apache-2.0 */
#include "servercheck.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/wire/finding.h"
#include "flavor.h"
#include "optionfile.h"
#include "session.h"

/* Which servers a rule is about. */
typedef enum Where { EVERY, REPLICA } Where;
typedef enum Test { IS, IS_SET, AT_LEAST, ZERO_OR_AT_LEAST } Test;

typedef struct Rule {
    const char *name;
    const char *variable[FLAVORS]; /* of MariaDB, of MySQL; NULL: the flavour needs none */
    Where where;
    Test test;
    const char *want;
    const char *level;
    const char *why;
    const char *mend;  /* NULL: SET GLOBAL and a line in the option file; "file": the option file only */
    const char *steps; /* values, by blanks, through which it is set one after the other; NULL: at once */
} Rule;

#define RULE(name, mariadb, mysql, ...)                                                                      \
    {                                                                                                        \
        name, {mariadb, mysql}, __VA_ARGS__                                                                  \
    }
static const Rule rules[] = {
    RULE(
        "binary_log", "log_bin", "log_bin", EVERY, IS, "ON", "error",
        "without a binary log nothing replicates",
        "log_bin in the server's option file, and neither skip_log_bin nor disable_log_bin, then restart the "
        "server"),
    RULE("gtid_consistency", NULL, "enforce_gtid_consistency", EVERY, IS, "ON", "error",
         "positions of jobs and promotions are GTIDs", NULL),
    RULE("gtid", "gtid_strict_mode", NULL, EVERY, IS, "ON", "error",
         "positions of jobs and promotions are GTIDs", NULL),
    RULE("gtid", NULL, "gtid_mode", EVERY, IS, "ON", "error", "positions of jobs and promotions are GTIDs",
         NULL, "OFF OFF_PERMISSIVE ON_PERMISSIVE ON"),
    RULE("row_binlog", "binlog_format", "binlog_format", EVERY, IS, "ROW", "error",
         "the queue locks rows with SKIP LOCKED, which statements cannot replicate", NULL),
    RULE("log_updates", "log_slave_updates", "log_replica_updates", EVERY, IS, "ON", "error",
         "a replica can be promoted or serve as donor only if it logs what it applies", "file"),
    RULE("relay_log_recovery", "relay_log_recovery", "relay_log_recovery", EVERY, IS, "OFF", "error",
         "ON throws the buffered transactions of a paused replica away when the server restarts", "file"),
    RULE("relay_log", "relay_log", NULL, REPLICA, IS_SET, "relay", "error",
         "without a name in its option file the server does not say where its relay files are", "file"),
    RULE("encrypted_relay_log", "encrypt_binlog", NULL, REPLICA, IS, "OFF", "error",
         "what a paused replica has received could not be read after a crash", "file"),
    RULE("relay_log_space_limit", "relay_log_space_limit", "relay_log_space_limit", EVERY, IS, "0", "error",
         "a full limit blocks the receiver of a paused replica", "file"),
    RULE("commit_order", NULL, "replica_preserve_commit_order", EVERY, IS, "ON", "error",
         "a stop would leave gaps between applied transactions", NULL),
    RULE("temporary_tables", "slave_open_temp_tables", "replica_open_temp_tables", REPLICA, IS, "0", "error",
         "replicated temporary tables are lost by a stop of the applier",
         "end the sessions on the primary that keep temporary tables, or use row events for them"),
    RULE("sync_binlog", "sync_binlog", "sync_binlog", EVERY, IS, "1", "warning",
         "acknowledged transactions can be lost with the machine", NULL),
    RULE("flush_log", "innodb_flush_log_at_trx_commit", "innodb_flush_log_at_trx_commit", EVERY, IS, "1",
         "warning", "acknowledged transactions can be lost with the machine", NULL),
    RULE("semi_sync_point", "rpl_semi_sync_master_wait_point", "rpl_semi_sync_source_wait_point", EVERY, IS,
         "AFTER_SYNC", "warning", "others could see a transaction that a promotion loses", NULL),
    RULE("semi_sync_timeout", "rpl_semi_sync_master_timeout", "rpl_semi_sync_source_timeout", EVERY, AT_LEAST,
         "30000", "warning", "semi-sync would give up before a failover ends", NULL),
    RULE("semi_sync_replica", "rpl_semi_sync_slave_enabled", "rpl_semi_sync_replica_enabled", REPLICA, IS,
         "ON", "warning", "the primary does not wait for this replica", NULL),
    RULE("local_infile", "local_infile", "local_infile", EVERY, IS, "ON", "warning",
         "results are loaded with LOAD DATA LOCAL", NULL),
    RULE("binlog_expiry", "binlog_expire_logs_seconds", "binlog_expire_logs_seconds", EVERY, ZERO_OR_AT_LEAST,
         "86400", "warning", "a replica that was away for a night would find its position purged", NULL),
};

void server_facts_done(ServerFacts *f)
{
    strlist_done(&f->names);
    strlist_done(&f->values);
    strlist_done(&f->filters);
    strlist_done(&f->grants);
    strlist_done(&f->keyless);
    repl_status_done(&f->repl);
    free(f->account);
    *f = (ServerFacts){0};
}

/* ---- reading -------------------------------------------------------------------------------------- */

static void add_value(ServerFacts *f, const char *name, const char *value)
{
    AUTOFREE char *lower = xstrdup(name);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    strlist_add(&f->names, lower);
    strlist_add(&f->values, value);
}

static bool read_values(Db *db, const char *sql, ServerFacts *f, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        const char *name = db_field(r, 0, NULL), *value = db_field(r, 1, NULL);
        if (name)
            add_value(f, name, value ? value : "");
    }
    db_rows_free(r);
    return ok;
}

bool servercheck_filters(Db *db, StrList *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, flavor_of(db_version(db)->flavor)->show_replica_status, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        if (!repl_row_is_private(db, r))
            repl_row_filters(r, ret);
    db_rows_free(r);
    return ok;
}

/* InnoDB's own dictionary: shows tables that the account may not read, and exactly those that replay would
 * have to scan. */
static bool read_keyless(Db *db, ServerFacts *f, Err *err)
{
    enum { SHOWN = 10 };
    const Flavor *flavor = flavor_of(db_version(db)->flavor);
    AUTO(strlist_done) StrList all = STRLIST_INIT;
    if (!db_column(db, flavor->keyless_sql, 0, &all, err))
        return false;
    f->keyless_count = (int64_t)all.n;
    for (size_t i = 0; i < all.n && i < SHOWN; i++) {
        char *slash = strchr(all.v[i], '/');
        if (slash)
            *slash = '.';
        strlist_add(&f->keyless, all.v[i]);
    }
    return true;
}

static void read_boot(Db *db, ServerFacts *f)
{
    Err ignored;
    const Flavor *flavor = flavor_of(db_version(db)->flavor);
    pid_t pid = db_server_pid(db);
    f->boot_known = pid > 0 && repl_skips_start_at_boot(db, pid, &f->skips_start, &ignored) &&
                    optionfile_server_has(pid, flavor->read_only_option, &f->read_only_in_options, &ignored);
}

/* What the account may not read is left out: judge_grants tells the grant. */
static bool tolerated(bool ok, const Err *err)
{
    return ok || err->kind == ERR_AUTH;
}

static bool read_all(Db *db, ServerFacts *f, Err *err)
{
    f->version = *db_version(db);
    read_boot(db, f);
    return read_values(db, "SHOW GLOBAL VARIABLES", f, err) &&
           read_values(db, "SHOW GLOBAL STATUS LIKE '%open_temp_tables'", f, err) &&
           db_value(db, &f->account, err, "SELECT CURRENT_USER()", "") &&
           db_column(db, "SHOW GRANTS", 0, &f->grants, err) && tolerated(repl_read(db, &f->repl, err), err) &&
           tolerated(servercheck_filters(db, &f->filters, err), err) &&
           tolerated(read_keyless(db, f, err), err);
}

bool servercheck_read(Db *db, ServerFacts *ret, Err *err)
{
    ServerFacts f = {0};
    if (!read_all(db, &f, err)) {
        server_facts_done(&f);
        return false;
    }
    server_facts_done(ret);
    *ret = f;
    return true;
}

/* ---- grants --------------------------------------------------------------------------------------- */

/* The privileges of "GRANT a, b ON x TO y" where x is `on` or everything; NULL for other lines. */
static char *privileges_in(const char *line, const char *on)
{
    const char *end = str_starts(line, "GRANT ") ? strstr(line + 6, " ON ") : NULL;
    if (!end)
        return NULL;
    AUTO(str_done) Str scope = STR_INIT;
    for (const char *p = end + 4; *p && *p != ' '; p++)
        if (*p != '`' && *p != '\\')
            str_addc(&scope, *p);
    if (strcmp(str_z(&scope), on) != 0 && strcmp(str_z(&scope), "*.*") != 0)
        return NULL;
    return xstrndup(line + 6, (size_t)(end - line - 6));
}

static bool has_privilege(const char *list, const char *privilege)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    strlist_split(&words, list, ',');
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.v[i] + strspn(words.v[i], " ");
        if (strcasecmp(word, privilege) == 0 || strcasecmp(word, "ALL PRIVILEGES") == 0)
            return true;
    }
    return false;
}

static bool is_granted(const StrList *grants, const char *privilege, const char *on)
{
    for (size_t i = 0; i < grants->n; i++) {
        AUTOFREE char *list = privileges_in(grants->v[i], on);
        if (list && strcmp(privilege, "GRANT OPTION") == 0 && strstr(grants->v[i], " WITH GRANT OPTION"))
            return true;
        if (list && strcmp(privilege, "GRANT OPTION") != 0 && has_privilege(list, privilege))
            return true;
    }
    return false;
}

char *servercheck_missing(const StrList *grants, const char *wanted, const char *on)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    Str missing = STR_INIT;
    strlist_split(&words, wanted, ',');
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.v[i] + strspn(words.v[i], " ");
        if (!is_granted(grants, word, on))
            str_addf(&missing, "%s%s", missing.len ? ", " : "", word);
    }
    return missing.len ? str_take(&missing) : NULL;
}

/* ---- judging -------------------------------------------------------------------------------------- */

static void find(WireList *out, const char *name, const char *level, char *text, char *mend)
{
    Finding *f = wire_list_add(out, sizeof(Finding));
    *f = (Finding){.name = xstrdup(name), .level = xstrdup(level), .text = text, .mend = mend};
}

static const char *value_of(const ServerFacts *f, const char *name)
{
    for (size_t i = 0; i < f->names.n; i++)
        if (strcmp(f->names.v[i], name) == 0)
            return f->values.v[i];
    return NULL;
}

static bool same_value(const char *value, const char *want)
{
    if (strcasecmp(value, want) == 0)
        return true;
    return (strcmp(want, "ON") == 0 && strcmp(value, "1") == 0) ||
           (strcmp(want, "OFF") == 0 && strcmp(value, "0") == 0);
}

static bool passes(const Rule *r, const char *value)
{
    if (r->test == IS)
        return same_value(value, r->want);
    if (r->test == IS_SET)
        return *value;
    long long n = strtoll(value, NULL, 10);
    return n >= strtoll(r->want, NULL, 10) || (r->test == ZERO_OR_AT_LEAST && n == 0);
}

static bool wants_stopped_applier(const ServerFacts *f, const char *variable)
{
    const char *const *v = flavor_of(f->version.flavor)->stopped_vars;
    while (*v && strcmp(*v, variable) != 0)
        v++;
    return *v && f->repl.is_replica;
}

/* SET GLOBAL of the value that is wanted, or of each that lies between. */
static void add_set(Str *out, const Rule *r, const char *variable, const char *value)
{
    AUTO(strlist_done) StrList steps = STRLIST_INIT;
    strlist_split(&steps, r->steps ? r->steps : r->want, ' ');
    const char *quote = isdigit((unsigned char)*r->want) ? "" : "'";
    size_t first = 0;
    for (size_t i = 0; i + 1 < steps.n; i++)
        if (same_value(value, steps.v[i]))
            first = i + 1;
    for (size_t i = first; i < steps.n; i++)
        str_addf(out, "%sSET GLOBAL %s=%s%s%s", i > first ? "; " : "", variable, quote, steps.v[i], quote);
}

/* A log keeps the name that its files have: under another the server would not find them. */
static const char *wanted(const ServerFacts *seen, const Rule *r)
{
    return r->test == IS_SET && seen && seen->repl.relay_name ? seen->repl.relay_name : r->want;
}

/* An applier that stands is not started by it: the finding on the threads says how. */
static char *mend_of(const ServerFacts *f, const Rule *r, const char *variable, const char *value)
{
    const Flavor *flavor = flavor_of(f->version.flavor);
    const char *file = "in the server's option file";
    if (r->mend && strcmp(r->mend, "file") != 0)
        return xstrdup(r->mend);
    if (r->mend)
        return xasprintf("%s=%s %s, then restart the server", variable, wanted(f, r), file);
    AUTO(str_done) Str set = STR_INIT;
    add_set(&set, r, variable, value);
    if (!wants_stopped_applier(f, variable) || !f->repl.sql_running)
        return xasprintf("%s; and %s=%s %s", set.p, variable, r->want, file);
    return xasprintf("%s; %s; %s; and %s=%s %s", flavor->stop_sql, set.p, flavor->start_sql, variable,
                     r->want, file);
}

static void judge_variable(const ServerFacts *f, const Rule *r, WireList *out)
{
    const char *variable = r->variable[f->version.flavor];
    if (!variable || (r->where == REPLICA && !f->repl.is_replica))
        return;
    const char *value = value_of(f, variable);
    bool semi_sync = str_starts(variable, "rpl_semi_sync");
    if (!value && !semi_sync) /* taken out of this version */
        return;
    if (!value)
        find(out, r->name, r->level, xasprintf("there is no variable %s: %s", variable, r->why),
             xstrdup(
                 "plugin_load_add=semisync_source.so and plugin_load_add=semisync_replica.so in the server's "
                 "option file, then restart the server"));
    else if (passes(r, value))
        find(out, r->name, "ok", xasprintf("%s=%s", variable, value), NULL);
    else
        find(out, r->name, r->level,
             xasprintf("%s is %s, Siding needs %s%s: %s", variable, *value ? value : "empty",
                       r->test == IS       ? ""
                       : r->test == IS_SET ? "a name, such as "
                                           : "at least ",
                       wanted(f, r), r->why),
             mend_of(f, r, variable, value));
}

/* What sessions of jobs and loads may not set themselves. */
static void judge_sessions(const ServerFacts *f, WireList *out)
{
    size_t n;
    const SessionVariable *v = session_variables(&n);
    for (size_t i = 0; i < n; i++) {
        const Rule r = {.name = v[i].name[f->version.flavor],
                        .variable = {v[i].name[0], v[i].name[1]},
                        .where = EVERY,
                        .test = AT_LEAST,
                        .want = v[i].value,
                        .level = "error",
                        .why = v[i].why};
        if (v[i].how == SESSION_NEED && r.name)
            judge_variable(f, &r, out);
    }
}

static void judge_version(const ServerFacts *f, WireList *out)
{
    Err err;
    const Flavor *flavor = flavor_of(f->version.flavor);
    if (!flavor_check_version(&f->version, &err))
        find(out, "version", "error", xstrdup(err.text), xstrdup("upgrade the server"));
    else if (flavor_is_untested(&f->version))
        find(out, "version", "warning",
             xasprintf("%s %s is newer than %d.%d, the newest that Siding is tested with", flavor->name,
                       f->version.text, flavor->tested_major, flavor->tested_minor),
             xstrdup("see docs/servers.md; rehearse a pause, a crash and a promotion on a copy first"));
    else
        find(out, "version", "ok", xstrdup(f->version.text), NULL);
}

static void judge_boot(const ServerFacts *f, WireList *out)
{
    const Flavor *flavor = flavor_of(f->version.flavor);
    const char *skip = flavor->skip_start_option, *closed = flavor->read_only_option;
    if (!f->boot_known) {
        find(out, "boot", "warning",
             xasprintf("cannot tell from here whether %s and %s stand in the server's option files", skip,
                       closed),
             xstrdup("let the agent use the server's unix socket and read its option files"));
        return;
    }
    if (f->skips_start)
        find(out, "skip_start", "ok", xstrdup(skip), NULL);
    else
        find(out, "skip_start", f->repl.is_replica ? "error" : "warning",
             xasprintf("%s is not set: after a restart the server would start replication by itself and "
                       "change data that a job is reading",
                       skip),
             xasprintf("%s=ON in the server's option file, then restart the server", skip));
    if (f->read_only_in_options)
        find(out, "read_only_at_boot", "ok", xasprintf("%s in the option file", closed), NULL);
    else
        find(out, "read_only_at_boot", "warning",
             xasprintf("%s is not in the server's option file: after a restart it would be writable before "
                       "its role is known",
                       closed),
             xasprintf("%s=ON in the server's option file", closed));
}

bool servercheck_hides_siding(const char *filter)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    strlist_split(&names, strchr(filter, '=') + 1, ',');
    if (str_starts(filter, "Replicate_Do_DB="))
        return !strlist_has(&names, "siding");
    bool rewritten = str_starts(filter, "Replicate_Rewrite_DB=");
    for (size_t i = 0; rewritten && i < names.n; i++)
        if (str_starts(names.v[i], "siding->"))
            return true;
    return str_starts(filter, "Replicate_Ignore_DB=") && strlist_has(&names, "siding");
}

static void judge_filters(const ServerFacts *f, WireList *out)
{
    for (size_t i = 0; i < f->filters.n; i++) {
        bool hidden = servercheck_hides_siding(f->filters.v[i]);
        find(out, "filters", hidden ? "error" : "warning",
             xasprintf("the replica has the filter %s: %s", f->filters.v[i],
                       hidden ? "the queue does not reach it" : "it does not hold everything"),
             xstrdup("remove the filter and provision the replica anew"));
    }
}

/* A named connection has relay files and options of its own, which nobody here keeps. */
void servercheck_judge_channels(const Flavor *f, const ReplStatus *s, WireList *out)
{
    if (s->channels > 1) {
        AUTOFREE char *remove = xasprintf(f->remove_channel, "NAME", "NAME");
        find(out, "channels", "error",
             xasprintf("the server follows %lld sources, Siding can pause a replica of one only",
                       (long long)s->channels),
             xasprintf("for each of the others, once all that it has received is applied: %s", remove));
    } else if (s->channel && *s->channel) {
        AUTOFREE char *remove = xasprintf(f->remove_channel, s->channel, s->channel);
        AUTOFREE char *again =
            xasprintf(f->default_channel, s->source_host ? s->source_host : "…", (long long)s->source_port);
        find(out, "channels", "error",
             xasprintf("the replica follows its source by the named connection \"%s\": Siding pauses only "
                       "replicas that follow by the default one",
                       s->channel),
             xasprintf("once all that it has received is applied: %s; %s", remove, again));
    }
}

static void judge_replication(const ServerFacts *f, WireList *out)
{
    const ReplStatus *s = &f->repl;
    if (!s->is_replica)
        return;
    servercheck_judge_channels(flavor_of(f->version.flavor), s, out);
    if (s->uses_gtid)
        find(out, "gtid_positioning", "ok", xstrdup("the replica positions itself by GTID"), NULL);
    else
        find(out, "gtid_positioning", "error",
             xstrdup("the replica positions itself by file and offset, not by GTID"),
             xstrdup(flavor_of(f->version.flavor)->use_gtid));
    if (!s->read_only)
        find(out, "read_only", "error", xstrdup("the replica is writable"),
             xstrdup(flavor_of(f->version.flavor)->read_only_on));
    judge_filters(f, out);
}

static void judge_keyless(const ServerFacts *f, WireList *out)
{
    if (!f->keyless_count) {
        find(out, "keyless_tables", "ok", xstrdup("every table has a primary or unique key"), NULL);
        return;
    }
    AUTO(str_done) Str names = STR_INIT;
    for (size_t i = 0; i < f->keyless.n; i++)
        str_addf(&names, "%s%s", i ? ", " : "", f->keyless.v[i]);
    find(out, "keyless_tables", "warning",
         xasprintf(
             "%lld tables have no primary or unique key (%s%s): each changed row is replayed by a scan of "
             "the table, and catching up can take very long",
             (long long)f->keyless_count, str_z(&names),
             f->keyless_count > (int64_t)f->keyless.n ? ", …" : ""),
         xstrdup("ALTER TABLE … ADD PRIMARY KEY"));
}

/* "siding_agent@10.1.%" → 'siding_agent'@'10.1.%' */
static void quote_account(Str *out, const char *account)
{
    const char *at = strrchr(account, '@');
    size_t n = at ? (size_t)(at - account) : strlen(account);
    db_quote_str(out, account, n);
    str_addc(out, '@');
    db_quote_str(out, at ? at + 1 : "%", at ? strlen(at + 1) : 1);
}

/* Grants on everything only: which databases an account may read or write is told by the coordinator's
 * configuration, not by the server's. */
void servercheck_judge_grants(const ServerFacts *f, const char *account, WireList *out)
{
    AUTO(str_done) Str lacks = STR_INIT, mend = STR_INIT;
    for (const FlavorGrant *g = flavor_of(f->version.flavor)->grants; g->account; g++) {
        if (strcmp(g->account, account) != 0 || strcmp(g->on, "*.*") != 0)
            continue;
        AUTOFREE char *missing = servercheck_missing(&f->grants, g->privileges, g->on);
        if (!missing)
            continue;
        str_addf(&lacks, "%s%s", lacks.len ? ", " : "", missing);
        str_addf(&mend, "%sGRANT %s ON %s TO ", mend.len ? "; " : "", missing, g->on);
        quote_account(&mend, f->account ? f->account : account);
    }
    if (lacks.len)
        find(out, "grants", "error",
             xasprintf("the account %s lacks %s", f->account ? f->account : account, lacks.p),
             str_take(&mend));
    else
        find(out, "grants", "ok", xasprintf("the account %s has what it needs", f->account), NULL);
}

bool servercheck_load_lacks(Db *db, const char *account, const char *database, char **ret, Err *err)
{
    AUTO(strlist_done) StrList grants = STRLIST_INIT;
    AUTOFREE char *on = xasprintf("%s.*", database);
    if (!db_column(db, "SHOW GRANTS", 0, &grants, err))
        return false;
    *ret = NULL;
    for (const FlavorGrant *g = flavor_of(db_version(db)->flavor)->grants; g->account && !*ret; g++)
        if (strcmp(g->account, account) == 0 && strcmp(g->on, "LOAD") == 0)
            *ret = servercheck_missing(&grants, g->privileges, on);
    return true;
}

void servercheck_judge_settings(const ServerFacts *f, WireList *findings)
{
    judge_version(f, findings);
    for (size_t i = 0; i < COUNT(rules); i++)
        judge_variable(f, &rules[i], findings);
    judge_sessions(f, findings);
    judge_replication(f, findings);
    judge_keyless(f, findings);
}

static void add_option(Str *out, const char *name, const char *value, const char *why)
{
    str_addf(out, "# %s\n%s=%s\n", why, name, value);
}

/* A log without a name takes the host's: it would be another after the host is renamed. */
static const char *option_value(const ServerFacts *seen, const Rule *r)
{
    return strcmp(r->name, "binary_log") == 0 ? "binlog" : wanted(seen, r);
}

/* What is well is left alone: another name of a log, or a lower limit, would do harm. */
static bool wants_line(const Rule *r, DbFlavor flavor, const ServerFacts *seen)
{
    const char *variable = r->variable[flavor], *value = seen && variable ? value_of(seen, variable) : NULL;
    bool limit = r->test == AT_LEAST || r->test == ZERO_OR_AT_LEAST;
    if (!variable || strcmp(r->name, "temporary_tables") == 0)
        return false;
    if (!seen)
        return !limit || str_starts(variable, "rpl_semi_sync");
    return value ? !passes(r, value) : str_starts(variable, "rpl_semi_sync");
}

void servercheck_options(DbFlavor flavor, const ServerFacts *seen, Str *out)
{
    size_t n;
    const SessionVariable *v = session_variables(&n);
    const Flavor *f = flavor_of(flavor);
    if (f->semi_sync_plugins && !(seen && value_of(seen, "rpl_semi_sync_source_timeout")))
        add_option(out, "plugin_load_add", f->semi_sync_plugins, "semi-sync");
    for (size_t i = 0; i < COUNT(rules); i++)
        if (wants_line(&rules[i], flavor, seen))
            add_option(out, rules[i].variable[flavor], option_value(seen, &rules[i]), rules[i].why);
    for (size_t i = 0; seen && i < n; i++) {
        const Rule r = {
            .name = "", .variable = {v[i].name[0], v[i].name[1]}, .test = AT_LEAST, .want = v[i].value};
        if (v[i].how == SESSION_NEED && wants_line(&r, flavor, seen))
            add_option(out, v[i].name[flavor], v[i].value, v[i].why);
    }
    add_option(out, f->skip_start_option, "ON",
               "the agent starts replication, not the server: never on a host without one");
    add_option(out, f->read_only_option, "ON",
               "not writable before its role is known; the agent of the primary opens it");
}

void servercheck_judge(const ServerFacts *f, const char *account, WireList *findings)
{
    servercheck_judge_settings(f, findings);
    judge_boot(f, findings);
    if (account)
        servercheck_judge_grants(f, account, findings);
}

const Finding *servercheck_first_error(const WireList *findings)
{
    const Finding *f = findings->v;
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(f[i].level, "error") == 0)
            return &f[i];
    return NULL;
}

void servercheck_free(WireList *findings)
{
    finding_free(findings);
}
