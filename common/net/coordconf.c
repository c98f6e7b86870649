/* SPDX-License-Identifier: Apache-2.0 */
#include "coordconf.h"

#include <string.h>

#include "common/base/text.h"
#include "common/wire/bounds.h"
#include "http.h"

#define FIELD(name) offsetof(SidingConfig, name)

static const ConfOption agent_options[] = {
    {"name", CONF_STR, offsetof(AgentAddress, name), .required = true, .min = 1, .max = 64,
     .doc = "The node's name, as its agent's file gives it (node)."},
    {"url", CONF_STR, offsetof(AgentAddress, url), .required = true,
     .doc = "Where its agent listens: \"http://127.0.0.1:7310\" on loopback, else \"https://host:7310\"."},
    {"jobs", CONF_STRS, offsetof(AgentAddress, jobs), .restart = true,
     .doc = "Jobs that the node takes, written as in queue.groups; left out: all that its agent knows."},
    {0},
};

static const ConfOption submitter_options[] = {
    {"account", CONF_STR, offsetof(SqlSubmitter, account), .required = true,
     .doc = "\"user@host\" as its sessions show it (SELECT USER()); % and _ in the host stand for any "
            "characters "
            "and any one, the user % for all. The first line that fits counts."},
    {"jobs", CONF_STRS, offsetof(SqlSubmitter, jobs), .required = true,
     .doc = "Names of jobs; \"*\" is all."},
    {"databases", CONF_STRS, offsetof(SqlSubmitter, databases),
     .doc = "Databases that it may name in options; \"*\" is all. Left out: none, and so no dump."},
    {"least_priority", CONF_INT, offsetof(SqlSubmitter, least_priority), .fallback = "-10", .min = -1000000,
     .max = 1000000, .doc = "Least priority that it may give."},
    {"most_priority", CONF_INT, offsetof(SqlSubmitter, most_priority), .fallback = "10", .min = -1000000,
     .max = 1000000, .doc = "Greatest priority that it may give."},
    {"most_waiting", CONF_INT, offsetof(SqlSubmitter, most_waiting), .fallback = "1000", .min = 1,
     .max = 10000000, .doc = "Most tasks of this user that may wait at a time."},
    {0},
};

static const ConfOption grant_options[] = {
    {"hosts", CONF_STRS, FIELD(grants.hosts) - FIELD(grants), .fallback = "localhost,127.0.0.1",
     .doc = "Host parts of the accounts that bootstrap makes."},
    {"read", CONF_STRS, FIELD(grants.read) - FIELD(grants), .fallback = "*",
     .doc = "Databases that jobs may read; \"*\" is all."},
    {"load", CONF_STRS, FIELD(grants.load) - FIELD(grants), .fallback = "*",
     .doc = "Databases that results may be loaded into; \"*\" is all."},
    {"submit", CONF_LIST, FIELD(grants.submit) - FIELD(grants), .group = submitter_options,
     .size = sizeof(SqlSubmitter),
     .doc = "Who of those that may EXECUTE siding.submit may submit what; without a line nobody may. Told to "
            "the "
            "servers by siding bootstrap."},
    {0},
};

static const ConfOption emergency_options[] = {
    {"to", CONF_STRS, offsetof(MailEmergency, to), .required = true,
     .doc = "Addresses, a gateway to short messages among them: the subject has the first event."},
    {"window", CONF_STR, offsetof(MailEmergency, window),
     .doc = "Only inside, as a task's limit window, by the clocks of this host: \"Mon-Fri 22:00-06:00; "
            "Sat-Sun\". Left "
            "out: at any time."},
    {0},
};

