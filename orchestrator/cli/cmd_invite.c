/* SPDX-License-Identifier: Apache-2.0
 * siding replica invite: what a new host needs is made here, where the CA and the passwords are, sealed with
 * a token, and left with sidingd, from where siding-agent join fetches it. The key of the new certificate is
 * in no other file when the command is over.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bootstrap.h"
#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/db/flavor.h"
#include "common/file/fs.h"
#include "common/net/http.h"
#include "common/net/jointoken.h"
#include "common/wire/bounds.h"
#include "init.h"
#include "out.h"

enum { MOST_NODES = 100, FILE_BYTES = 1 << 16 };

typedef struct InviteOptions {
    CliCommon common;
    char *address, *ca, *valid, *write;
    StrList via;
    int64_t days;
    bool revoke;
} InviteOptions;

#define FIELD(name) offsetof(InviteOptions, name)
static const Opt invite_options[] = {
    {"address", 'a', OPT_STR, FIELD(address), .arg = "HOST[:PORT]",
     .doc = "The new server, as the other hosts reach it; with its port unless that is 3306."},
    {"via", 0, OPT_STRS, FIELD(via), .arg = "HOST[:PORT]",
     .doc = "Where the new host reaches sidingd; may be repeated. Left out: the hosts of sidingd's "
            "certificate, and the port of join_listen."},
    {"ca", 0, OPT_STR, FIELD(ca), .arg = "DIR", .fallback = "/root/siding/ca",
     .doc = "The CA's folder, as of siding cert."},
    {"days", 0, OPT_INT, FIELD(days), .arg = "N", .fallback = "825", .min = 1, .max = 3650,
     .doc = "How long the certificate is valid."},
    {"valid", 0, OPT_STR, FIELD(valid), .arg = "D", .fallback = "1h",
     .doc = "How long the token is, at most 7d."},
    {"write", 'w', OPT_STR, FIELD(write), .arg = "FILE",
     .doc = "Write the token there (mode 0600), not to the output."},
    {"revoke", 0, OPT_FLAG, FIELD(revoke), .doc = "Withdraw the invitation: its token opens nothing more."},
    CLI_COMMON_OPTIONS,
};

/* ---- the bundle ------------------------------------------------------------------------------------- */

static void nodes_done(InitPlan *p)
{
    for (size_t i = 0; i < p->n; i++)
        init_node_done(&p->nodes[i]);
    free(p->nodes);
}

/* The new one first. */
static bool plan_nodes(const Cli *cli, const char *node, const InviteOptions *o, InitPlan *p, Err *err)
{
    AUTOFREE char *word = xasprintf("%s=%s", node, o->address ? o->address : "");
    if (str_eq(node, "ca"))
        return err_set(err, ERR_USAGE, 0, "a node cannot be named \"ca\": that is the CA's own name");
    if (coordconf_agents(&cli->config) >= MOST_NODES)
        return err_set(err, ERR_REFUSED, 0, "%s names %d agents already", cli->config_path, MOST_NODES);
    if (!init_read_node(word, &p->nodes[0], err))
        return false;
    p->n = 1;
    for (size_t i = 0; i < coordconf_agents(&cli->config); i++) {
        const AgentAddress *a = coordconf_agent(&cli->config, i);
        if (!str_eq(a->name, node))
            p->nodes[p->n++] = (InitNode){.name = xstrdup(a->name), .agent_url = xstrdup(a->url)};
    }
    return true;
}

/* As the servers that are there are. */
static bool find_flavor(const Cli *cli, DbFlavor *ret, Err *err)
{
    AUTOJSON json_t *j = NULL;
    if (!client_get(cli, "/v1/nodes", &j, err))
        return false;
    for (size_t i = 0; i < json_array_size(j); i++) {
        const json_t *agent = json_object_get(json_array_get(j, i), "agent");
        if (flavor_from_name(json_str(json_object_get(agent, "server"), "flavor"), ret))
            return true;
    }
    return err_set(err, ERR_REFUSED, 0,
                   "no agent has reported yet which kind of server the cluster runs: start one");
}

static bool add_text(const char *path, const char *name, json_t *files, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (!fs_read(path, FILE_BYTES, &text, err))
        return false;
    json_set_str(files, name, str_z(&text));
    explicit_bzero(text.p, text.len);
    return true;
}

static bool add_file(const char *dir, const char *name, json_t *files, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/%s", dir, name);
    return add_text(path, name, files, err);
}

