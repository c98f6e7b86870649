/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>
#include <unistd.h>

#include "common/db/askpass.h"
#include "common/wire/bounds.h"

enum { MOST_DEFAULT_THREADS = 8 };

#define AT(f) offsetof(RestoreOptions, f)

static const Opt rows[] = {
    {"defaults-file", 0, OPT_STR, AT(defaults_file), "FILE", NULL, 0, 0,
     "Option file whose [client] group says where and as whom (mode 0600).", "Server to fill"},
    {"socket", 'S', OPT_STR, AT(socket), "FILE", NULL, 0, 0, "Unix socket; wins over host and port."},
    {"host", 'h', OPT_STR, AT(host), "NAME", NULL, 0, 0, "Host name or address."},
    {"port", 'P', OPT_INT, AT(port), "N", NULL, 1, 65535, "TCP port. Default 3306."},
    {"password", 'p', OPT_FLAG, AT(ask_password), NULL, NULL, 0, 0,
     "Asks for the password on the terminal. Without it: the option file, or the variable MYSQL_PWD."},
    {"user", 'u', OPT_STR, AT(user), "NAME", NULL, 0, 0, "Account; its password comes from the option file."},
    {"threads", 't', OPT_INT, AT(threads), "N", NULL, 1, 256,
     "Connections that load at the same time. Default: one a processor, at most 8.", "How"},
    {"transaction-size", 0, OPT_SIZE, AT(transaction_bytes), "SIZE", "16M", 1024, 1LL << 40,
     "Rows are committed after about this many bytes of text."},
    {"max-rate", 0, OPT_SIZE, AT(max_rate), "SIZE", NULL, BOUND_LEAST_RATE, 1LL << 40,
     "Most bytes of text a second that all threads together load, for a server that serves others meanwhile. "
     "Default: no limit."},
    {"overwrite", 0, OPT_FLAG, AT(overwrite), NULL, NULL, 0, 0,
     "Drops the dump's databases on the server first. Without it one that holds anything is refused."},
    {"users", 0, OPT_FLAG, AT(users), NULL, NULL, 0, 0,
     "Makes the dump's accounts and roles that are not there, and grants them what they had. Those that are "
     "there "
     "stay as they are."},
    {"no-binlog", 0, OPT_FLAG, AT(no_binlog), NULL, NULL, 0, 0,
     "Keeps the restore out of the server's binary log, as for a new replica."},
    {"no-verify", 0, OPT_FLAG, AT(no_verify), NULL, NULL, 0, 0,
     "Does not compare the restored tables with the dump's checksums."},
    {"skip-definer", 0, OPT_FLAG, AT(skip_definer), NULL, NULL, 0, 0,
     "Views, triggers, routines and events become the restoring account's, whoever their definer was.",
     "Definers and views"},
    {"definer", 0, OPT_STR, AT(definer), "USER@HOST", NULL, 0, 0, "They become this account's."},
    {"defer-views", 0, OPT_STR, AT(defer_views), "FILE", NULL, 0, 0,
     "Views that cannot be made, since what they need is missing, are written into this file for a client to "
     "run "
     "later, and the restore counts as done. Without it they are listed, and it ends with exit status 1."},
    {"lock-wait", 0, OPT_DURATION, AT(lock_wait_ms), "TIME", "30s", 1000, 86400000,
     "Longest wait for another session's lock; what waits longer is tried again, up to 20 times, and "
     "reported."},
    {0},
};

static void add_unquoted(Str *out, const char *word)
{
    size_t n = strlen(word);
    bool quoted = n > 1 && strchr("'`\"", word[0]) && word[n - 1] == word[0];
    db_quote_str(out, word + quoted, n - 2 * quoted);
}

/* user@host, each in quotes or not. */
static bool quote_definer(RestoreOptions *o, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    if (!o->definer)
        return true;
    const char *at = strrchr(o->definer, '@');
    if (!at || at == o->definer || !at[1])
        return err_set(err, ERR_USAGE, 0, "option --definer: \"%s\" is not USER@HOST", o->definer);
    AUTOFREE char *user = xstrndup(o->definer, (size_t)(at - o->definer)), *host = xstrdup(at + 1);
    add_unquoted(&sql, user);
    str_addc(&sql, '@');
    add_unquoted(&sql, host);
    free(o->definer);
    o->definer = str_take(&sql);
    return true;
}

bool restore_options_read(int argc, char **argv, RestoreOptions *ret, OptSpecial *ret_special, Err *err)
{
    RestoreOptions o = {0};
    StrList words = STRLIST_INIT;
    bool ok = opts_parse(rows, argc, argv, false, &o, &words, NULL, ret_special, err);
    if (ok && *ret_special == OPT_RUN && words.n != 1)
        ok = err_set(err, ERR_USAGE, 0,
                     words.n ? "\"%s\" is too much: one folder is restored" : "the dump's folder is missing",
                     words.n ? words.v[1] : "");
    if (ok && o.skip_definer && o.definer)
        ok = err_set(err, ERR_USAGE, 0, "--skip-definer and --definer exclude each other");
    ok = ok && quote_definer(&o, err);
    if (ok && words.n)
        o.input = xstrdup(words.v[0]);
    if (ok && !o.threads) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        o.threads = n < 1 ? 1 : n > MOST_DEFAULT_THREADS ? MOST_DEFAULT_THREADS : n;
    }
    ok = ok && (*ret_special != OPT_RUN || !o.ask_password || askpass(&o.password, err));
    strlist_done(&words);
    if (ok)
        *ret = o;
    else
        restore_options_done(&o);
    return ok;
}

void restore_options_done(RestoreOptions *o)
{
    opts_free(rows, o);
    free(o->input);
    free(o->password);
    *o = (RestoreOptions){0};
}

void restore_options_help(Str *out)
{
    opts_write_help(rows, "siding-restore [options] DIR",
                    "Loads a dump of siding-dump or mydumper into a server: in parallel, each row once "
                    "however often it is "
                    "killed and started again, and compares the tables with the dump's checksums. Exit "
                    "status 0 only if all "
                    "is there.",
                    out);
}

void restore_options_target(const RestoreOptions *o, DbTarget *ret)
{
    *ret = (DbTarget){
        .defaults_file = xstrdup(o->defaults_file),
        .socket = xstrdup(o->socket),
        .host = xstrdup(o->host),
        .user = xstrdup(o->user),
        .password = xstrdup(o->password),
        .port = o->port,
    };
}
