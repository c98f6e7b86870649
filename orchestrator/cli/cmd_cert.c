/* SPDX-License-Identifier: Apache-2.0
 * siding cert …: the certificates of a cluster, from a CA of its own in a folder: ca.pem, ca.key, NODE.pem,
 * NODE.key.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/net/certificate.h"
#include "out.h"

#define DIR_OPTION(T)                                                                                        \
    {                                                                                                        \
        "dir", 'd', OPT_STR, offsetof(T, dir), .arg = "DIR", .fallback = "siding-ca",                        \
                                               .doc = "The CA's folder."                                     \
    }

typedef struct CaOptions {
    CliCommon common;
    char *dir, *name;
    int64_t days;
} CaOptions;

static const Opt ca_options[] = {
    DIR_OPTION(CaOptions),
    {"name", 0, OPT_STR, offsetof(CaOptions, name), .arg = "NAME", .fallback = "siding-ca",
     .doc = "The CA's name."},
    {"days", 0, OPT_INT, offsetof(CaOptions, days), .arg = "N", .fallback = "3650", .min = 1, .max = 36500,
     .doc = "How long it is valid."},
    CLI_COMMON_OPTIONS,
};

typedef struct IssueOptions {
    CliCommon common;
    char *dir;
    StrList addresses;
    int64_t days;
    bool renew;
} IssueOptions;

static const Opt issue_options[] = {
    DIR_OPTION(IssueOptions),
    {"address", 'a', OPT_STRS, offsetof(IssueOptions, addresses), .arg = "HOST",
     .doc = "A name or address by which others reach it; may be repeated. NODE is always one."},
    {"days", 0, OPT_INT, offsetof(IssueOptions, days), .arg = "N", .fallback = "825", .min = 1, .max = 3650,
     .doc = "How long it is valid."},
    {"renew", 0, OPT_FLAG, offsetof(IssueOptions, renew),
     .doc = "In the place of the one that is there, with a new key and for the same hosts."},
    CLI_COMMON_OPTIONS,
};

static char *in_dir(const char *dir, const char *name, const char *end)
{
    return xasprintf("%s/%s%s", dir, name, end);
}

static void tell(const Cli *cli, const char *certificate, const char *key, const StrList *hosts, int64_t days)
{
    char until[CLOCK_TEXT];
    AUTO(str_done) Str text = STR_INIT;
    clock_format(clock_wall_ms() + days * 86400000, until);
    if (cli->json) {
        AUTOJSON json_t *j = json_object();
        json_set_str(j, "certificate", certificate);
        json_set_str(j, "key", key);
        json_set_strs(j, "hosts", hosts);
        json_set_str(j, "until", until);
        out_json(j);
        return;
    }
    str_addf(&text, "wrote %s and %s: valid until %.10s", certificate, key, until);
    for (size_t i = 0; i < hosts->n; i++)
        str_addf(&text, "%s%s", i ? ", " : ", for ", hosts->v[i]);
    str_addc(&text, '\n');
    out_text(str_z(&text));
}

static CLI_RUN(run_init)
{
    const CaOptions *o = options;
    (void)words;
    (void)rest;
    const StrList none = STRLIST_INIT;
    AUTOFREE char *certificate = in_dir(o->dir, "ca", ".pem");
    AUTOFREE char *key = in_dir(o->dir, "ca", ".key");
    CertOrder order = {.name = o->name, .days = o->days};
    if (!fs_mkdirs(o->dir, 0700, err) || !cert_make_ca(&order, certificate, key, err))
        return false;
    tell(cli, certificate, key, &none, o->days);
    return true;
}

static void add_host(StrList *l, const char *host)
{
    if (!strlist_has(l, host))
        strlist_add(l, host);
}

/* The node, what was asked for, and what the one before was for. */
static bool gather_hosts(const char *node, const IssueOptions *o, const Tls *old, StrList *ret, Err *err)
{
    CertFacts f = {0};
    add_host(ret, node);
    for (size_t i = 0; i < o->addresses.n; i++)
        add_host(ret, o->addresses.v[i]);
    if (!o->renew)
        return true;
    if (!cert_read(old, NULL, &f, err))
        return false;
    for (size_t i = 0; i < f.hosts.n; i++)
        add_host(ret, f.hosts.v[i]);
    cert_facts_done(&f);
    return true;
}

static CLI_RUN(run_issue)
{
    const IssueOptions *o = options;
    const char *node = words->v[0];
    (void)rest;
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    AUTOFREE char *certificate = in_dir(o->dir, node, ".pem");
    AUTOFREE char *key = in_dir(o->dir, node, ".key");
    AUTOFREE char *ca_file = in_dir(o->dir, "ca", ".pem");
    AUTOFREE char *ca_key = in_dir(o->dir, "ca", ".key");
    const Tls ca = {.ca_file = ca_file, .key_file = ca_key},
              old = {.certificate_file = certificate, .ca_file = ca_file};
    CertOrder order = {.name = node, .hosts = &hosts, .days = o->days};
    if (str_eq(node, "ca"))
        return err_set(err, ERR_USAGE, 0, "\"ca\" is the CA's own name; name a node or a program");
    if (!o->renew && fs_exists(certificate))
        return err_set(err, ERR_CONFLICT, 0, "%s exists; --renew puts a new one in its place", certificate);
    if (!gather_hosts(node, o, &old, &hosts, err) || !cert_issue(&order, &ca, certificate, key, err))
        return false;
    tell(cli, certificate, key, &hosts, o->days);
    return true;
}

const CliCommand cmd_cert_init = {
    .group = "cert",
    .name = "init",
    .summary = "Make a CA for a cluster.",
    .detail =
        "Writes ca.pem and ca.key (mode 0600) into the folder. The key stays there, off the database hosts.",
    .options = ca_options,
    .size = sizeof(CaOptions),
    .needs = CLI_NEEDS_NOTHING,
    .run = run_init,
};

const CliCommand cmd_cert_issue = {
    .group = "cert",
    .name = "issue",
    .args = "NODE",
    .summary = "Issue a certificate for a host's agent, for sidingd, or for a person.",
    .detail =
        "NODE is its name: that of the node, or one that the roles in the configuration files name. Writes "
        "NODE.pem and NODE.key (mode 0600) beside the CA; copy both with ca.pem to /etc/siding of that host.",
    .options = issue_options,
    .size = sizeof(IssueOptions),
    .min_words = 1,
    .max_words = 1,
    .needs = CLI_NEEDS_NOTHING,
    .run = run_issue,
};
