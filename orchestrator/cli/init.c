/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include <inttypes.h>
#include <string.h>

#include "common/db/flavor.h"
#include "common/db/servercheck.h"
#include "common/wire/finding.h"

void init_node_done(InitNode *n)
{
    char *const owned[] = {n->name, n->host, n->agent_url, n->socket, n->trouble};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    server_facts_done(&n->facts);
    finding_free(&n->findings);
    *n = (InitNode){0};
}

bool init_read_address(const char *word, char **ret_host, int64_t *port)
{
    bool v6 = *word == '[';
    size_t n = v6 ? strcspn(word, "]") + 1 : strcspn(word, ":");
    if (!n || (v6 && (n <= 2 || n > strlen(word))))
        return false;
    long long own = *port;
    if (word[n] && (word[n] != ':' || !str_to_i64(word + n + 1, 1, 65535, &own)))
        return false;
    *ret_host = v6 ? xstrndup(word + 1, n - 2) : xstrndup(word, n);
    *port = own;
    return true;
}

bool init_read_node(const char *word, InitNode *ret, Err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *is = strchr(word, '=');
    size_t name = is ? (size_t)(is - word) : 0;
    char *host;
    int64_t port = INIT_SERVER_PORT;
    if (!name || strspn(word, allowed) != name || !init_read_address(is + 1, &host, &port))
        return err_set(err, ERR_USAGE, 0,
                       "\"%s\" is no node: write NAME=HOST or NAME=HOST:PORT, such as db1=10.0.0.2", word);
    *ret = (InitNode){.name = xstrndup(word, name), .host = host, .port = port};
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

char *init_endpoint(const char *host, int64_t port)
{
    Str s = STR_INIT;
    add_endpoint(&s, host, port);
    return str_take(&s);
}

static const char *etc_of(const InitPlan *p)
{
    return p->etc ? p->etc : "/etc/siding";
}

static void add_tls(const InitPlan *p, Str *out, const char *name)
{
    const char *etc = etc_of(p);
    str_addf(out,
             "tls = { certificate_file = \"%s/%s.pem\"; key_file = \"%s/%s.key\"; ca_file = "
             "\"%s/ca.pem\"; };\n",
             etc, name, etc, name, etc);
}

static char *url_of(const InitNode *n)
{
    AUTOFREE char *at = init_endpoint(n->host ? n->host : "", INIT_AGENT_PORT);
    return n->agent_url ? xstrdup(n->agent_url) : xasprintf("https://%s", at);
}

/* ---- configurations ------------------------------------------------------------------------------- */

char *init_entry(const InitNode *n)
{
    AUTOFREE char *url = url_of(n);
    return xasprintf("{ name = \"%s\"; url = \"%s\"; }", n->name, url);
}

void init_agent_conf(const InitPlan *p, const InitNode *n, Str *out)
{
    AUTOFREE char *at = init_endpoint(n->host, INIT_AGENT_PORT);
    const char *socket = n->socket ? n->socket : "/run/mysqld/mysqld.sock", *etc = etc_of(p),
               *state = p->state ? p->state : "/var/lib/siding";
    str_addf(out,
             "# /etc/siding/agent.conf on %s. Every option: agent.conf.sample beside the installed "
             "documentation.\n"
             "cluster_name = \"%s\";\n"
             "node = \"%s\";\n"
             "listen = [ \"%s\" ];\n"
             "advertise_url = \"https://%s\";\n"
             "state_dir = \"%s\";\n"
             "spool_dir = \"%s/spool\";\n"
             "jobs_dir = \"%s/jobs\";\n"
             "server = {\n"
             "    socket = \"%s\";\n"
             "    address = \"%s\";\n"
             "    port = %" PRId64 ";\n"
             "    defaults_file = \"%s/agent.cnf\";\n",
             n->host, p->cluster, n->name, at, at, state, state, etc, socket, n->host, n->port, etc);
    if (flavor_of(n->flavor)->purges_on_start)
        str_addf(out, "    rescue_defaults_file = \"%s/rescue.cnf\";\n", etc);
    if (n->is_filled)
        str_addf(out,
                 "    replication_defaults_file = \"%s/repl.cnf\";\n"
                 "    provision_defaults_file = \"%s/provision.cnf\";\n"
                 "    donor_defaults_file = \"%s/donor.cnf\";\n",
                 etc, etc, etc);
    str_addf(out,
             "};\n"
             "job_defaults_file = \"%s/job.cnf\";\n"
             "load_defaults_file = \"%s/load.cnf\";\n",
             etc, etc);
    add_tls(p, out, n->name);
    str_addf(
        out,
        "# Who may do what (docs/security.md): roles.operator = [ \"group:dba\" ] lets that group pause and "
        "resume here.\n"
        "roles = { coordinator = [ \"cert:%s\" ]; };\n"
        "# The other agents: results are fetched from them only, and theirs are the certificates that "
        "may.\n"
        "peers = (\n",
        p->steered_by ? p->steered_by : "sidingd");
    const char *separator = "";
    for (size_t i = 0; i < p->n; i++) {
        if (&p->nodes[i] == n)
            continue;
        AUTOFREE char *entry = init_entry(&p->nodes[i]);
        str_addf(out, "%s    %s", separator, entry);
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
        AUTOFREE char *entry = init_entry(&p->nodes[i]);
        str_addf(out, "    %s%s\n", entry, i + 1 < p->n ? "," : "");
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
    add_tls(p, out, "sidingd");
    str_adds(out, "# Who may do what (docs/security.md), besides root and the account of sidingd: "
                  "roles = { operator = [ \"group:dba\" ]; };\n");
}

/* ---- the server's option file --------------------------------------------------------------------- */

void init_option_file(const InitPlan *p, const InitNode *n, Str *out)
{
    const char *etc = etc_of(p);
    str_addf(out,
             "# For the server of %s: what Siding needs of it (docs/guide.md). Behind the server's other "
             "option files.\n"
             "[mysqld]\n",
             n->name);
    servercheck_options(n->flavor, n->seen ? &n->facts : NULL, out);
    str_addf(out,
             "ssl_cert=%s/%s.pem\n"
             "ssl_key=%s/%s.key\n"
             "ssl_ca=%s/ca.pem\n",
             etc, n->name, etc, n->name, etc);
}

/* ---- for people ----------------------------------------------------------------------------------- */

static void tell_node(const InitNode *n, Str *out)
{
    const Finding *f = n->findings.v;
    AUTOFREE char *at = init_endpoint(n->host, n->port);
    if (n->trouble) {
        str_addf(out, "%s (%s): not looked at: %s\n", n->name, at, n->trouble);
        return;
    }
    const ReplStatus *r = &n->facts.repl;
    AUTOFREE char *source =
        r->is_replica ? init_endpoint(r->source_host ? r->source_host : "?", r->source_port) : NULL;
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
