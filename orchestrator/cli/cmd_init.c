/* SPDX-License-Identifier: Apache-2.0
 * siding init: looks at the servers, and writes what each host needs below a folder.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "common/db/flavor.h"
#include "common/db/repl.h"
#include "common/db/servercheck.h"
#include "common/file/fs.h"
#include "common/net/certificate.h"
#include "init.h"
#include "out.h"

enum { LOOK_TIMEOUT_MS = 10000, NODES_MAX = 100, CERT_DAYS = 825, CA_DAYS = 3650 };

typedef struct InitOptions {
    CliCommon common;
    char *cluster, *coordinator, *admin;
    StrList nodes, databases;
} InitOptions;

static const Opt init_options[] = {
    {"cluster", 0, OPT_STR, offsetof(InitOptions, cluster), .arg = "NAME", .doc = "Name of the cluster."},
    {"node", 'n', OPT_STRS, offsetof(InitOptions, nodes), .arg = "NAME=HOST[:PORT]",
     .doc = "A server: its name in the cluster, and its address as the other hosts reach it; once for each."},
    {"coordinator", 0, OPT_STR, offsetof(InitOptions, coordinator), .arg = "HOST",
     .doc = "The address from which the coordinator's host reaches the servers."},
    {"database", 'D', OPT_STRS, offsetof(InitOptions, databases), .arg = "NAME",
     .doc =
         "A database that jobs may read and results may be loaded into; may be repeated. Without it: all."},
    {"admin", 0, OPT_STR, offsetof(InitOptions, admin), .arg = "FILE",
     .doc = "Option file of an account that may look at the servers (mode 0600). Without it none is looked "
            "at, and MariaDB "
            "is assumed."},
    CLI_COMMON_OPTIONS,
};

/* ---- looking -------------------------------------------------------------------------------------- */

static bool read_server(Db *db, InitNode *n, Err *err)
{
    if (!servercheck_read(db, &n->facts, err) || !db_value(db, &n->socket, err, "SELECT @@GLOBAL.socket", ""))
        return false;
    n->flavor = n->facts.version.flavor;
    n->seen = true;
    servercheck_judge_settings(&n->facts, &n->findings);
    return true;
}

static void look(InitNode *n, const char *admin)
{
    Err err;
    Db *db = NULL;
    if (!admin) {
        n->trouble = xstrdup("no --admin was given");
        return;
    }
    DbTarget t = {.defaults_file = (char *)admin, .host = n->host, .port = n->port};
    if (!db_connect(&t, LOOK_TIMEOUT_MS, &db, &err) || !read_server(db, n, &err))
        n->trouble = xstrdup(err.text);
    db_close(db);
}

/* ---- writing -------------------------------------------------------------------------------------- */

static bool write_file(const char *dir, const char *name, const Str *text, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/%s", dir, name);
    if (fs_exists(path))
        return err_set(err, ERR_CONFLICT, 0, "%s exists; give another folder, or remove it", path);
    return fs_replace(path, str_z(text), text->len, 0600, err);
}

static bool write_certificate(const InitPlan *p, const char *dir, const char *name, const char *host,
                              Err *err)
{
    AUTO(str_done) Str ca_text = STR_INIT;
    AUTOFREE char *ca = xasprintf("%s/ca", p->dir), *ca_file = xasprintf("%s/ca.pem", ca);
    return cert_issue_host(ca, dir, name, host, CERT_DAYS, err) && fs_read(ca_file, 1 << 20, &ca_text, err) &&
           write_file(dir, "ca.pem", &ca_text, err);
}

static bool write_node(const InitPlan *p, const InitNode *n, Err *err)
{
    AUTO(str_done) Str conf = STR_INIT, options = STR_INIT;
    AUTOFREE char *dir = xasprintf("%s/%s", p->dir, n->name), *jobs = xasprintf("%s/jobs", dir);
    init_agent_conf(p, n, &conf);
    init_option_file(p, n, &options);
    return fs_mkdirs(jobs, 0700, err) && write_file(dir, "agent.conf", &conf, err) &&
           write_file(dir, "siding.cnf", &options, err) && write_certificate(p, dir, n->name, n->host, err);
}

