/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include <inttypes.h>
#include <string.h>

#include "common/db/flavor.h"
#include "common/db/servercheck.h"
#include "common/wire/finding.h"

void init_node_done(InitNode *n)
{
    char *const owned[] = {n->name, n->host, n->socket, n->trouble};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    server_facts_done(&n->facts);
    finding_free(&n->findings);
    *n = (InitNode){0};
}

bool init_read_node(const char *word, InitNode *ret, Err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *is = strchr(word, '='), *host = is ? is + 1 : "";
    size_t name = is ? (size_t)(is - word) : 0,
           n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    long long port = INIT_SERVER_PORT;
    bool bracketed = *host == '[' && n > 2 && n <= strlen(host);
    const char *rest = host + (n <= strlen(host) ? n : strlen(host));
    bool ok = name && strspn(word, allowed) == name && n && (*host != '[' || bracketed) &&
              (!*rest || (*rest == ':' && str_to_i64(rest + 1, 1, 65535, &port)));
    if (!ok)
        return err_set(err, ERR_USAGE, 0,
                       "\"%s\" is no node: write NAME=HOST or NAME=HOST:PORT, such as db1=10.0.0.2", word);
    *ret = (InitNode){.name = xstrndup(word, name),
                      .host = bracketed ? xstrndup(host + 1, n - 2) : xstrndup(host, n),
                      .port = port};
    return true;
}

const InitNode *init_primary(const InitPlan *p)
{
    const InitNode *found = NULL;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->nodes[i].seen || (found && !p->nodes[i].facts.repl.is_replica))
            return NULL;
        if (!p->nodes[i].facts.repl.is_replica)
            found = &p->nodes[i];
    }
    return found;
}