static const ConfOption mail_options[] = {
    {"to", CONF_STRS, FIELD(mail.to) - FIELD(mail),
     .doc = "Whom events are mailed to; without anybody no mail is sent."},
    {"from", CONF_STR, FIELD(mail.from) - FIELD(mail), .doc = "The sender; left out: as the program says."},
    {"program", CONF_PATH, FIELD(mail.program) - FIELD(mail), .fallback = "/usr/sbin/sendmail",
     .doc = "Gets the message on its input. Run without a shell."},
    {"args", CONF_STRS, FIELD(mail.args) - FIELD(mail), .fallback = "-t,-i", .doc = "Its arguments."},
    {"level", CONF_STR, FIELD(mail.level) - FIELD(mail), .fallback = "warn", .choices = "error|warn|info",
     .doc = "Least level of events that are mailed."},
    {"batch", CONF_DURATION, FIELD(mail.batch_ms) - FIELD(mail), .fallback = "30s", .min = 100,
     .max = 86400000, .doc = "Events are gathered for so long into one mail."},
    {"emergency", CONF_LIST, FIELD(mail.emergency) - FIELD(mail), .group = emergency_options,
     .size = sizeof(MailEmergency),
     .doc = "Who gets the mails with an error in them as well, and when. Goes with \"to\"."},
    {"per_hour", CONF_INT, FIELD(mail.per_hour) - FIELD(mail), .fallback = "12", .min = 1, .max = 60,
     .doc = "Most mails in an hour; what happens meanwhile waits for the next."},
    {"log_bytes", CONF_INT, FIELD(mail.log_bytes) - FIELD(mail), .fallback = "65536", .min = 1024,
     .max = 1 << 20,
     .doc = "How much of the end of each log stands in a mail to those whom a task names (--email-logs-to), "
            "which go out by the same program, also without \"to\"."},
    {0},
};

static const ConfOption retention_options[] = {
    {"done", CONF_DURATION, FIELD(retention.done_ms) - FIELD(retention), .fallback = "30d", .min = 3600000,
     .max = 315360000000, .doc = "Tasks that are done are kept for so long, with their runs."},
    {"failed", CONF_DURATION, FIELD(retention.failed_ms) - FIELD(retention), .fallback = "90d",
     .min = 3600000, .max = 315360000000,
     .doc = "The same of those that were killed, stopped or acknowledged. An error is kept until it is "
            "acknowledged."},
    {"events", CONF_DURATION, FIELD(retention.events_ms) - FIELD(retention), .fallback = "90d",
     .min = 3600000, .max = 315360000000, .doc = "Rows of siding.event and siding.enqueue."},
    {0},
};

static const ConfOption failover_options[] = {
    {"automatic", CONF_BOOL, FIELD(failover.automatic) - FIELD(failover), .fallback = "false",
     .doc = "Whether a primary that is dead is replaced without a person. Without it siding cluster failover "
            "does "
            "the same when somebody asks."},
    {"after", CONF_DURATION, FIELD(failover.after_ms) - FIELD(failover), .fallback = "10s", .min = 1000,
     .max = 3600000,
     .doc =
         "For so long nobody has had a word of the primary, and the coordinator, its agent and the replicas "
         "agree that it is dead."},
    {"again_after", CONF_DURATION, FIELD(failover.again_after_ms) - FIELD(failover), .fallback = "10m",
     .min = 0, .max = 604800000,
     .doc = "A second automatic failover is not begun earlier after one that succeeded; a person may."},
    {"fence_after", CONF_DURATION, FIELD(failover.fence_after_ms) - FIELD(failover), .fallback = "5s",
     .min = 1000, .max = 3600000,
     .doc = "An old primary that cannot be asked has closed for reads after this time; the new one opens no "
            "earlier."},
    {"close", CONF_DURATION, FIELD(failover.close_ms) - FIELD(failover), .fallback = "1s", .min = 0,
     .max = 600000, .doc = "How long that closing may take."},
    {"acks", CONF_INT, FIELD(failover.acks) - FIELD(failover), .fallback = "1", .min = 1, .max = 31,
     .doc = "Replicas that must acknowledge each commit of a new primary; MariaDB knows only 1."},
    {"alone", CONF_BOOL, FIELD(failover.alone) - FIELD(failover), .fallback = "false",
     .doc =
         "Whether a new primary that too few replicas follow opens all the same: its commits then wait for "
         "those there are, or for nobody."},
    {"prefer", CONF_STRS, FIELD(failover.prefer) - FIELD(failover),
     .doc = "Nodes that become the primary before others, where they have or can fetch all."},
    {"avoid", CONF_STRS, FIELD(failover.avoid) - FIELD(failover),
     .doc = "Nodes that become it only where no other can."},
    {"never", CONF_STRS, FIELD(failover.never) - FIELD(failover), .doc = "Nodes that never do."},
    {0},
};

