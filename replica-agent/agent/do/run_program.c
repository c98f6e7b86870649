/* SPDX-License-Identifier: Apache-2.0
 * What the stages of a run execute: program, arguments, environment, limits. Only programs of our own and
 * those the configuration names; the environment is the contract's, nothing is inherited.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/file/fs.h"
#include "common/wire/loadlag.h"
#include "common/wire/tasklet.h"
#include "program.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/core/upload_rule.h"
#include "replica-agent/host/tools.h"

static const AgentRun *wire_of(const AgentRunner *r)
{
    return &r->j.run;
}

static bool is_upload(const AgentRunner *r)
{
    return wire_of(r)->spec.kind == KIND_UPLOAD;
}

static bool is_local_source(Agent *a, const AgentRunner *r)
{
    return str_eq(wire_of(r)->spec.source.node, a->conf.node);
}

char *run_program_dir(const Agent *a, const AgentRunner *r, const char *name)
{
    return xasprintf("%s/runs/%s/%s", a->conf.state_dir, wire_of(r)->spec.run, name);
}

/* Where an upload's files are, or come to. */
static char *upload_files(Agent *a, const AgentRunner *r)
{
    if (is_local_source(a, r))
        return run_results(a, wire_of(r)->spec.source.run);
    return xasprintf("%s/.incoming-%s", a->conf.spool_dir, wire_of(r)->spec.run);
}

static char *sibling(const char *name)
{
    AUTOFREE char *dir = fs_program_dir();
    return xasprintf("%s/%s", dir, name);
}

/* ---- credentials ---------------------------------------------------------------------------------- */

static bool read_account(const char *option, const char *path, ClientCnf *ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (!path)
        return err_set(err, ERR_CONFIG, 0,
                       "%s is not set in agent.conf: the job has no account to connect with", option);
    if (!fs_check_private(path, err) || !fs_read(path, 1 << 20, &text, err))
        return err_prefix(err, "%s", option);
    client_cnf_parse(str_z(&text), ret);
    return true;
}

static void point_to_server(const AgentConfig *c, ClientCnf *cnf)
{
    char *const old[] = {cnf->socket, cnf->host, cnf->port};
    for (size_t i = 0; i < COUNT(old); i++)
        free(old[i]);
    cnf->socket = xstrdup(c->server.socket);
    cnf->host = c->server.socket ? NULL : xstrdup(c->server.address);
    cnf->port = c->server.socket ? NULL : xasprintf("%lld", (long long)c->server.port);
}

static char *cnf_path(Agent *a, const AgentRunner *r)
{
    return xasprintf("%s/runs/%s/client.cnf", a->conf.state_dir, wire_of(r)->spec.run);
}

static bool write_account(Agent *a, const AgentRunner *r, Err *err)
{
    ClientCnf cnf = {0};
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = cnf_path(a, r);
    bool load = is_upload(r);
    if (!read_account(load ? "load_defaults_file" : "job_defaults_file",
                      load ? a->conf.load_defaults_file : a->conf.job_defaults_file, &cnf, err))
        return false;
    point_to_server(&a->conf, &cnf);
    client_cnf_write(&text, &cnf);
    client_cnf_done(&cnf);
    return fs_replace(path, text.p, text.len, 0600, err);
}

/* ---- environment ---------------------------------------------------------------------------------- */

