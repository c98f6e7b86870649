/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "common/file/fs.h"
#include "common/file/sha256.h"
#include "common/net/http.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/core/separation.h"
#include "tasklet_files.h"

#define FIELD(name) offsetof(AgentConfig, name)
#define IN(group, name) (FIELD(group.name) - FIELD(group))

enum { DAY_MS = 86400000 };

static const ConfOption server_options[] = {
    {"socket", CONF_PATH, IN(server, socket),
     .doc = "The server's unix socket; the agent then also knows the server's process, which proves over a "
            "pause that it is the same one."},
    {"address", CONF_STR, IN(server, address), .fallback = "127.0.0.1",
     .doc = "The server's address as other hosts reach it."},
    {"port", CONF_INT, IN(server, port), .fallback = "3306", .min = 1, .max = 65535, .doc = "Its port."},
    {"defaults_file", CONF_PATH, IN(server, defaults_file), .required = true,
     .doc = "Option file with user and password of the agent's account (siding_agent), mode 0600."},
    {"rescue_defaults_file", CONF_PATH, IN(server, rescue_defaults_file),
     .doc =
         "Option file of the account that has kept transactions applied after a crash (siding_rescue), mode "
         "0600. "
         "MariaDB only, and needed there on every replica."},
    {"replication_defaults_file", CONF_PATH, IN(server, replication_defaults_file),
     .doc =
         "Option file of the account that replicas receive as (REPLICATION SLAVE), mode 0600. A server that "
         "was never a replica follows a new primary with it; one that is a replica keeps its own. A replica "
         "of "
         "MariaDB also fetches with it what only encrypted relay files hold."},
    {"provision_defaults_file", CONF_PATH, IN(server, provision_defaults_file),
     .doc = "Option file of the account that this server is filled with when it becomes a replica (siding "
            "replica "
            "add, reprovision), mode 0600: it has all rights here, and reads everything on the donor."},
    {"donor_defaults_file", CONF_PATH, IN(server, donor_defaults_file),
     .doc =
         "Option file to read the donor with, where that is another: the donor is on another host, and this "
         "one may demand TLS (ssl-ca, ssl-verify-server-cert). Left out: provision_defaults_file."},
    {"vault_dir", CONF_PATH, IN(server, vault_dir),
     .doc = "Folder for hard links to relay files while a pause is in force, on the relay files' own file "
            "system. Without it they stand beside the relay files. Not a folder inside the data directory: "
            "MariaDB would show it as a database."},
    {0},
};

static const ConfOption hook_options[] = {
    {"before_pause", CONF_PATH, IN(hooks, before_pause),
     .doc = "Program run before the replica is paused, for instance to take it out of a read pool and wait "
            "until its "
            "readers have left. Its environment has SIDING_HOOK, SIDING_NODE, SIDING_SERVER, SIDING_RUN_ID "
            "(empty: by "
            "hand), "
            "SIDING_REASON and SIDING_GTID by its environment."},
    {"after_caught_up", CONF_PATH, IN(hooks, after_caught_up),
     .doc = "Program run once it has caught up with its own settings, and whenever before_pause was called "
            "and no "
            "pause came of it. Tried three times."},
    {"after_promotion", CONF_PATH, IN(hooks, after_promotion),
     .doc = "Program run when a failover or switchover has made this node the primary and it is open, for "
            "instance to take an address over. No failover waits for it. Its environment has SIDING_HOOK, "
            "SIDING_NODE, SIDING_SERVER, SIDING_PRIMARY, SIDING_TERM (one number for each failover) and "
            "SIDING_ATTEMPT. Tried three times, as long as this node is the primary."},
    {"after_demotion", CONF_PATH, IN(hooks, after_demotion),
     .doc =
         "The same when another has become the primary in this node's place; its server is closed, or does "
         "not run. If the host was away: as soon as its agent hears of it."},
    {"timeout", CONF_DURATION, IN(hooks, timeout_ms), .fallback = "30s", .min = 100, .max = 3600000,
     .doc = "Longest run of a hook; then it is killed with all its processes, and has failed."},
    {"on_failure", CONF_STR, IN(hooks, on_failure), .fallback = "refuse", .choices = "refuse|ignore",
     .doc = "Whether a before_pause that fails refuses the pause."},
    {0},
};

