/* SPDX-License-Identifier: Apache-2.0 */
#include "coordconf.h"

#include <string.h>

#include "http.h"

#define FIELD(name) offsetof(SidingConfig, name)

static const ConfOption agent_options[] = {
    {"name", CONF_STR, offsetof(AgentAddress, name), .required = true,
     .doc = "The node's name, as its agent's file gives it (node)."},
    {"url", CONF_STR, offsetof(AgentAddress, url), .required = true,
     .doc = "Where its agent listens: \"http://127.0.0.1:7310\" on loopback, else \"https://host:7310\"."},
    {0},
};

static const ConfOption grant_options[] = {
    {"hosts", CONF_STRS, FIELD(grants.hosts) - FIELD(grants), .fallback = "localhost,127.0.0.1",
     .doc = "Host parts of the accounts that bootstrap makes."},
    {"read", CONF_STRS, FIELD(grants.read) - FIELD(grants), .fallback = "*",
     .doc = "Databases that jobs may read; \"*\" is all."},
    {"load", CONF_STRS, FIELD(grants.load) - FIELD(grants), .fallback = "*",
     .doc = "Databases that results may be loaded into; \"*\" is all."},
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
    {"per_hour", CONF_INT, FIELD(mail.per_hour) - FIELD(mail), .fallback = "12", .min = 1, .max = 60,
     .doc = "Most mails in an hour; what happens meanwhile waits for the next."},
    {0},
};

const ConfOption coordconf_options[] = {
    {"cluster_name", CONF_STR, FIELD(cluster_name), .required = true,
     .doc = "Name of the cluster. Every agent carries the same; an agent of another cluster is not steered."},
    {"state_dir", CONF_PATH, FIELD(state_dir), .required = true,
     .doc = "Folder of the coordinator's own journal (term, primary, roles)."},
    {"listen", CONF_STRS, FIELD(listen), .required = true,
     .doc = "Addresses of the API: \"unix:/run/siding/siding.sock\", \"127.0.0.1:7320\". Any address that is "
            "neither a unix socket nor loopback needs tls."},
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
    {"min_serving", CONF_INT, FIELD(min_serving), .fallback = "0", .min = 0, .max = 1000,
     .doc = "Replicas that must stay unpaused while jobs run."},
    {"catch_up_between", CONF_BOOL, FIELD(catch_up_between), .fallback = "true",
     .doc = "Whether a replica catches up before its next job. With false a queued job that finds no other "
            "replica pauses it again as soon as all that was there when the job was submitted is applied."},
    {"max_lag", CONF_DURATION, FIELD(max_lag_ms), .fallback = "60s", .min = 1000, .max = 86400000,
     .doc = "A replica further behind than this is not chosen for a job."},
    {"pause_limit", CONF_DURATION, FIELD(pause_limit_ms), .fallback = "12h", .min = 60000, .max = 1209600000,
     .doc = "Longest pause of a replica for a job that names none itself."},
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
    const char *url = coordconf_agent(c, i)->url;
    AUTOFREE char *option = xasprintf("agents.[%zu].url", i);
    bool https = str_starts(url, "https://"), http = str_starts(url, "http://");
    if (!https && !http && !str_starts(url, "unix:/"))
        return conf_error(err, path, option,
                          "\"%s\" is no URL; write http://127.0.0.1:port or https://host:port", url);
    if (https && !tls_is_set(&c->tls))
        return conf_error(err, path, option, "\"%s\" needs tls with certificate_file, key_file and ca_file",
                          url);
    AUTOFREE char *address =
        http ? xstrndup(url + strlen("http://"), strcspn(url + strlen("http://"), "/")) : NULL;
    if (http && !http_address_is_local(address))
        return conf_error(err, path, option, "\"%s\" is not loopback: use https:// and tls", url);
    return true;
}

static bool check_agents(const char *path, const SidingConfig *c, Err *err)
{
    if (c->agents.n == 0)
        return conf_error(err, path, "agents", "no agent; name one for every database host");
    for (size_t i = 0; i < c->agents.n; i++) {
        AUTOFREE char *option = xasprintf("agents.[%zu].name", i);
        for (size_t j = 0; j < i; j++)
            if (str_eq(coordconf_agent(c, j)->name, coordconf_agent(c, i)->name))
                return conf_error(err, path, option, "\"%s\" is named twice", coordconf_agent(c, i)->name);
        if (!check_url(path, c, i, err))
            return false;
    }
    return true;
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
        check_agents(path, ret, err) && check_tls(path, ret, err))
        return true;
    coordconf_free(ret);
    return false;
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