/* An IPv6 address stands in brackets beside a port. */
static void add_endpoint(Str *out, const char *host, int64_t port)
{
    bool v6 = strchr(host, ':') != NULL;
    str_addf(out, "%s%s%s:%" PRId64, v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static char *endpoint(const char *host, int64_t port)
{
    Str s = STR_INIT;
    add_endpoint(&s, host, port);
    return str_take(&s);
}

static void add_tls(Str *out, const char *name)
{
    str_addf(
        out,
        "tls = { certificate_file = \"/etc/siding/%s.pem\"; key_file = \"/etc/siding/%s.key\"; ca_file = "
        "\"/etc/siding/ca.pem\"; };\n",
        name, name);
}

/* ---- configurations ------------------------------------------------------------------------------- */

void init_agent_conf(const InitPlan *p, const InitNode *n, Str *out)
{
    AUTOFREE char *at = endpoint(n->host, INIT_AGENT_PORT);
    const char *socket = n->socket ? n->socket : "/run/mysqld/mysqld.sock";
    str_addf(out,
             "# /etc/siding/agent.conf on %s. Every option: agent.conf.sample beside the installed "
             "documentation.\n"
             "cluster_name = \"%s\";\n"
             "node = \"%s\";\n"
             "listen = [ \"%s\" ];\n"
             "advertise_url = \"https://%s\";\n"
             "state_dir = \"/var/lib/siding\";\n"
             "spool_dir = \"/var/lib/siding/spool\";\n"
             "jobs_dir = \"/etc/siding/jobs\";\n"
             "server = {\n"
             "    socket = \"%s\";\n"
             "    address = \"%s\";\n"
             "    port = %" PRId64 ";\n"
             "    defaults_file = \"/etc/siding/agent.cnf\";\n",
             n->host, p->cluster, n->name, at, at, socket, n->host, n->port);
    if (flavor_of(n->flavor)->purges_on_start)
        str_adds(out, "    rescue_defaults_file = \"/etc/siding/rescue.cnf\";\n");
    str_adds(out, "};\n"
                  "job_defaults_file = \"/etc/siding/job.cnf\";\n"
                  "load_defaults_file = \"/etc/siding/load.cnf\";\n");
    add_tls(out, n->name);
    str_adds(
        out,
        "# Who may do what (docs/security.md): roles.operator = [ \"group:dba\" ] lets that group pause and "
        "resume here.\n"
        "roles = { coordinator = [ \"cert:sidingd\" ]; };\n"
        "# The other agents: results are fetched from them only, and theirs are the certificates that "
        "may.\n"
        "peers = (\n");
    const char *separator = "";
    for (size_t i = 0; i < p->n; i++) {
        if (&p->nodes[i] == n)
            continue;
        AUTOFREE char *peer = endpoint(p->nodes[i].host, INIT_AGENT_PORT);
        str_addf(out, "%s    { name = \"%s\"; url = \"https://%s\"; }", separator, p->nodes[i].name, peer);
        separator = ",\n";
    }
    str_adds(out, "\n);\n");
}

static void add_names(Str *out, const StrList *l, const char *none)
{
    str_adds(out, "[ ");
    for (size_t i = 0; i < l->n; i++)
        str_addf(out, "%s\"%s\"", i ? ", " : "", l->v[i]);
    str_addf(out, "%s ]", l->n ? "" : none);
}

void init_sidingd_conf(const InitPlan *p, Str *out)
{
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    strlist_add(&hosts, "localhost");
    strlist_add(&hosts, p->coordinator);
    str_addf(out,
             "# /etc/siding/sidingd.conf on %s. Every option: sidingd.conf.sample beside the installed "
             "documentation.\n"
             "cluster_name = \"%s\";\n"
             "state_dir = \"/var/lib/sidingd\";\n"
             "listen = [ \"unix:/run/siding/siding.sock\" ];\n"
             "agents = (\n",
             p->coordinator, p->cluster);
    for (size_t i = 0; i < p->n; i++) {
        AUTOFREE char *at = endpoint(p->nodes[i].host, INIT_AGENT_PORT);
        str_addf(out, "    { name = \"%s\"; url = \"https://%s\"; }%s\n", p->nodes[i].name, at,
                 i + 1 < p->n ? "," : "");
    }
    str_adds(out, ");\n"
                  "database_defaults_file = \"/etc/siding/coordinator.cnf\";\n"
                  "credentials_dir = \"/etc/siding\";\n"
                  "admin_defaults_file = \"/root/siding-admin.cnf\";\n"
                  "# Hosts that accounts come from: jobs and loads use their server's own socket, the "
                  "coordinator its address.\n"
                  "grants = { hosts = ");
    add_names(out, &hosts, "");
    str_adds(out, ";\n    # Databases that jobs may read, and that results may be loaded into.\n    read = ");
    add_names(out, p->databases, "\"*\"");
    str_adds(out, ";\n    load = ");
    add_names(out, p->databases, "\"*\"");
    str_addf(out, ";\n};\nmin_serving = %d;\n", p->n > 2 ? 1 : 0);
    add_tls(out, "sidingd");
    str_adds(out, "# Who may do what (docs/security.md), besides root and the account of sidingd: "
                  "roles = { operator = [ \"group:dba\" ]; };\n");
}

/* ---- the server's option file --------------------------------------------------------------------- */

void init_option_file(const InitNode *n, Str *out)
{
    str_addf(out,
             "# For the server of %s: what Siding needs of it (docs/guide.md). Behind the server's other "
             "option files.\n"
             "[mysqld]\n",
             n->name);
    servercheck_options(n->flavor, n->seen ? &n->facts : NULL, out);
    str_addf(out,
             "ssl_cert=/etc/siding/%s.pem\n"
             "ssl_key=/etc/siding/%s.key\n"
             "ssl_ca=/etc/siding/ca.pem\n",
             n->name, n->name);
}

/* ---- for people ----------------------------------------------------------------------------------- */

static void tell_node(const InitNode *n, Str *out)
{
    const Finding *f = n->findings.v;
    AUTOFREE char *at = endpoint(n->host, n->port);
    if (n->trouble) {
        str_addf(out, "%s (%s): not looked at: %s\n", n->name, at, n->trouble);
        return;
    }
    const ReplStatus *r = &n->facts.repl;
    AUTOFREE char *source =
        r->is_replica ? endpoint(r->source_host ? r->source_host : "?", r->source_port) : NULL;
    bool stopped = r->is_replica && (!r->sql_running || r->io == REPL_IO_NO);
    str_addf(out, "%s (%s): %s %s, %s%s%s\n", n->name, at, flavor_of(n->flavor)->name, n->facts.version.text,
             source ? "replica of " : "primary", source ? source : "",
             stopped ? ", replication is stopped" : "");
    for (size_t i = 0; i < n->findings.n; i++)
        if (!str_eq(f[i].level, "ok"))
            str_addf(out, "    %s: %s\n", f[i].level, f[i].text);
}

static void tell_order(const InitPlan *p, Str *out)
{
    const InitNode *primary = init_primary(p);
    const Flavor *flavor = flavor_of(p->nodes[0].flavor);
    const char *first = primary ? primary->name : "the primary";
    str_addf(out,
             "\nIn this order (docs/guide.md has the commands):\n"
             " 1. Copy %s/NODE/ to /etc/siding of each database host, owned by the server's user, folder "
             "0700, keys 0600;\n"
             "    %s/sidingd/ to /etc/siding of %s, owned by the user of sidingd.\n"
             " 2. On each database host put siding.cnf behind the server's option files and restart the "
             "server: replicas first,\n"
             "    %s last. On each replica: %s. Nobody else starts it: its agent cannot log in yet.\n",
             p->dir, p->dir, p->coordinator, first, flavor->start_both);
    for (size_t i = 0; i < p->n; i++)
        if (p->nodes[i].facts.repl.is_replica && !p->nodes[i].facts.repl.uses_gtid)
            str_addf(out, "    On %s, which does not use GTIDs yet: %s\n", p->nodes[i].name,
                     flavor->use_gtid);
    str_addf(out,
             "    %s is closed for writes then, until its agent runs. Until that: %s\n"
             " 3. On %s: siding bootstrap --dry-run, then siding bootstrap: schema and accounts, which reach "
             "the replicas by\n"
             "    replication. Copy the files that it writes to /etc/siding of each database host.\n"
             " 4. Start siding-agent on each database host, then sidingd on %s.\n"
             " 5. siding check says what is still wrong.\n",
             first, flavor->read_only_off, p->coordinator, p->coordinator);
}

void init_tell(const InitPlan *p, Str *out)
{
    for (size_t i = 0; i < p->n; i++)
        tell_node(&p->nodes[i], out);
    tell_order(p, out);
}