static const ConfOption result_options[] = {
    {"spool_limit_bytes", CONF_INT, offsetof(ResultConfig, spool_limit_bytes), .fallback = "0", .min = 0,
     .max = INT64_MAX,
     .doc = "Most that the results in spool_dir may take together, as if its disk were of this size: what "
            "min_free_bytes "
            "says of a full disk holds; 0: as much as there is."},
    {"destinations", CONF_STRS, offsetof(ResultConfig, destinations),
     .doc = "Nodes, and folders on this host such as a mounted one, that get a copy of each result of jobs "
            "that name "
            "none: a result that is on one host only dies with it."},
    {NULL},
};

static const ConfOption peer_options[] = {
    {"name", CONF_STR, offsetof(AgentPeer, name), .required = true, .min = 1, .max = 64,
     .doc = "The node's name, as its agent's file gives it (node)."},
    {"url", CONF_STR, offsetof(AgentPeer, url), .required = true, .doc = "Its advertise_url."},
    {0},
};

const ConfOption agent_config_options[] = {
    {"node", CONF_STR, FIELD(node), .required = true, .restart = true, .min = 1, .max = 64,
     .doc = "This host's name in the cluster."},
    {"cluster_name", CONF_STR, FIELD(cluster_name), .required = true, .restart = true, .min = 1, .max = 128,
     .doc = "Name of the cluster; a coordinator of another cluster is refused."},
    {"listen", CONF_STRS, FIELD(listen), .required = true, .restart = true,
     .doc = "Addresses of the API: \"127.0.0.1:7310\", \"unix:/run/siding/agent.sock\". Any address that is "
            "neither a unix socket nor loopback needs tls."},
    {"advertise_url", CONF_STR, FIELD(advertise_url), .required = true, .restart = true,
     .doc = "Where other agents fetch results from: \"http://127.0.0.1:7310\" on loopback, else "
            "\"https://host:7310\"."},
    {"state_dir", CONF_PATH, FIELD(state_dir), .required = true, .restart = true,
     .doc = "Folder of the lease and the journals: a few kilobytes that must survive. One agent per folder."},
    {"spool_dir", CONF_PATH, FIELD(spool_dir), .required = true, .restart = true,
     .doc = "Folder of results."},
    {"jobs_dir", CONF_PATH, FIELD(jobs_dir),
     .doc = "Folder of job files (*.conf); without it only dumps can run."},
    {"tasklets_dir", CONF_PATH, FIELD(tasklets_dir),
     .doc =
         "Folder of tasklets: programs that say in their first lines how they are called; left out: none."},
    {"server", CONF_GROUP, FIELD(server), .required = true, .restart = true, .group = server_options,
     .doc = "The server of this host."},
    {"job_defaults_file", CONF_PATH, FIELD(job_defaults_file),
     .doc = "Option file with user and password that jobs read with (siding_job), mode 0600."},
    {"load_defaults_file", CONF_PATH, FIELD(load_defaults_file),
     .doc = "Option file with user and password that results are loaded with (siding_load), mode 0600."},
    {"jobd_socket", CONF_PATH, FIELD(jobd_socket),
     .doc = "Where siding-jobd of this host listens, which runs jobs as users of their own; left out: jobs "
            "run as "
            "the agent's user, in namespaces of their own where the host allows that."},
    {"separation", CONF_STR, FIELD(separation), .fallback = "best", .choices = SEPARATION_CHOICES,
     .doc = "How jobs are kept apart whose files do not say: the best that this host gives, or exactly this, "
            "and "
            "refused where it is not given. `siding check` names what is."},
    {"log_format", CONF_STR, FIELD(log_format), .fallback = "text", .choices = "text|json",
     .doc = "Form of the log lines on stderr."},
    {"log_level", CONF_STR, FIELD(log_level), .fallback = "info", .choices = "error|warn|info|debug",
     .doc = "Least level that is logged."},
    {"log_limit_bytes", CONF_INT, FIELD(log_limit_bytes), .fallback = "1048576", .min = 4096, .max = 1 << 30,
     .doc = "Size at which a task's log is rotated: of each run so much is kept and so much before it, and "
            "of its earlier runs the newest that together have so much."},
    {"min_free_bytes", CONF_INT, FIELD(min_free_bytes), .fallback = "104857600", .min = 0, .max = INT64_MAX,
     .doc =
         "A job ends, and none begins, when the spool folder, the state folder or the disk of the relay logs "
         "has less free space than this. For the relay logs it is at least what arrives in two minutes."},
    {"keep", CONF_INT, FIELD(keep), .fallback = "0", .min = 0, .max = 100000,
     .doc = "Results kept of a job whose file names no number, and of dumps of the same databases: the "
            "newest so "
            "many. What an upload still needs stays, and so does the last one. 0: all."},
    {"keep_for", CONF_DURATION, FIELD(keep_for_ms), .fallback = "0", .min = 0,
     .doc = "Age at which a result goes, the last one excepted; 0: none."},
    {"result", CONF_GROUP, FIELD(result), .group = result_options,
     .doc = "What becomes of results, those of dumps too."},
    {"dump_encryption", CONF_GROUP, FIELD(dump_encryption), .group = encryption_options,
     .doc = "A program that encrypts each file of a dump; jobs name theirs in their own files."},
    {"relay_log_dir", CONF_PATH, FIELD(relay_log_dir),
     .doc = "Folder of the server's relay logs, whose disk is watched; left out: as the server says, where "
            "it is "
            "reached by a unix socket."},
    {"ballast_bytes", CONF_INT, FIELD(ballast_bytes), .fallback = "67108864", .min = 0, .max = INT64_MAX,
     .doc =
         "Size of a file beside a replica's relay logs that is removed when their disk is about to run full, "
         "so that the server goes on answering; made again when there is room. 0: none."},
    {"relay_limit_bytes", CONF_INT, FIELD(relay_limit_bytes), .fallback = "0", .min = 0, .max = INT64_MAX,
     .doc = "Most that may arrive in the relay logs during a pause; 0: no limit."},
    {"catchup_limit", CONF_DURATION, FIELD(catchup_limit_ms), .fallback = "0", .min = 0,
     .max = 14 * (int64_t)DAY_MS,
     .doc = "Most that catching up may be estimated to take, from what has arrived and the rate of the last "
            "catch-up; 0: no limit."},
    {"at_limit", CONF_STR, FIELD(at_limit), .fallback = "stop", .choices = "stop|kill|let-finish",
     .doc = "What happens to a job at a limit: it is asked to stop (and killed after stop_grace), killed at "
            "once, "
            "or only warned about. let-finish still ends at the longest pause and before a disk is full. The "
            "replica resumes in any case."},
    {"limit_warn_percent", CONF_INT, FIELD(limit_warn_percent), .fallback = "80", .min = 10, .max = 100,
     .doc = "From this part of a limit on it is warned about."},
    {"allow_delayed", CONF_BOOL, FIELD(allow_delayed), .fallback = "false",
     .doc = "Whether a replica with a configured delay may be paused."},
    {"allow_downstream", CONF_BOOL, FIELD(allow_downstream), .fallback = "false",
     .doc = "Whether a replica that others replicate from may be paused; they stand still with it."},
    {"semi_sync", CONF_STR, FIELD(semi_sync), .fallback = "manage", .choices = "manage|leave",
     .doc =
         "Whether semi-sync is switched on as a source when this server becomes the writable primary, and "
         "off when it is closed; with \"leave\" it stays as it is, and a replica on which nobody has set it "
         "on cannot become the primary."},
    {"hooks", CONF_GROUP, FIELD(hooks), .group = hook_options,
     .doc = "Programs that run before and after a pause. No shell, no arguments."},
    {"renew", CONF_DURATION, FIELD(renew_ms), .fallback = "60s", .min = 1000, .max = DAY_MS,
     .doc = "A warning is raised when the coordinator of a pause has been silent for this long; the job goes "
            "on and "
            "the "
            "replica resumes without it."},
    {"allow_dump", CONF_BOOL, FIELD(allow_dump), .fallback = "true", .doc = "Whether dumps may run here."},
    {"buffer_sync", CONF_STR, FIELD(buffer_sync), .fallback = "agent", .choices = "agent|server|none",
     .doc =
         "Who brings what a paused replica receives to the disk: \"agent\" syncs the newest relay file every "
         "100 ms, so that a crash of the machine loses at most what arrived since; \"server\" sets "
         "sync_relay_log=1 for the pause, which makes commits of the primary wait for the disk of a "
         "semi-sync "
         "replica; \"none\" leaves it to the server's own setting."},
    {"boost", CONF_BOOL, FIELD(boost), .fallback = "true",
     .doc = "Whether durability is relaxed and parallel apply raised while a replica catches up. The "
            "originals are written down first and put back."},
    {"boost_trials", CONF_BOOL, FIELD(boost_trials), .fallback = "true",
     .doc =
         "Whether several ways of parallel apply are tried for a moment each while a replica catches up, and "
         "the fastest kept and remembered. Each try stops the applier for a moment."},
    {"boost_trials_above", CONF_DURATION, FIELD(boost_trials_above_ms), .fallback = "10s", .max = 86400000,
     .doc = "With less time left nothing is tried: a trial costs half a second or more."},
    {"boost_workers", CONF_INT, FIELD(boost_workers), .fallback = "8", .min = 0, .max = 256,
     .doc = "Parallel apply threads while catching up; never fewer than the server has."},
    {"boost_queue_bytes", CONF_INT, FIELD(boost_queue_bytes), .fallback = "0", .min = 0, .max = 1LL << 30,
     .doc = "Memory for what is read ahead of the parallel apply threads while catching up, where the server "
            "has "
            "less; 0: as the server has. Measure before you raise it: MariaDB may use it once for each "
            "thread, and "
            "applied small transactions at half the rate with 16 MB instead of its own 128 KB."},
    {"boost_last_acknowledger", CONF_BOOL, FIELD(boost_last_acknowledger), .fallback = "false",
     .doc =
         "Whether durability stays relaxed while this is the only replica that acknowledges the primary's "
         "commits (semi-sync). If not, its own durability is put back as soon as the coordinator sees that; "
         "it applies in parallel all the same."},
    {"probe_interval", CONF_DURATION, FIELD(probe_interval_ms), .fallback = "200ms", .min = 20, .max = 10000,
     .doc = "Time between two looks at the server."},
    {"statement_timeout", CONF_DURATION, FIELD(statement_timeout_ms), .fallback = "5s", .min = 1000,
     .max = 60000, .doc = "Longest wait for an ordinary statement."},
    {"stop_timeout", CONF_DURATION, FIELD(stop_timeout_ms), .fallback = "30s", .min = 1000, .max = 600000,
     .doc = "Longest wait for the applier to stop (it ends its transaction or DDL first) before a pause is "
            "given up."},
    {"applied_timeout", CONF_DURATION, FIELD(applied_timeout_ms), .fallback = "10m", .min = 1000,
     .max = DAY_MS, .doc = "Longest wait for a run's own submission to be applied here."},
    {"barrier_timeout", CONF_DURATION, FIELD(barrier_timeout_ms), .fallback = "60s", .min = 1000,
     .max = 3600000,
     .doc = "A frozen replica that waits for the others resumes when the coordinator has been silent "
            "for this long."},
    {"pause_limit", CONF_DURATION, FIELD(pause_limit_ms), .fallback = "12h", .min = 1000,
     .max = 14 * (int64_t)DAY_MS, .doc = "Longest pause, whatever a run asks for."},
    {"split_silence", CONF_DURATION, FIELD(split_silence_ms), .fallback = "30s", .min = 5000, .max = 3600000,
     .doc =
         "Of a job split over several replicas: one whose program has been silent for so long is given up, "
         "and the others do its part."},
    {"stop_grace", CONF_DURATION, FIELD(stop_grace_ms), .fallback = "15s", .min = 100, .max = 3600000,
     .doc = "Time between asking a job to end (SIGTERM) and ending it (SIGKILL to its whole group)."},
    {"sleep_grace", CONF_DURATION, FIELD(sleep_grace_ms), .fallback = "5s", .min = 100, .max = 3600000,
     .doc = "Time a job has to put itself to sleep (SIGTSTP) before it is stopped where it is (SIGSTOP)."},
    {"peers", CONF_LIST, FIELD(peers), .group = peer_options, .size = sizeof(AgentPeer),
     .doc = "The agents of the other nodes. Results are fetched from these only."},
    {"roles", CONF_GROUP, FIELD(roles), .group = role_agent_options,
     .doc = "Who may do what. Without an entry only the account of the agent and root, by a unix socket."},
    {"token_file", CONF_PATH, FIELD(tls.token_file),
     .doc =
         "File with a token (mode 0600) that is shown to other agents, for those on loopback without TLS."},
    {"tls", CONF_GROUP, FIELD(tls), .group = tls_options,
     .doc = "Certificates for this program as a server and towards other agents."},
    {0},
};

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return *text && text[strspn(text, allowed)] == 0;
}