static void set_environment(Agent *a, const AgentRunner *r, const char *result_dir, StrList *env)
{
    const AgentRun *w = wire_of(r);
    AUTOFREE char *cnf = cnf_path(a, r), *bin = fs_program_dir(), *home = run_dir(a, w->spec.run);
    char frozen[CLOCK_TEXT] = "";
    if (w->frozen_at)
        clock_format(w->frozen_at, frozen);
    strlist_addf(env, "PATH=%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin);
    strlist_add(env, "LANG=C.UTF-8");
    strlist_addf(env, "HOME=%s", home); /* not the result: programs leave things there */
    strlist_addf(env, "SIDING_RUN_ID=%.*s", RUN_TEXT(w->spec.run));
    strlist_addf(env, "SIDING_JOB=%s", w->spec.job);
    strlist_addf(env, "SIDING_GTID=%s", w->gtid ? w->gtid : "");
    strlist_addf(env, "SIDING_FROZEN_AT=%s", frozen);
    strlist_addf(env, "SIDING_SHARD=%lld", (long long)w->spec.shard);
    strlist_addf(env, "SIDING_SHARDS=%lld", (long long)(w->spec.shards > 0 ? w->spec.shards : 1));
    strlist_addf(env, "SIDING_ATTEMPT=%lld", (long long)(w->spec.attempt > 0 ? w->spec.attempt : 1));
    strlist_addf(
        env, "SIDING_VERBOSE=%lld",
        (long long)(json_object_get(w->spec.options, "verbose") ? json_int(w->spec.options, "verbose") : 1));
    if (*json_str(w->spec.options, "profile"))
        strlist_addf(env, "SIDING_PROFILE=%s", json_str(w->spec.options, "profile"));
    strlist_addf(env, "SIDING_RESULT_DIR=%s", result_dir);
    strlist_addf(env, "SIDING_DEFAULTS_FILE=%s", cnf);
}

/* Between the program and the list of the run's work. */
static void add_split(Agent *a, const AgentRunner *r, ProgramSpec *ret)
{
    const RunSpec *s = &wire_of(r)->spec;
    if (s->shards < 2 || !s->first.url)
        return;
    const char *const args[] = {"split",      "--config", a->config_path, "--url",
                                s->first.url, "--run",    s->run,         "--shard"};
    for (size_t i = 0; i < COUNT(args); i++)
        strlist_add(&ret->split, args[i]);
    strlist_addf(&ret->split, "%lld", (long long)s->shard);
    strlist_addf(&ret->env, "SIDING_SPLIT_FD=%d", SUPERVISE_SPLIT_FD);
}

/* The shorter of what its file and its submitter say. */
static int64_t longest_run(int64_t file_ms, int64_t asked_ms)
{
    return asked_ms <= 0 || (file_ms && file_ms < asked_ms) ? file_ms : asked_ms;
}

static void limits_of(Agent *a, const JobConfig *j, ProgramSpec *ret)
{
    ret->stop_grace_ms = a->conf.stop_grace_ms;
    ret->sleep_grace_ms = a->conf.sleep_grace_ms;
    ret->log_limit_bytes = a->conf.log_limit_bytes;
    ret->nice = j ? j->f.nice : 10;
    ret->time_limit_ms = j ? j->f.time_limit_ms : 0;
    ret->memory_limit_bytes = j ? j->f.memory_limit_bytes : 0;
    ret->user = j ? xstrdup(j->f.user) : NULL;
}

/* ---- stages --------------------------------------------------------------------------------------- */

/* {SIDING_…} of the environment stands for its value: for programs that take options only, and no shell. */
static void add_expanded(StrList *to, const StrList *from, const StrList *env)
{
    for (size_t i = 0; i < from->n; i++) {
        AUTOFREE char *arg = joblist_expand(from->v[i], env);
        strlist_add(to, arg);
    }
}

static bool add_databases(const json_t *options, StrList *args, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!json_is_object(options))
        return true;
    if (!json_opt_strs(options, "databases", &names, err))
        return err_prefix(err, "options");
    for (size_t i = 0; i < names.n && !strlist_has(&names, "*"); i++) {
        strlist_add(args, "--database");
        strlist_add(args, names.v[i]);
    }
    return true;
}

static bool own_program(Agent *a, const AgentRunner *r, const JobConfig *j, const char *out, ProgramSpec *ret,
                        Err *err)
{
    const AgentRun *w = wire_of(r);
    (void)a;
    if (j->tasklet) {
        ret->program = xstrdup(j->f.program);
        tasklet_arguments(j->tasklet, &w->spec.args, &ret->args);
        return true;
    }
    if (str_eq(j->f.kind, "command")) {
        ret->program = xstrdup(j->f.program);
        add_expanded(&ret->args, &j->f.args, &ret->env);
    } else {
        ret->program = sibling(str_eq(j->f.kind, "dump") ? "siding-dump" : "siding-index");
        if (str_eq(j->f.kind, "index")) {
            strlist_add(&ret->args, "--definition");
            strlist_add(&ret->args, j->path);
        }
        strlist_add(&ret->args, "--output");
        strlist_add(&ret->args, out);
        if (!add_databases(w->spec.options, &ret->args, err))
            return false;
    }
    strlist_add_all(&ret->args, &w->spec.args);
    return true;
}