static bool write_all(const InitPlan *p, Err *err)
{
    AUTO(str_done) Str conf = STR_INIT;
    AUTOFREE char *ca = xasprintf("%s/ca", p->dir), *own = xasprintf("%s/sidingd", p->dir);
    AUTOFREE char *ca_file = xasprintf("%s/ca.pem", ca), *ca_key = xasprintf("%s/ca.key", ca);
    CertOrder order = {.name = p->cluster, .days = CA_DAYS};
    init_sidingd_conf(p, &conf);
    if (!fs_mkdirs(ca, 0700, err) || !fs_mkdirs(own, 0700, err) ||
        !cert_make_ca(&order, ca_file, ca_key, err) || !write_file(own, "sidingd.conf", &conf, err) ||
        !write_certificate(p, own, "sidingd", p->coordinator, err))
        return false;
    for (size_t i = 0; i < p->n; i++)
        if (!write_node(p, &p->nodes[i], err))
            return false;
    return true;
}

/* ---- the command ---------------------------------------------------------------------------------- */

static bool check_options(const InitOptions *o, Err *err)
{
    const char *missing = !o->cluster       ? "--cluster"
                          : !o->coordinator ? "--coordinator"
                          : !o->nodes.n     ? "--node"
                                            : NULL;
    if (missing)
        return err_set(err, ERR_USAGE, 0, "siding init needs %s; see --help", missing);
    return o->nodes.n <= NODES_MAX || err_set(err, ERR_USAGE, 0, "more than %d nodes", NODES_MAX);
}

static bool read_nodes(const InitOptions *o, InitPlan *p, Err *err)
{
    for (size_t i = 0; i < o->nodes.n; i++) {
        if (!init_read_node(o->nodes.v[i], &p->nodes[p->n], err))
            return false;
        p->n++;
        for (size_t k = 0; k + 1 < p->n; k++)
            if (str_eq(p->nodes[k].name, p->nodes[p->n - 1].name))
                return err_set(err, ERR_USAGE, 0, "two nodes are named %s", p->nodes[k].name);
        if (str_eq(p->nodes[p->n - 1].name, "ca") || str_eq(p->nodes[p->n - 1].name, "sidingd"))
            return err_set(err, ERR_USAGE, 0, "a node cannot be named \"%s\": that folder is another's",
                           p->nodes[p->n - 1].name);
    }
    return true;
}

static bool look_at_all(const InitOptions *o, InitPlan *p, Err *err)
{
    size_t seen = 0;
    for (size_t i = 0; i < p->n; i++) {
        look(&p->nodes[i], o->admin);
        seen += p->nodes[i].seen;
        if (p->nodes[i].seen && p->nodes[0].seen && p->nodes[i].flavor != p->nodes[0].flavor)
            return err_set(err, ERR_REFUSED, 0, "%s is %s and %s is %s: a cluster must be all of one kind",
                           p->nodes[0].name, flavor_of(p->nodes[0].flavor)->name, p->nodes[i].name,
                           flavor_of(p->nodes[i].flavor)->name);
    }
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; !p->nodes[i].seen && k < p->n; k++)
            if (p->nodes[k].seen)
                p->nodes[i].flavor = p->nodes[k].flavor;
    if (seen == p->n && !init_primary(p))
        return err_set(err, ERR_REFUSED, 0,
                       "which server is the primary? exactly one of them may follow no other");
    return true;
}

static CLI_RUN(run)
{
    const InitOptions *o = options;
    AUTO(str_done) Str text = STR_INIT;
    (void)rest;
    (void)cli;
    InitPlan p = {.cluster = o->cluster,
                  .coordinator = o->coordinator,
                  .dir = words->v[0],
                  .databases = &o->databases,
                  .nodes = xcalloc(NODES_MAX + 1, sizeof *p.nodes)};
    bool ok =
        check_options(o, err) && read_nodes(o, &p, err) && look_at_all(o, &p, err) && write_all(&p, err);
    if (ok) {
        init_tell(&p, &text);
        out_text(str_z(&text));
    }
    for (size_t i = 0; i < p.n; i++)
        init_node_done(&p.nodes[i]);
    free(p.nodes);
    return ok;
}

const CliCommand cmd_init = {
    .name = "init",
    .args = "DIR",
    .summary = "Write configurations, certificates and option files for all hosts of a new cluster.",
    .detail =
        "Looks at the servers, changes nothing on them, and prints what is to be done in which order. Writes "
        "DIR/NODE "
        "for each database host, DIR/sidingd for the coordinator's, and DIR/ca, which stays where it is.",
    .options = init_options,
    .size = sizeof(InitOptions),
    .min_words = 1,
    .max_words = 1,
    .needs = CLI_NEEDS_NOTHING,
    .run = run,
};