static const ConfOption provision_options[] = {
    {"automatic", CONF_BOOL, FIELD(provision.automatic) - FIELD(provision), .fallback = "false",
     .doc = "Whether a replica whose data are broken for good is given new data without a person."},
    {"after", CONF_DURATION, FIELD(provision.after_ms) - FIELD(provision), .fallback = "30m", .min = 5000,
     .max = 604800000,
     .doc = "How long it must have been so, without a gap. It is announced at the beginning of that time."},
    {"per_day", CONF_INT, FIELD(provision.per_day) - FIELD(provision), .fallback = "1", .min = 1, .max = 100,
     .doc = "At most so many within 24 hours, of the whole cluster, those that failed too."},
    {"max_rate", CONF_INT, FIELD(provision.max_rate) - FIELD(provision), .fallback = "0", .min = 0,
     .max = BOUND_MOST_BYTES,
     .doc = "Most bytes a second that are read from a donor, 65536 at least; 0: no limit. --max-rate of the "
            "command goes before."},
    {0},
};

static const ConfOption queue_group_options[] = {
    {"names", CONF_STRS, offsetof(QueueGroup, names), .required = true,
     .doc = "Names of tasks; \"index\" is also \"index:words\", and a * at the end stands for anything."},
    {"may_sleep", CONF_BOOL, offsetof(QueueGroup, may_sleep), .fallback = "false",
     .doc = "With true one of them may start while the others sleep; else two are never under way."},
    {0},
};

static const ConfOption queue_key_options[] = {
    {"names", CONF_STRS, offsetof(QueueKey, names), .required = true,
     .doc =
         "Concurrency keys of tasks; \"api\" is also \"api:users\", and a * at the end stands for anything. "
         "Each key counts for itself."},
    {"at_once", CONF_INT, offsetof(QueueKey, at_once), .fallback = "1", .min = 0, .max = 100000,
     .doc = "Tasks of one key that are under way at once, sleeping ones included; 0: no bound."},
    {"starts", CONF_INT, offsetof(QueueKey, starts), .fallback = "0", .min = 0, .max = 10000,
     .doc = "Most starts of one key within any time \"per\", retries included; 0: no bound."},
    {"per", CONF_DURATION, offsetof(QueueKey, per_ms), .fallback = "1m", .min = 1000, .max = 604800000,
     .doc = "That time."},
    {0},
};

static const ConfOption queue_options[] = {
    {"on_error", CONF_STR, FIELD(queue.on_error) - FIELD(queue), .fallback = "lane",
     .choices = "task|lane|queue",
     .doc =
         "What a failure holds until somebody has seen to it, where the task does not say: \"task\" only its "
         "sequence, \"lane\" also later tasks of its name, \"queue\" starts manual mode. A failed upload "
         "holds what "
         "is loaded into the same table in any case."},
    {"slots", CONF_INT, FIELD(queue.slots) - FIELD(queue), .fallback = "0", .min = 0, .max = 10000,
     .doc = "Jobs at once in all, uploads aside; 0: as many as nodes and primary_slots allow."},
    {"alone", CONF_STRS, FIELD(queue.alone) - FIELD(queue), .restart = true,
     .doc = "Names of tasks that run beside nothing, uploads included; written as in groups."},
    {"groups", CONF_LIST, FIELD(queue.groups) - FIELD(queue), .group = queue_group_options,
     .size = sizeof(QueueGroup), .restart = true,
     .doc = "Tasks that keep out of each other's way, 32 groups at most."},
    {"keys", CONF_LIST, FIELD(queue.keys) - FIELD(queue), .group = queue_key_options,
     .size = sizeof(QueueKey), .restart = true,
     .doc = "How many tasks of a concurrency key may run and start; the first line that fits counts. A key "
            "without a line has one task at a time."},
    {0},
};