static bool add_credentials(const Cli *cli, const char *name, json_t *files, Err *err)
{
    const char *dir = cli->config.credentials_dir;
    if (add_file(dir, name, files, err))
        return true;
    return err->kind == ERR_NOT_FOUND &&
           err_set(err, ERR_NOT_FOUND, 0, "%s/%s is not here, and the new host needs it: %s", dir, name,
                   str_eq(name, "repl.cnf")
                       ? "write user and password of the account that replicas receive as into it ([client], "
                         "mode 0600)"
                       : "copy it from a database host");
}

static bool add_all_credentials(const Cli *cli, DbFlavor flavor, json_t *files, Err *err)
{
    return add_credentials(cli, "agent.cnf", files, err) && add_credentials(cli, "job.cnf", files, err) &&
           add_credentials(cli, "load.cnf", files, err) && add_credentials(cli, "repl.cnf", files, err) &&
           (!flavor_of(flavor)->purges_on_start || add_credentials(cli, "rescue.cnf", files, err));
}

/* Others must take it: the CA at hand might be another cluster's. */
static bool check_signed(const Cli *cli, const char *certificate, const char *ca, Err *err)
{
    CertFacts f = {0};
    const Tls as_others = {.certificate_file = (char *)certificate, .ca_file = cli->config.tls.ca_file};
    if (!cert_read(&as_others, NULL, &f, err))
        return false;
    bool ok =
        !f.chain_error || err_set(err, ERR_REFUSED, 0,
                                  "the CA in %s is not one that sidingd takes (%s): --ca names the folder "
                                  "of the cluster's own",
                                  ca, cli->config.tls.ca_file);
    cert_facts_done(&f);
    return ok;
}

/* In a folder beside the CA that goes at once, whether this succeeds or not. */
static bool add_certificate(const Cli *cli, const InitNode *n, const InviteOptions *o, json_t *files,
                            Err *err)
{
    Err ignored;
    AUTOFREE char *dir = xasprintf("%s/.invite", o->ca), *ca_key = xasprintf("%s/ca.key", o->ca),
                  *pem = xasprintf("%s.pem", n->name), *key = xasprintf("%s.key", n->name),
                  *certificate = xasprintf("%s/%s", dir, pem);
    if (!fs_exists(ca_key))
        return err_set(err, ERR_NOT_FOUND, 0,
                       "%s is not here: run this where the CA's key is, and name its folder with --ca",
                       ca_key);
    bool ok = fs_remove_tree(dir, err) && fs_mkdirs(dir, 0700, err) &&
              cert_issue_host(o->ca, dir, n->name, n->host, o->days, err) &&
              check_signed(cli, certificate, o->ca, err) && add_file(dir, pem, files, err) &&
              add_file(dir, key, files, err);
    return fs_remove_tree(dir, ok ? err : &ignored) && ok;
}

static bool make_bundle(const Cli *cli, InitPlan *p, const InviteOptions *o, json_t *files, Err *err)
{
    AUTO(str_done) Str conf = STR_INIT;
    AUTO(str_done) Str options = STR_INIT;
    AUTO(str_done) Str said = STR_INIT;
    InitNode *n = &p->nodes[0];
    const BootstrapPlan reader = {.reader_host = n->host};
    n->is_filled = true;
    n->socket = xstrdup(JOIN_SOCKET_MARK);
    if (!add_all_credentials(cli, n->flavor, files, err) ||
        !bootstrap_run(&cli->config, &reader, &said, err) ||
        !add_credentials(cli, "provision.cnf", files, err) || !add_certificate(cli, n, o, files, err) ||
        !add_text(cli->config.tls.ca_file, "ca.pem", files, err))
        return false;
    init_agent_conf(p, n, &conf);
    init_option_file(p, n, &options);
    json_set_str(files, "donor.cnf",
                 "!include " JOIN_DIR_MARK "/provision.cnf\n[client]\nssl-ca=" JOIN_DIR_MARK
                 "/ca.pem\nssl-verify-server-cert\n");
    json_set_str(files, "siding.cnf", str_z(&options));
    json_set_str(files, "agent.conf", str_z(&conf));
    return true;
}

/* ---- asking sidingd --------------------------------------------------------------------------------- */