static bool check_names(const char *path, const AgentConfig *c, Err *err)
{
    if (!is_name(c->node))
        return conf_error(err, path, "node", "\"%s\" may hold letters, digits, '-', '_' and '.' only",
                          c->node);
    return true;
}

static const AgentPeer *peer_at(const AgentConfig *c, size_t i)
{
    return (const AgentPeer *)c->peers.v + i;
}

static bool check_peers(const char *path, const AgentConfig *c, Err *err)
{
    Err why;
    if (!http_url_allowed(c->advertise_url, &c->tls, &why))
        return conf_error(err, path, "advertise_url", "%s", why.text);
    for (size_t i = 0; i < c->peers.n; i++) {
        AUTOFREE char *url = xasprintf("peers.[%zu].url", i), *name = xasprintf("peers.[%zu].name", i);
        if (!http_url_allowed(peer_at(c, i)->url, &c->tls, &why))
            return conf_error(err, path, url, "%s", why.text);
        for (size_t j = 0; j < i; j++)
            if (str_eq(peer_at(c, j)->name, peer_at(c, i)->name))
                return conf_error(err, path, name, "\"%s\" is named twice", peer_at(c, i)->name);
    }
    return true;
}

bool agent_config_peer_url(const AgentConfig *c, const char *node, const char **ret, Err *err)
{
    if (str_eq(node, c->node)) {
        *ret = c->advertise_url;
        return true;
    }
    for (size_t i = 0; i < c->peers.n; i++)
        if (str_eq(peer_at(c, i)->name, node)) {
            *ret = peer_at(c, i)->url;
            return true;
        }
    return err_set(
        err, ERR_REFUSED, 0,
        "%s fetches nothing from \"%.100s\", which is not among \"peers\" in its agent.conf; add it "
        "there and send the agent SIGHUP",
        c->node, node ? node : "");
}