const ConfOption coordconf_options[] = {
    {"cluster_name", CONF_STR, FIELD(cluster_name), .required = true, .restart = true, .min = 1, .max = 128,
     .doc = "Name of the cluster. Every agent carries the same; an agent of another cluster is not steered."},
    {"state_dir", CONF_PATH, FIELD(state_dir), .required = true, .restart = true,
     .doc = "Folder of the coordinator's own journal (term, primary, roles)."},
    {"listen", CONF_STRS, FIELD(listen), .required = true, .restart = true,
     .doc = "Addresses of the API: \"unix:/run/siding/siding.sock\", \"127.0.0.1:7320\". Any address that is "
            "neither a unix socket nor loopback needs tls."},
    {"join_listen", CONF_STR, FIELD(join_listen), .fallback = "*:3311",
     .doc = "Where new hosts fetch their files, with TLS; open only while one is invited (siding replica "
            "invite)."},
    {"log_format", CONF_STR, FIELD(log_format), .fallback = "text", .choices = "text|json",
     .doc = "Form of the log lines on stderr."},
    {"log_level", CONF_STR, FIELD(log_level), .fallback = "info", .choices = "error|warn|info|debug",
     .doc = "Least level that is logged."},
    {"agents", CONF_LIST, FIELD(agents), .required = true, .group = agent_options,
     .size = sizeof(AgentAddress), .doc = "The agents, one on every database host, the primary's included."},
    {"database_defaults_file", CONF_PATH, FIELD(database_defaults_file), .required = true,
     .doc =
         "Option file with user and password of the coordinator's account, mode 0600. Host and port of the "
         "primary come from its agent."},
    {"admin_defaults_file", CONF_PATH, FIELD(admin_defaults_file),
     .doc =
         "Option file of an account on the primary that may create users; only siding bootstrap and siding "
         "check use it."},
    {"credentials_dir", CONF_PATH, FIELD(credentials_dir),
     .doc = "Folder where bootstrap writes coordinator.cnf, agent.cnf, job.cnf and load.cnf when absent."},
    {"grants", CONF_GROUP, FIELD(grants), .group = grant_options, .doc = "What bootstrap grants."},
    {"mail", CONF_GROUP, FIELD(mail), .group = mail_options, .doc = "Events by mail."},
    {"retention", CONF_GROUP, FIELD(retention), .group = retention_options,
     .doc = "How long the queue's history stays in the database."},
    {"failover", CONF_GROUP, FIELD(failover), .group = failover_options,
     .doc = "What becomes of a primary that is dead: docs/failover.md."},
    {"provision", CONF_GROUP, FIELD(provision), .group = provision_options,
     .doc = "Replicas that are filled with the data of another: docs/replicas.md."},
    {"queue", CONF_GROUP, FIELD(queue), .group = queue_options, .doc = "Rules of the queue."},
    {"min_serving", CONF_INT, FIELD(min_serving), .fallback = "0", .min = 0, .max = 1000,
     .doc = "Replicas that must stay unpaused while jobs run."},
    {"primary_slots", CONF_INT, FIELD(primary_slots), .fallback = "1", .min = 1, .max = 1000,
     .doc = "Jobs on the primary at once; uploads run one after the other beside them."},
    {"catch_up_between", CONF_BOOL, FIELD(catch_up_between), .fallback = "true",
     .doc = "Whether a replica catches up before its next job. With false a queued job that finds no other "
            "replica pauses it again as soon as all that was there when the job was submitted is applied."},
    {"max_lag", CONF_DURATION, FIELD(max_lag_ms), .fallback = "60s", .min = 1000, .max = 86400000,
     .doc = "A replica further behind than this is not chosen for a job."},
    {"pause_limit", CONF_DURATION, FIELD(pause_limit_ms), .fallback = "12h", .min = 60000, .max = 1209600000,
     .doc = "Longest pause of a replica for a job that names none itself."},
    {"roles", CONF_GROUP, FIELD(roles), .group = role_coordinator_options,
     .doc = "Who may do what. Without an entry only the account of sidingd and root, by the unix socket."},
    {"token_file", CONF_PATH, FIELD(tls.token_file),
     .doc = "File with a token (mode 0600) that is shown to the agents, for those on loopback without TLS."},
    {"tls", CONF_GROUP, FIELD(tls), .group = tls_options,
     .doc = "Certificates for this program as a server and towards the agents."},
    {0},
};