static bool leave_with_sidingd(const Cli *cli, const JoinToken *t, const json_t *bundle, int64_t valid_ms,
                               json_t **ret, Err *err)
{
    char proof[JOIN_PROOF_CHARS + 1], hash[65];
    AUTO(str_done) Str sealed = STR_INIT;
    AUTOFREE char *text = json_text(bundle), *user = cli_user(),
                  *path = client_path("nodes", t->node, "invite");
    AUTOJSON json_t *body = json_object();
    jointoken_seal(t, text, strlen(text), &sealed);
    explicit_bzero(text, strlen(text));
    jointoken_proof(t, proof);
    jointoken_proof_hash(proof, hash);
    json_set_str(body, "proof_hash", hash);
    json_set_str(body, "bundle", str_z(&sealed));
    json_set_int(body, "valid_ms", valid_ms);
    json_set_str(body, "by", user);
    return bounds_check(invite_bounds, DOOR_API, body, err) &&
           client_call(cli, "POST", path, body, API_TIMEOUT_MS, ret, err);
}

static bool add_address(StrList *to, const char *word, int64_t port, Err *err)
{
    AUTOFREE char *host = NULL;
    if (!init_read_address(word, &host, &port))
        return err_set(err, ERR_USAGE, 0, "--via %s: write HOST or HOST:PORT", word);
    AUTOFREE char *at = init_endpoint(host, port);
    strlist_add(to, at);
    return true;
}

/* The certificate's own name is seldom one that other hosts can look up. */
static bool fill_token(JoinToken *t, const StrList *via, const json_t *answer, Err *err)
{
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    const char *name = json_str(answer, "certificate");
    if (!json_opt_strs(answer, "hosts", &hosts, err))
        return false;
    for (size_t i = 0; i < via->n; i++)
        if (!add_address(&t->addresses, via->v[i], json_int(answer, "port"), err))
            return false;
    for (size_t i = 0; !via->n && i < hosts.n; i++) {
        AUTOFREE char *at = init_endpoint(hosts.v[i], json_int(answer, "port"));
        if (!str_eq(hosts.v[i], name) && !http_address_is_local(at))
            strlist_add(&t->addresses, at);
    }
    snprintf(t->pin, sizeof t->pin, "%s", json_str(answer, "pin"));
    return t->addresses.n || err_set(err, ERR_USAGE, 0,
                                     "sidingd's certificate names no host: say where the new host reaches "
                                     "sidingd with --via");
}

/* ---- for people ------------------------------------------------------------------------------------- */

static void tell_next(const Cli *cli, const InitPlan *p, const InviteOptions *o, const json_t *answer)
{
    const InitNode *n = &p->nodes[0];
    AUTOFREE char *entry = init_entry(n);
    AUTO(strlist_done) StrList others = STRLIST_INIT;
    for (size_t i = 1; i < p->n; i++)
        strlist_add(&others, p->nodes[i].name);
    AUTOFREE char *names = strlist_join(&others, ", ");
    text_print(stderr,
               "%s is invited until %s%s%s. Whoever has the token can have the passwords and the key of %s "
               "until it is used.\n"
               "1. On %s, as root, with the token in a file of mode 0600, or on its input (-):\n"
               "       siding-agent join --token FILE\n"
               "2. As the first entry of agents in %s here, then systemctl reload sidingd:\n"
               "       %s,\n"
               "3. The same as the first entry of peers in agent.conf on %s, then systemctl reload "
               "siding-agent there\n"
               "4. siding replica add %s\n",
               n->name, json_str(answer, "expires_at"), o->write ? "; its token is in " : "",
               o->write ? o->write : "", n->name, n->name, cli->config_path, entry, names, n->name);
}

static bool hand_out(const Cli *cli, const InitPlan *p, const InviteOptions *o, const JoinToken *t,
                     json_t *answer, Err *err)
{
    AUTOFREE char *text = jointoken_text(t), *line = xasprintf("%s\n", text),
                  *entry = init_entry(&p->nodes[0]);
    if (o->write && !fs_replace(o->write, line, strlen(line), 0600, err))
        return false;
    if (cli->json) {
        json_set_str(answer, "token", o->write ? NULL : text);
        json_set_str(answer, "entry", entry);
        out_json(answer);
        return true;
    }
    tell_next(cli, p, o, answer);
    if (!o->write)
        out_text(line);
    return true;
}

/* ---- the command ------------------------------------------------------------------------------------ */

static bool check(const Cli *cli, const InviteOptions *o, int64_t *ret_valid_ms, Err *err)
{
    if (!o->address)
        return err_set(err, ERR_USAGE, 0,
                       "--address is needed: the new server as the others reach it, such as 10.0.0.4");
    if (!clock_parse_duration(o->valid, ret_valid_ms))
        return err_set(err, ERR_USAGE, 0, "--valid %s: write a time such as 1h", o->valid);
    if (!cli->config.credentials_dir || !tls_is_set(&cli->config.tls))
        return err_set(err, ERR_CONFIG, 0, "%s names no %s, which the new host gets its files from",
                       cli->config_path, cli->config.credentials_dir ? "tls" : "credentials_dir");
    return true;
}