static char *host_of(const char *url)
{
    const char *p = strstr(url, "://");
    p = p ? p + 3 : url;
    return *p == '[' ? xstrndup(p + 1, strcspn(p + 1, "]")) : xstrndup(p, strcspn(p, ":/"));
}

bool agent_config_roles(const char *path, const AgentConfig *c, RoleMap **ret, Err *err)
{
    if (!roles_load(path, &c->roles, ret, err))
        return false;
    for (size_t i = 0; i < c->peers.n; i++) {
        AUTOFREE char *host = host_of(peer_at(c, i)->url);
        roles_add_peer(*ret, peer_at(c, i)->name);
        if (!str_eq(host, peer_at(c, i)->name) && !http_address_is_local(host))
            roles_add_peer(*ret, host);
    }
    return true;
}

bool agent_config_load(const char *path, AgentConfig *ret, Err *err)
{
    AgentConfig c = {0};
    if (!conf_load(path, agent_config_options, &c, err))
        return false;
    if (!check_names(path, &c, err) || !http_listen_check(path, &c.listen, &c.tls, "127.0.0.1:7310", err) ||
        !check_peers(path, &c, err) || !roles_check(path, &c.roles, err) || !tls_check(&c.tls, err)) {
        agent_config_free(&c);
        return false;
    }
    *ret = c;
    return true;
}