size_t coordconf_agents(const SidingConfig *c)
{
    return c->agents.n;
}

const AgentAddress *coordconf_agent(const SidingConfig *c, size_t i)
{
    return (const AgentAddress *)c->agents.v + i;
}

static bool check_url(const char *path, const SidingConfig *c, size_t i, Err *err)
{
    Err why;
    AUTOFREE char *option = xasprintf("agents.[%zu].url", i);
    return http_url_allowed(coordconf_agent(c, i)->url, &c->tls, &why) ||
           conf_error(err, path, option, "%s", why.text);
}

static bool check_name(const char *path, const char *option, const char *name, int64_t most, Err *err)
{
    size_t chars;
    bool ok = text_is_plain(name, strlen(name), &chars) && chars && (int64_t)chars <= most;
    return ok || conf_error(err, path, option, "must be a text of one line, 1 to %d characters", (int)most);
}

/* As siding.submit matches it, and as its table can hold it. */
static bool check_submitters(const char *path, const SidingConfig *c, Err *err)
{
    const SqlSubmitter *s = c->grants.submit.v;
    for (size_t i = 0; i < c->grants.submit.n; i++) {
        AUTOFREE char *option = xasprintf("grants.submit.[%zu].account", i);
        const char *at = strrchr(s[i].account, '@');
        if (!at || at == s[i].account || !at[1])
            return conf_error(err, path, option, "\"%s\" is no account; write \"user@host\", \"app@10.1.%%\"",
                              s[i].account);
        if (!check_name(path, option, s[i].account, 128, err))
            return false;
        AUTOFREE char *priorities = xasprintf("grants.submit.[%zu].least_priority", i);
        if (s[i].least_priority > s[i].most_priority)
            return conf_error(err, path, priorities, "is above most_priority");
    }
    return true;
}

static bool check_agents(const char *path, const SidingConfig *c, Err *err)
{
    if (c->agents.n == 0)
        return conf_error(err, path, "agents", "no agent; name one for every database host");
    for (size_t i = 0; i < c->agents.n; i++) {
        AUTOFREE char *option = xasprintf("agents.[%zu].name", i);
        if (!check_name(path, option, coordconf_agent(c, i)->name, BOUND_NODE_CHARS, err))
            return false;
        for (size_t j = 0; j < i; j++)
            if (str_eq(coordconf_agent(c, j)->name, coordconf_agent(c, i)->name))
                return conf_error(err, path, option, "\"%s\" is named twice", coordconf_agent(c, i)->name);
        if (!check_url(path, c, i, err))
            return false;
    }
    return true;
}

static bool check_nodes(const char *path, const SidingConfig *c, const char *option, const StrList *names,
                        Err *err)
{
    for (size_t i = 0; i < names->n; i++) {
        bool known = false;
        for (size_t k = 0; k < c->agents.n; k++)
            known = known || str_eq(coordconf_agent(c, k)->name, names->v[i]);
        if (!known)
            return conf_error(err, path, option, "\"%s\" is not among \"agents\"", names->v[i]);
    }
    return true;
}

static bool check_failover(const char *path, const SidingConfig *c, Err *err)
{
    return check_nodes(path, c, "failover.prefer", &c->failover.prefer, err) &&
           check_nodes(path, c, "failover.avoid", &c->failover.avoid, err) &&
           check_nodes(path, c, "failover.never", &c->failover.never, err);
}

static bool check_queue(const char *path, const SidingConfig *c, Err *err)
{
    return c->queue.groups.n <= QUEUE_MOST_GROUPS ||
           conf_error(err, path, "queue.groups", "%zu groups; there may be %d", c->queue.groups.n,
                      QUEUE_MOST_GROUPS);
}

static bool check_provision(const char *path, const SidingConfig *c, Err *err)
{
    return !c->provision.max_rate || c->provision.max_rate >= BOUND_LEAST_RATE ||
           conf_error(err, path, "provision.max_rate", "must be 0 or at least %d", BOUND_LEAST_RATE);
}