static bool invite(const Cli *cli, const char *node, const InviteOptions *o, InitPlan *p, Err *err)
{
    int64_t valid_ms;
    CertFacts own = {0};
    AUTO(jointoken_done) JoinToken t = {.node = xstrdup(node)};
    AUTOJSON json_t *bundle = json_object(), *files = json_object(), *answer = NULL;
    if (!check(cli, o, &valid_ms, err) || !plan_nodes(cli, node, o, p, err) ||
        !find_flavor(cli, &p->nodes[0].flavor, err) || !cert_read(&cli->config.tls, NULL, &own, err))
        return false;
    if (str_eq(own.name, node)) {
        cert_facts_done(&own);
        return err_set(err, ERR_USAGE, 0,
                       "a node cannot be named \"%s\": that is sidingd's own certificate, and whoever shows "
                       "one of that name steers all agents",
                       node);
    }
    AUTOFREE char *steered_by = xstrdup(own.name);
    p->steered_by = steered_by;
    cert_facts_done(&own);
    jointoken_draw(&t);
    json_set_str(bundle, "node", node);
    json_set_str(bundle, "flavor", flavor_of(p->nodes[0].flavor)->name);
    json_object_set(bundle, "files", files);
    return make_bundle(cli, p, o, files, err) &&
           leave_with_sidingd(cli, &t, bundle, valid_ms, &answer, err) &&
           fill_token(&t, &o->via, answer, err) && hand_out(cli, p, o, &t, answer, err);
}

static bool withdraw(const Cli *cli, const char *node, Err *err)
{
    AUTOFREE char *path = client_path("nodes", node, "revoke"), *user = cli_user();
    AUTOJSON json_t *body = json_object(), *answer = NULL;
    json_set_str(body, "by", user);
    if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
        return false;
    if (cli->json)
        out_json(answer);
    else
        text_print(stderr, "the invitation of %s is withdrawn: its token opens nothing more\n", node);
    return true;
}

static bool list(const Cli *cli, Err *err)
{
    static const char *const head[] = {"NODE", "STATE", "UNTIL", "FETCHED FROM", "BY", NULL};
    AUTO(table_done) Table t = TABLE_INIT;
    AUTOJSON json_t *j = NULL;
    if (!client_get(cli, "/v1/invitations", &j, err))
        return false;
    table_head(&t, "lllll", head);
    for (size_t i = 0; i < json_array_size(j); i++) {
        const json_t *one = json_array_get(j, i);
        const char *const cells[] = {json_str(one, "node"),       json_str(one, "state"),
                                     json_str(one, "expires_at"), json_str(one, "fetched_from"),
                                     json_str(one, "by"),         NULL};
        table_row(&t, cells);
    }
    if (cli->json)
        out_json(j);
    else
        out_table(&t);
    return true;
}

static CLI_RUN(run)
{
    const InviteOptions *o = options;
    (void)rest;
    if (!words->n)
        return list(cli, err);
    if (o->revoke)
        return withdraw(cli, words->v[0], err);
    InitPlan p = {.cluster = cli->config.cluster_name,
                  .etc = JOIN_DIR_MARK,
                  .state = JOIN_STATE_MARK,
                  .nodes = xcalloc(MOST_NODES + 1, sizeof *p.nodes)};
    bool ok = invite(cli, words->v[0], o, &p, err);
    nodes_done(&p);
    return ok;
}

const CliCommand cmd_replica_invite = {
    .group = "replica",
    .name = "invite",
    .args = "[NODE]",
    .summary = "Let a new host fetch its configuration, passwords and certificate by a one-time token.",
    .detail =
        "Run where sidingd, the CA's key and the files of credentials_dir are, by an account that may read "
        "them. Makes the account on the primary that the new host reads a donor with, issues the "
        "certificate, "
        "and leaves everything with sidingd, sealed with the token that it prints; siding-agent join on the "
        "new host fetches it. Says what is to be done then. A new invitation of the same node ends the one "
        "before. Without NODE: lists who is invited.",
    .options = invite_options,
    .size = sizeof(InviteOptions),
    .max_words = 1,
    .needs = CLI_NEEDS_CONFIG,
    .run = run,
};