void agent_config_free(AgentConfig *c)
{
    conf_free(agent_config_options, c);
}

DbTarget agent_config_target(const AgentConfig *c)
{
    return (DbTarget){
        .defaults_file = c->server.defaults_file,
        .socket = c->server.socket,
        .host = c->server.socket ? NULL : c->server.address,
        .port = c->server.port,
        .named = true,
    };
}

DbTarget agent_config_rescue_target(const AgentConfig *c)
{
    DbTarget t = agent_config_target(c);
    if (c->server.rescue_defaults_file)
        t.defaults_file = c->server.rescue_defaults_file;
    return t;
}

DbTarget agent_config_job_target(const AgentConfig *c)
{
    DbTarget t = agent_config_target(c);
    t.defaults_file = c->job_defaults_file;
    return t;
}

/* ---- job files ------------------------------------------------------------------------------------ */

static bool check_job(const char *path, const JobFile *f, Err *err)
{
    if (!is_name(f->name))
        return conf_error(err, path, "name", "\"%s\" may hold letters, digits, '-', '_' and '.' only",
                          f->name);
    if (str_eq(f->name, "dump"))
        return conf_error(err, path, "name", "\"dump\" is built in");
    for (size_t i = 0; i < f->allow_args.n; i++) {
        Err why;
        if (!joblist_check_pattern(f->allow_args.v[i], &why))
            return conf_error(err, path, "allow_args", "%s", why.text);
    }
    return true;
}

