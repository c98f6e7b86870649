/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <unistd.h>

#include "common/gz.h"

enum { MOST_DEFAULT_THREADS = 8 };

#define AT(f) offsetof(DumpOptions, f)

const Opt dump_option_rows[] = {
    {"defaults-file", 0, OPT_STR, AT(defaults_file), "FILE", NULL, 0, 0,
     "Option file whose [client] group gives user and password (mode 0600). Default in a job: "
     "$SIDING_DEFAULTS_FILE.",
     "Server"},
    {"socket", 'S', OPT_STR, AT(socket), "FILE", NULL, 0, 0, "Unix socket; wins over host and port."},
    {"host", 'h', OPT_STR, AT(host), "NAME", NULL, 0, 0, "Host name or address."},
    {"port", 'P', OPT_INT, AT(port), "N", NULL, 1, 65535, "TCP port. Default 3306."},
    {"user", 'u', OPT_STR, AT(user), "NAME", NULL, 0, 0, "Account; its password comes from the option file."},
    {"database", 'B', OPT_STRS, AT(databases), "NAME", NULL, 0, 0,
     "A database to dump; may be repeated. Default: all but the server's own.", "What"},
    {"checksum", 0, OPT_FLAG, AT(checksum), NULL, NULL, 0, 0,
     "Dumps nothing: prints each table's rows and checksum as JSON, computed in the server. Equal to what "
     "files.json of a dump says where the data are equal."},
    {"output", 'o', OPT_STR, AT(output), "DIR", NULL, 0, 0,
     "Folder to write, made if need be; one that holds anything is refused. Default in a job: "
     "$SIDING_RESULT_DIR.",
     "Output"},
    {"compress", 'c', OPT_STR, AT(compress), "CODEC", "gzip", 0, 0, "gzip, zlib:1 to zlib:9, or none."},
    {"statement-size", 's', OPT_SIZE, AT(statement_bytes), "SIZE", "1M", 1024, 1 << 30,
     "An INSERT ends after the row that takes it past this size."},
    {"chunk-size", 'F', OPT_SIZE, AT(chunk_bytes), "SIZE", "32M", 1 << 16, 1LL << 40,
     "A table is cut into parts, one file each, of about this size in the server."},
    {"threads", 't', OPT_INT, AT(threads), "N", NULL, 1, 256,
     "Connections that read at the same time. Default: one a processor, at most 8.", "How"},
    {"verify", 0, OPT_FLAG, AT(verify), NULL, NULL, 0, 0,
     "Compares every part with the table by a checksum computed in the server. Default on a frozen replica."},
    {"no-verify", 0, OPT_FLAG, AT(no_verify), NULL, NULL, 0, 0, "Leaves that out."},
    {"lock-wait", 0, OPT_DURATION, AT(lock_wait_ms), "TIME", "30s", 1000, 86400000,
     "Longest wait for a lock before the dump gives up."},
    {0},
};

/* The environment's value where it is set and not empty. */
static const char *job_env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static void from_env(char **field, const char *name)
{
    if (!*field)
        *field = xstrdup(job_env(name));
}

static bool check(DumpOptions *o, const StrList *words, Err *err)
{
    const char *shards = job_env("SIDING_SHARDS");
    if (words->n)
        return err_set(err, ERR_USAGE, 0, "\"%s\" is no option; name databases with --database", words->v[0]);
    if (shards && !str_eq(shards, "1"))
        return err_set(
            err, ERR_REFUSED, 0,
            "this is one of %s shards: siding-dump does not split a dump over replicas yet, run it on one",
            shards);
    if (!o->output && !o->checksum)
        return err_set(err, ERR_USAGE, 0, "option --output is missing: the folder to write");
    if (o->verify && o->no_verify)
        return err_set(err, ERR_USAGE, 0, "--verify and --no-verify exclude each other");
    if (!gz_codec_known(o->compress))
        return err_set(err, ERR_USAGE, 0,
                       "option --compress: unknown codec \"%s\"; known: gzip, zlib:1 to zlib:9, none",
                       o->compress);
    return true;
}

static void complete(DumpOptions *o)
{
    from_env(&o->defaults_file, "SIDING_DEFAULTS_FILE");
    if (!o->checksum)
        from_env(&o->output, "SIDING_RESULT_DIR");
    from_env(&o->frozen_gtid, "SIDING_GTID");
    o->verify = o->verify || (o->frozen_gtid && !o->no_verify);
    if (!o->threads) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        o->threads = n < 1 ? 1 : n > MOST_DEFAULT_THREADS ? MOST_DEFAULT_THREADS : n;
    }
}

bool dump_options_read(int argc, char **argv, DumpOptions *ret, OptSpecial *ret_special, Err *err)
{
    DumpOptions o = {0};
    StrList words = STRLIST_INIT;
    bool ok = opts_parse(dump_option_rows, argc, argv, false, &o, &words, NULL, ret_special, err);
    if (ok) {
        complete(&o);
        ok = *ret_special != OPT_RUN || check(&o, &words, err);
    }
    strlist_done(&words);
    if (ok)
        *ret = o;
    else
        dump_options_done(&o);
    return ok;
}

void dump_options_done(DumpOptions *o)
{
    opts_free(dump_option_rows, o);
    free(o->frozen_gtid);
    *o = (DumpOptions){0};
}

void dump_options_help(Str *out)
{
    opts_write_help(
        dump_option_rows, "siding-dump [options] --output DIR",
        "Dumps databases of a MySQL or MariaDB server in parallel and at one moment, into files that "
        "mydumper's myloader and plain `zcat FILE | mariadb DATABASE` load. files.json lists them with "
        "their checksums, and each table with one that proves a restore equal. Exit status 0 only if "
        "the dump is whole.",
        out);
}

void dump_options_target(const DumpOptions *o, DbTarget *ret)
{
    *ret = (DbTarget){
        .defaults_file = xstrdup(o->defaults_file),
        .socket = xstrdup(o->socket),
        .host = xstrdup(o->host),
        .user = xstrdup(o->user),
        .port = o->port,
    };
}