/* What a killed run of the same id left is not part of this result. */
static bool make_folder(const char *dir, Err *err)
{
    return fs_remove_tree(dir, err) && fs_mkdirs(dir, 0700, err);
}

static bool forget_sealing(const char *home, Err *err)
{
    AUTOFREE char *plan = xasprintf("%s/" SEAL_PLAN_FILE, home),
                  *facts = xasprintf("%s/" SEAL_FACTS_FILE, home);
    return fs_remove(plan, err) && fs_remove(facts, err);
}

static bool job_spec(Agent *a, const AgentRunner *r, ProgramSpec *ret, Err *err)
{
    const JobConfig *j = job_list_find(&a->jobs, wire_of(r)->spec.job);
    AUTOFREE char *out = run_results(a, wire_of(r)->spec.run), *dir = run_program_dir(a, r, "job"),
                  *cnf = cnf_path(a, r);
    AUTOFREE char *spec = xasprintf("%s/spec.json", dir), *home = run_dir(a, wire_of(r)->spec.run);
    if (fs_exists(spec)) /* it runs already, or has run: found again by its folder */
        return true;
    if (!j)
        return err_set(err, ERR_REFUSED, 0, "the job \"%s\" is not in the configuration any more",
                       wire_of(r)->spec.job);
    if (!forget_sealing(home, err) || !write_account(a, r, err) || !make_folder(out, err))
        return false;
    limits_of(a, j, ret);
    ret->time_limit_ms = longest_run(ret->time_limit_ms, wire_of(r)->spec.run_limit_ms);
    set_environment(a, r, out, &ret->env);
    ret->cwd = xstrdup(out);
    if (!apart_fill(a, j, wire_of(r)->spec.run, cnf, ret, err))
        return false;
    add_split(a, r, ret);
    ret->capture = j->f.stdout_file ? xasprintf("%s/%s.gz", out, j->f.stdout_file) : NULL;
    return own_program(a, r, j, out, ret, err);
}

static bool fetch_spec(Agent *a, const AgentRunner *r, ProgramSpec *ret, Err *err)
{
    const RunSource *s = &wire_of(r)->spec.source;
    AUTOFREE char *to = upload_files(a, r);
    if (!fs_mkdirs(to, 0700, err))
        return false;
    limits_of(a, NULL, ret);
    ret->program = sibling("siding-agent");
    fetch_words(&ret->args, a->config_path, s->url, s->run, to);
    strlist_add(&ret->env, "LANG=C.UTF-8");
    return true;
}

/* What core/upload_rule goes by. */
static json_t *upload_of(const JobConfig *j)
{
    if (!j || str_eq(j->f.upload, "none"))
        return json_null();
    bool is_index = str_eq(j->f.kind, "index");
    json_t *o = json_object();
    json_set_str(o, "mode", j->f.upload);
    json_set_bool(o, "allow_nontransactional", j->f.allow_nontransactional);
    json_set_str(o, "target", is_index ? j->f.index.target : j->f.target);
    json_set_str(o, "job", j->f.name);
    if (j->f.columns.n)
        json_set_strs(o, "columns", &j->f.columns);
    if (is_index)
        json_set_str(o, "on_change", j->f.index.on_change);
    return o;
}

/* Where this host has the job too, what was sealed elsewhere must be what its file says. */
static bool check_rule(const JobConfig *j, const char *job, const char *files, Err *err)
{
    AUTOJSON json_t *manifest = NULL;
    AUTOJSON json_t *rule = j ? upload_of(j) : NULL;
    AUTOFREE char *path = xasprintf("%s/manifest.json", files);
    return !j || (json_read_file(path, &manifest, err) && upload_rule_agrees(rule, manifest, job, err));
}