static void job_done(JobConfig *j)
{
    free(STEAL(j->path));
    if (j->tasklet)
        tasklet_done(j->tasklet);
    free(STEAL(j->tasklet));
    job_file_done(&j->f);
}

/* Files that mean the same have the same. */
static void digest_of(const JobFile *f, char ret[65])
{
    AUTO(str_done) Str text = STR_INIT;
    conf_text(job_file_options, f, &text);
    Sha256 *s = sha256_new();
    sha256_add(s, str_z(&text), text.len);
    sha256_finish(s, ret);
}

static bool load_job(const char *path, const JobList *known, JobConfig *ret, Err *err)
{
    JobConfig j = {0};
    if (!job_file_load(path, &j.f, err))
        return false;
    bool ok = check_job(path, &j.f, err);
    const JobConfig *other = ok ? job_list_find(known, j.f.name) : NULL;
    if (other)
        ok = conf_error(err, path, "name", "\"%s\" is already defined in %s", j.f.name, other->path);
    if (!ok) {
        job_done(&j);
        return false;
    }
    j.path = xstrdup(path);
    digest_of(&j.f, j.digest);
    *ret = j;
    return true;
}

static JobConfig *add_job(JobList *l)
{
    l->v = xrealloc(l->v, (l->n + 1) * sizeof *l->v);
    memset(&l->v[l->n], 0, sizeof *l->v);
    return &l->v[l->n++];
}