static bool check_tls(const char *path, const SidingConfig *c, Err *err)
{
    Err why;
    return tls_check(&c->tls, &why) || conf_error(err, path, "tls", "%s", why.text);
}

bool coordconf_load(const char *path, SidingConfig *ret, Err *err)
{
    memset(ret, 0, sizeof *ret);
    if (!conf_load(path, coordconf_options, ret, err))
        return false;
    if (http_listen_check(path, &ret->listen, &ret->tls, "127.0.0.1:7320", err) &&
        check_agents(path, ret, err) && check_failover(path, ret, err) && check_submitters(path, ret, err) &&
        check_queue(path, ret, err) && check_provision(path, ret, err) && check_tls(path, ret, err) &&
        roles_check(path, &ret->roles, err))
        return true;
    coordconf_free(ret);
    return false;
}

/* ---- clients ---------------------------------------------------------------------------------------------
 */

typedef struct SidingClient {
    char *url;
    Tls tls;
} SidingClient;

const ConfOption coordconf_client_options[] = {
    {"url", CONF_STR, offsetof(SidingClient, url), .required = true,
     .doc = "Where sidingd listens: \"unix:/run/siding/siding.sock\", \"https://host:7320\"."},
    {"token_file", CONF_PATH, offsetof(SidingClient, tls.token_file),
     .doc = "File with a token (mode 0600) that is shown to sidingd and to agents."},
    {"tls", CONF_GROUP, offsetof(SidingClient, tls), .group = tls_options,
     .doc = "The certificate of whoever asks, for addresses of other hosts."},
    {0},
};

static bool load_client_file(const char *path, SidingConfig *ret, char **ret_url, Err *err)
{
    Err why;
    SidingClient f = {0};
    if (!conf_load(path, coordconf_client_options, &f, err))
        return false;
    bool ok = (http_url_allowed(f.url, &f.tls, &why) || conf_error(err, path, "url", "%s", why.text)) &&
              (tls_check(&f.tls, &why) || conf_error(err, path, "tls", "%s", why.text));
    if (ok) {
        *ret_url = xstrdup(f.url);
        EXCHANGE(ret->tls, f.tls);
    }
    conf_free(coordconf_client_options, &f);
    return ok;
}

bool coordconf_load_client(const char *path, SidingConfig *ret, char **ret_url, bool *ret_whole, Err *err)
{
    memset(ret, 0, sizeof *ret);
    *ret_whole = false;
    if (str_starts(path, "unix:/") || strstr(path, "://")) {
        bool ok = http_url_allowed(path, NULL, err);
        *ret_url = ok ? xstrdup(path) : NULL;
        return ok;
    }
    if (conf_has(path, "url"))
        return load_client_file(path, ret, ret_url, err);
    if (!coordconf_load(path, ret, err))
        return false;
    *ret_url = coordconf_url(ret);
    return *ret_whole = true;
}

void coordconf_free(SidingConfig *c)
{
    conf_free(coordconf_options, c);
}

/* An address to listen on is not always one to dial: "*" and 0.0.0.0 stand for every address of the host. */
static char *url_of(const char *listen)
{
    if (str_starts(listen, "unix:"))
        return xstrdup(listen);
    bool tls = !http_address_is_local(listen);
    if (str_starts(listen, "tls:")) {
        tls = true;
        listen += strlen("tls:");
    }
    if (str_starts(listen, "*:") || str_starts(listen, "0.0.0.0:") || str_starts(listen, "[::]:"))
        return xasprintf("https://localhost%s", strrchr(listen, ':'));
    return xasprintf("http%s://%s", tls ? "s" : "", listen);
}

char *coordconf_url(const SidingConfig *c)
{
    const char *best = NULL;
    for (size_t i = 0; i < c->listen.n; i++) {
        const char *l = c->listen.v[i];
        if (str_starts(l, "unix:"))
            return xstrdup(l);
        if (!best || (!http_address_is_local(best) && http_address_is_local(l)))
            best = l;
    }
    return best ? url_of(best) : NULL;
}