static bool load_spec(Agent *a, const AgentRunner *r, ProgramSpec *ret, Err *err)
{
    const JobConfig *j = job_list_find(&a->jobs, wire_of(r)->spec.job);
    AUTOFREE char *files = upload_files(a, r), *work = run_program_dir(a, r, "load");
    if (!check_rule(j, wire_of(r)->spec.job, files, err) || !write_account(a, r, err))
        return false;
    limits_of(a, NULL, ret);
    ret->program = sibling("siding-load");
    set_environment(a, r, files, &ret->env);
    /* The ledger counts what is loaded of this result, whichever upload did it: one that is tried again goes
     * on. */
    const char *result = wire_of(r)->spec.source.run;
    const char *const args[] = {"--manifest", files, "--run",  result ? result : wire_of(r)->spec.run,
                                "--work",     work,  "--json", "--same-history"};
    for (size_t i = 0; i < COUNT(args); i++)
        strlist_add(&ret->args, args[i]);
    if (j && str_eq(j->f.kind, "index")) {
        strlist_add(&ret->args, "--definition");
        strlist_add(&ret->args, j->path);
    }
    if (j && str_eq(j->f.upload, "program")) {
        const char *const more[] = {"--program", j->f.upload_program, "--"};
        for (size_t i = 0; i < COUNT(more); i++)
            strlist_add(&ret->args, more[i]);
    }
    if (j)
        add_expanded(&ret->args, &j->f.upload_args, &ret->env);
    return true;
}

/* Not synced: what it says is of this moment. */
static void write_lag(const char *dir, const char *lag_ms)
{
    AUTOFREE char *path = xasprintf("%s/" LOAD_LAG_FILE, dir), *tmp = xasprintf("%s.tmp", path);
    FILE *f = fopen(tmp, "we");
    bool ok = f && fprintf(f, "%s\n", lag_ms) > 0;
    ok = f && fclose(f) == 0 && ok;
    if (!ok || rename(tmp, path) < 0)
        log_debug("cannot write %s: %s", path, strerror(errno));
}

void run_told_lag(Agent *a, const char *lag_ms)
{
    long long lag;
    for (size_t i = 0; i < a->s.n_runs; i++) {
        const AgentRunner *r = a->s.runs[i];
        AUTOFREE char *dir = run_program_dir(a, r, "load");
        if (is_upload(r) && r->watched && str_eq(r->j.program, "load") &&
            str_to_i64(lag_ms, 0, INT64_MAX, &lag))
            write_lag(dir, lag_ms);
    }
}

/* ---- sealing -------------------------------------------------------------------------------------- */

static json_t *manifest_of(Agent *a, const AgentRunner *r, const JobConfig *j)
{
    const AgentRun *w = wire_of(r);
    json_t *m = json_object();
    runkey_to_manifest(m, w->spec.run);
    json_set_str(m, "job", w->spec.job);
    json_set_str(m, "kind", WIRE_TEXT(task_kind_names, &w->spec, kind));
    json_set_str(m, "node", a->conf.node);
    json_set_str(m, "cluster_name", a->conf.cluster_name);
    json_set_strs(m, "args", &w->spec.args);
    json_object_set(m, "databases", json_object_get(w->spec.options, "databases"));
    json_set_str(m, "gtid", w->gtid);
    json_set_time(m, "frozen_at", w->frozen_at);
    if (w->spec.claimed_at)
        json_set_time(m, "changes_since", w->spec.claimed_at);
    json_set_str(m, "flavor",
                 a->s.known.server.ever ? flavor_of(a->s.known.server.version.flavor)->name : NULL);
    json_set_str(m, "server_version", a->s.known.server.ever ? a->s.known.server.version.text : NULL);
    json_set_int(m, "shard", w->spec.shard);
    json_set_int(m, "shards", w->spec.shards > 0 ? w->spec.shards : 1);
    json_set_time(m, "started_at", w->started_at);
    json_set_time(m, "finished_at", w->job_ended_at);
    json_object_set_new(m, "upload", upload_of(j));
    return m;
}

static bool seal_spec(Agent *a, const AgentRunner *r, ProgramSpec *ret, Err *err)
{
    const JobConfig *j = job_list_find(&a->jobs, wire_of(r)->spec.job);
    AUTOFREE char *out = run_results(a, wire_of(r)->spec.run), *dir = run_dir(a, wire_of(r)->spec.run);
    AUTOFREE char *path = xasprintf("%s/manifest.json", dir);
    AUTOJSON json_t *m = manifest_of(a, r, j);
    if (!json_replace_file(path, m, 0600, err))
        return false;
    limits_of(a, NULL, ret);
    ret->program = sibling("siding-run");
    const char *const args[] = {"seal", "--manifest", path, "--dir", out};
    for (size_t i = 0; i < COUNT(args); i++)
        strlist_add(&ret->args, args[i]);
    if (j && j->f.compress) {
        strlist_add(&ret->args, "--compress");
        strlist_add(&ret->args, j->f.compress);
    }
    if (j && j->f.encryption.program) {
        const char *const more[] = {"--encrypt", j->f.encryption.program, "--encrypt-suffix",
                                    j->f.encryption.suffix, "--"};
        for (size_t i = 0; i < COUNT(more); i++)
            strlist_add(&ret->args, more[i]);
        strlist_add_all(&ret->args, &j->f.encryption.args);
    }
    strlist_add(&ret->env, "LANG=C.UTF-8");
    return true;
}