static void add_dump(const AgentConfig *c, JobList *l)
{
    JobFile *j = &add_job(l)->f;
    j->name = xstrdup("dump");
    j->kind = xstrdup("dump");
    j->on = xstrdup("replica");
    j->upload = xstrdup("none");
    j->nice = 10;
    j->encryption.program = xstrdup(c->dump_encryption.program);
    j->encryption.suffix = xstrdup(c->dump_encryption.suffix);
    strlist_add_all(&j->encryption.args, &c->dump_encryption.args);
    static const char *const allow[] = {"--threads=[0-9]+",
                                        "--compress=[a-z]+(:[0-9]+)?",
                                        "--database=[^/]+",
                                        "--table=.+",
                                        "--match=.+",
                                        "--exclude=.+",
                                        "--format=[a-z]+",
                                        "--rows-per-file=[0-9]+",
                                        "--bytes-per-file=[0-9]+[kKmMgG]?",
                                        "--schema-only",
                                        "--data-only",
                                        "--no-[a-z-]+"};
    for (size_t i = 0; i < COUNT(allow); i++)
        strlist_add(&j->allow_args, allow[i]);
}

static void load_dir(const char *dir, JobList *l)
{
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(dir, &names, &err)) {
        if (err.kind != ERR_NOT_FOUND)
            strlist_addf(&l->warnings, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < names.n; i++) {
        if (!str_ends(names.v[i], ".conf") || names.v[i][0] == '.')
            continue;
        AUTOFREE char *path = xasprintf("%s/%s", dir, names.v[i]);
        JobConfig j;
        if (load_job(path, l, &j, &err))
            *add_job(l) = j;
        else
            strlist_addf(&l->warnings, "job file left out: %s", err.text);
    }
}

/* ---- tasklets ------------------------------------------------------------------------------------- */

static void add_fault(JobList *l, const char *name, const char *dir, const char *error)
{
    TaskletFault *f = wire_list_add(&l->faults, sizeof *f);
    *f = (TaskletFault){xstrdup(name), xstrdup(error)};
    strlist_addf(&l->warnings, "tasklet left out: %s/%s: %s", dir, name, error);
}

static bool check_tasklet(const JobList *known, const JobConfig *j, Err *err)
{
    const JobConfig *other = job_list_find(known, j->f.name);
    if (!is_name(j->f.name))
        return err_set(err, ERR_CONFIG, 0, "its name may hold letters, digits, '-', '_' and '.' only");
    if (str_eq(j->f.name, "dump"))
        return err_set(err, ERR_CONFIG, 0, "\"dump\" is built in");
    return !other || err_set(err, ERR_CONFIG, 0, "\"%s\" is already defined in %s", j->f.name,
                             other->path ? other->path : "Siding");
}

static void load_tasklet(const char *dir, const char *file, JobList *l)
{
    Err err;
    JobConfig j = {0};
    bool other;
    bool ok = tasklet_load(dir, file, &j, &other, &err) && (other || check_tasklet(l, &j, &err));
    if (ok && !other) {
        *add_job(l) = j;
        return;
    }
    if (!ok)
        add_fault(l, file, dir, err.text);
    job_done(&j);
}

static void load_tasklets(const char *dir, JobList *l)
{
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    AUTOFREE char *trouble = tasklet_folder_trouble(dir);
    if (trouble)
        strlist_addf(&l->warnings, "tasklets_dir: %s", trouble);
    else if (!fs_list(dir, &names, &err))
        strlist_addf(&l->warnings, "tasklets_dir: %s", err.text);
    for (size_t i = 0; i < names.n; i++)
        load_tasklet(dir, names.v[i], l);
}

void job_list_load(const AgentConfig *c, JobList *ret)
{
    job_list_done(ret);
    if (c->allow_dump)
        add_dump(c, ret);
    if (c->jobs_dir)
        load_dir(c->jobs_dir, ret);
    if (c->tasklets_dir)
        load_tasklets(c->tasklets_dir, ret);
}

void job_list_done(JobList *l)
{
    for (size_t i = 0; i < l->n; i++)
        job_done(&l->v[i]);
    free(l->v);
    strlist_done(&l->warnings);
    for (size_t i = 0; i < l->faults.n; i++)
        wire_free(tasklet_fault_fields, (TaskletFault *)l->faults.v + i);
    free(l->faults.v);
    *l = (JobList){0};
}

const JobConfig *job_list_find(const JobList *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->v[i].f.name, name))
            return &l->v[i];
    return NULL;
}
