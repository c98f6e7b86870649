/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <unistd.h>

#include "common/db/askpass.h"
#include "common/file/codec.h"
#include "common/wire/bounds.h"
#include "common/wire/splitwork.h"

enum { MOST_DEFAULT_THREADS = 8, BASE_BYTES = 24 << 20, THREAD_BYTES = 4 << 20 };

#define AT(f) offsetof(DumpOptions, f)

const Opt dump_option_rows[] = {
    {"defaults-file", 0, OPT_STR, AT(defaults_file), "FILE", NULL, 0, 0,
     "Option file whose [client] group gives user and password (mode 0600). Default in a job: "
     "$SIDING_DEFAULTS_FILE.",
     "Server"},
    {"socket", 'S', OPT_STR, AT(socket), "FILE", NULL, 0, 0, "Unix socket; wins over host and port."},
    {"host", 'h', OPT_STR, AT(host), "NAME", NULL, 0, 0, "Host name or address."},
    {"port", 'P', OPT_INT, AT(port), "N", NULL, 1, 65535, "TCP port. Default 3306."},
    {"password", 'p', OPT_FLAG, AT(ask_password), NULL, NULL, 0, 0,
     "Asks for the password on the terminal. Without it: the option file, or the variable MYSQL_PWD."},
    {"user", 'u', OPT_STR, AT(user), "NAME", NULL, 0, 0, "Account; its password comes from the option file."},
    {"database", 'B', OPT_STRS, AT(databases), "NAME", NULL, 0, 0,
     "A database to dump; may be repeated. Default: all but the server's own.", "What"},
    {"table", 'T', OPT_STRS, AT(tables), "DB.TABLE", NULL, 0, 0, "A table or view to dump; may be repeated."},
    {"match", 'x', OPT_STRS, AT(matches), "REGEX", NULL, 0, 0,
     "Only tables whose DB.TABLE this extended regular expression finds; may be repeated, one is enough."},
    {"exclude", 'X', OPT_STRS, AT(excludes), "REGEX", NULL, 0, 0,
     "No tables whose DB.TABLE it finds, such as '^shop[.](cache|session)'; may be repeated."},
    {"where", 0, OPT_STR, AT(where), "SQL", NULL, 0, 0,
     "Only rows of which this condition is true, in every table."},
    {"schema-only", 'd', OPT_FLAG, AT(schema_only), NULL, NULL, 0, 0, "Definitions, no rows."},
    {"data-only", 0, OPT_FLAG, AT(data_only), NULL, NULL, 0, 0, "Rows, no definitions."},
    {"no-objects", 0, OPT_FLAG, AT(no_objects), NULL, NULL, 0, 0,
     "Without triggers, routines and events, which an account may not be allowed to see."},
    {"users", 0, OPT_FLAG, AT(users), NULL, NULL, 0, 0,
     "Accounts, roles and grants too, into siding-users.ddl, without Siding's own. Needs SELECT on mysql.*."},
    {"siding-users", 0, OPT_FLAG, AT(siding_users), NULL, NULL, 0, 0,
     "With Siding's own, as a new replica needs them."},
    {"checksum", 0, OPT_FLAG, AT(checksum), NULL, NULL, 0, 0,
     "Dumps nothing: prints each table's rows and checksum as JSON, computed in the server. Equal to what "
     "files.json of a verified dump says where the data are equal."},
    {"output", 'o', OPT_STR, AT(output), "DIR", NULL, 0, 0,
     "Folder to write, made if need be. One with an unfinished dump of the same position is gone on with; "
     "one that "
     "holds anything else is refused. Default in a job: $SIDING_RESULT_DIR.",
     "Output"},
    {"format", 0, OPT_STR, AT(format_name), "sql|tsv", "sql", 0, 0,
     "Rows as INSERT statements, or as tab-separated lines for LOAD DATA."},
    {"compress", 'c', OPT_STR, AT(compress), "CODEC", "gzip", 0, 0,
     "gzip, igzip:0 to igzip:3, zlib:1 to zlib:9, zstd:1 to zstd:19, or none. gzip is igzip:1 where it was "
     "built in: "
     "three times as fast as zlib:1, read by every gzip."},
    {"bytes-per-file", 'F', OPT_SIZE, AT(bytes_per_file), "SIZE", "32M", 1 << 16, 1LL << 40,
     "A table is cut into parts, one file each, of about this size in the server."},
    {"rows-per-file", 'r', OPT_INT, AT(rows_per_file), "N", NULL, 1, 1LL << 40, "Of this many rows instead."},
    {"statement-size", 's', OPT_SIZE, AT(statement_bytes), "SIZE", "1M", 1024, 1 << 30,
     "An INSERT ends after the row that takes it past this size."},
    {"threads", 't', OPT_INT, AT(threads), "N", NULL, 1, 256,
     "Connections that read at the same time. Default: one a processor, at most 8.", "How"},
    {"memory", 0, OPT_SIZE, AT(memory_bytes), "SIZE", "256M", 32 << 20, 1LL << 40,
     "Most memory; rows of any size pass through it. Each thread takes 4 MB of it."},
    {"max-rate", 0, OPT_SIZE, AT(max_rate), "SIZE", NULL, BOUND_LEAST_RATE, 1LL << 40,
     "Most bytes a second that all threads together read from the server. Default: no limit."},
    {"verify", 0, OPT_FLAG, AT(verify), NULL, NULL, 0, 0,
     "Reads every part again from its file and compares number and checksum of its rows with those that the "
     "server "
     "computed while it sent them. Takes about half as long again. Default on a frozen replica."},
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

static bool check_format(DumpOptions *o, Err *err)
{
    o->format = str_eq(o->format_name, "tsv") ? FORMAT_TSV : FORMAT_SQL;
    return o->format == FORMAT_TSV || str_eq(o->format_name, "sql") ||
           err_set(err, ERR_USAGE, 0, "option --format: \"%s\" is none of sql, tsv", o->format_name);
}

/* What a thread holds at most, whatever it reads: see reader.h, chunkfile.h and the codecs. */
static bool check_memory(DumpOptions *o, Err *err)
{
    int64_t threads = (o->memory_bytes - BASE_BYTES) / THREAD_BYTES;
    if (o->threads <= threads)
        return true;
    return err_set(err, ERR_USAGE, 0, "option --memory: %lld threads need %lld MB", (long long)o->threads,
                   (long long)((BASE_BYTES + o->threads * THREAD_BYTES) >> 20));
}

static bool check_shards(DumpOptions *o, Err *err)
{
    if (!splitwork_shard(&o->shard, &o->shards, err))
        return false;
    if (o->shards > 1 && !job_env("SIDING_SPLIT_FD"))
        return err_set(
            err, ERR_USAGE, 0,
            "SIDING_SHARDS=%lld, but no SIDING_SPLIT_FD: only an agent splits a dump over replicas",
            (long long)o->shards);
    return o->shards == 1 || !o->checksum ||
           err_set(err, ERR_USAGE, 0, "--checksum is not split over several replicas");
}

static bool check(DumpOptions *o, const StrList *words, Err *err)
{
    if (words->n)
        return err_set(err, ERR_USAGE, 0, "\"%s\" is not an option; name databases with --database",
                       words->v[0]);
    if (!o->output && !o->checksum)
        return err_set(err, ERR_USAGE, 0, "option --output is missing: the folder to write");
    if (o->checksum && o->max_rate)
        return err_set(err, ERR_USAGE, 0,
                       "--checksum is computed in the server: --max-rate has nothing to hold back");
    if (o->verify && o->no_verify)
        return err_set(err, ERR_USAGE, 0, "--verify and --no-verify exclude each other");
    if (o->schema_only && o->data_only)
        return err_set(err, ERR_USAGE, 0, "--schema-only and --data-only exclude each other");
    if (o->schema_only && o->where)
        return err_set(err, ERR_USAGE, 0, "--where takes rows, --schema-only none");
    if (!codec_known(o->compress))
        return err_set(err, ERR_USAGE, 0, "option --compress: unknown codec \"%s\"; known: %s", o->compress,
                       codec_names());
    return check_shards(o, err) && check_format(o, err) && check_memory(o, err) &&
           filter_init(&o->filter, &o->databases, &o->tables, &o->matches, &o->excludes, err);
}

static void complete(DumpOptions *o)
{
    from_env(&o->defaults_file, "SIDING_DEFAULTS_FILE");
    if (!o->checksum)
        from_env(&o->output, "SIDING_RESULT_DIR");
    from_env(&o->frozen_gtid, "SIDING_GTID");
    o->users = o->users || o->siding_users;
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
        ok = *ret_special != OPT_RUN ||
             (check(&o, &words, err) && (!o.ask_password || askpass(&o.password, err)));
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
    filter_done(&o->filter);
    free(o->frozen_gtid);
    free(o->password);
    *o = (DumpOptions){0};
}

void dump_options_help(Str *out)
{
    opts_write_help(
        dump_option_rows, "siding-dump [options] --output DIR",
        "Dumps databases of a MySQL or MariaDB server in parallel and at one moment, into files that "
        "mydumper's myloader and plain `zcat FILE | mariadb DATABASE` load. files.json lists them with "
        "their checksums, and each table with one that proves a restore equal. Exit status 0 only if "
        "the dump is whole.\n\n"
        "On a live server commits are held for a few milliseconds, which needs RELOAD; without it MariaDB "
        "needs "
        "no lock, and MySQL --threads 1. After a crash the same command goes on.",
        out);
    str_adds(out, "\nExamples:\n"
                  "  siding-dump -S /run/mysqld/mysqld.sock -B shop -o /backup/shop\n"
                  "  siding-dump --defaults-file ~/.my.cnf --users --verify -o /backup/all\n"
                  "  siding-dump --defaults-file ~/.my.cnf -X '^shop[.]cache' -c zstd:3 -o /backup/most\n"
                  "  siding-restore --defaults-file other.cnf /backup/shop\n");
}

void dump_options_target(const DumpOptions *o, DbTarget *ret)
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