/* ---- gathering ------------------------------------------------------------------------------------ */

static bool gather_spec(Agent *a, const AgentRunner *r, ProgramSpec *ret, Err *err)
{
    AUTOFREE char *out = run_results(a, wire_of(r)->spec.run), *dir = run_dir(a, wire_of(r)->spec.run);
    AUTOFREE char *path = xasprintf("%s/gather.json", dir);
    AUTOJSON json_t *order = wire_write(gather_order_fields, &r->j.gather);
    if (!json_replace_file(path, order, 0600, err))
        return false;
    limits_of(a, NULL, ret);
    ret->program = sibling("siding-agent");
    const char *const args[] = {"gather", "--config", a->config_path, "--order", path, "--dir", out};
    for (size_t i = 0; i < COUNT(args); i++)
        strlist_add(&ret->args, args[i]);
    strlist_add(&ret->env, "LANG=C.UTF-8");
    return true;
}

bool run_program_spec(Agent *a, const AgentRunner *r, const char *name, ProgramSpec *ret, Err *err)
{
    static const struct {
        const char *name;
        bool (*make)(Agent *, const AgentRunner *, ProgramSpec *, Err *);
    } stages[] = {{"job", job_spec},
                  {"fetch", fetch_spec},
                  {"load", load_spec},
                  {"seal", seal_spec},
                  {"gather", gather_spec}};
    for (size_t i = 0; i < COUNT(stages); i++)
        if (str_eq(stages[i].name, name)) {
            if (stages[i].make(a, r, ret, err))
                return true;
            wire_free(program_spec_fields, ret);
            return false;
        }
    return err_set(err, ERR_PROTOCOL, 0, "no such stage: %s", name ? name : "(none)");
}

/* ---- ends ----------------------------------------------------------------------------------------- */

/* By what we see, or by what the program said. */
static bool disk_is_full(const Agent *a, const char *said)
{
    return disk_is_short(&a->s, DISK_SPOOL) || strstr(said, strerror(ENOSPC));
}

static void say_how(Str *out, const ProgramExit *e)
{
    if (!e)
        str_adds(out, "was lost: its supervisor was killed");
    else if (!e->started)
        str_addf(out, "could not be started: %s", e->error ? e->error : "");
    else if (e->ended_by)
        str_addf(out, "was ended (%s)", e->ended_by);
    else if (e->signal)
        str_addf(out, "was killed by signal %lld", (long long)e->signal);
    else
        str_addf(out, "ended with status %lld", (long long)e->exit_code);
}

void run_program_failure(Agent *a, const AgentRunner *r, const char *name, const ProgramExit *e, Err *ret)
{
    AUTOFREE char *dir = run_program_dir(a, r, name);
    AUTOFREE char *err_tail = program_log_tail(dir, "err", 600),
                  *out_tail = program_log_tail(dir, "log", 600);
    const char *tail =
        *err_tail ? err_tail : out_tail; /* not all programs tell their errors where they belong */
    AUTO(str_done) Str s = STR_INIT;
    bool full = disk_is_full(a, tail);
    if (full)
        str_addf(&s, "the disk is full (%s has %lld bytes free): ", a->conf.spool_dir,
                 (long long)a->s.known.spool_free);
    else if (!a->s.known.server.up && a->s.known.server.ever && !is_upload(r))
        str_adds(&s, "the database server went away: ");
    str_addf(&s, "%s ", name);
    say_how(&s, e);
    if (*tail)
        str_addf(&s, ": %s", tail);
    err_set(ret,
            full          ? ERR_NO_SPACE
            : !e          ? ERR_LOST
            : e->ended_by ? ERR_TIMEOUT
                          : ERR_IO,
            0, "%s", str_z(&s));
}
