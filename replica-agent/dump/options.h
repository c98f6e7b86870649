/* SPDX-License-Identifier: Apache-2.0
 * The command line of siding-dump, and what a job's environment adds to it.
 */
#pragma once

#include "common/base/opts.h"
#include "common/db/db.h"
#include "filter.h"
#include "format.h"

typedef struct DumpOptions {
    char *defaults_file, *socket, *host, *user;
    bool ask_password;
    char *password; /* typed */
    int64_t port;
    StrList databases, tables, matches, excludes;
    char *where;
    char *output, *compress, *format_name;
    int64_t threads, rows_per_file, bytes_per_file, statement_bytes, memory_bytes, lock_wait_ms, max_rate;
    bool verify, no_verify, checksum, schema_only, data_only, no_objects, users, siding_users;
    FormatKind format;
    Filter filter;
    int64_t shard, shards; /* of a run on several replicas; 0 of 1 otherwise */
    char *frozen_gtid;     /* from SIDING_GTID; NULL: standing alone */
} DumpOptions;

extern const Opt dump_option_rows[];

MUST_CHECK bool dump_options_read(int argc, char **argv, DumpOptions *ret, OptSpecial *ret_special, Err *err);
void dump_options_done(DumpOptions *o);
void dump_options_help(Str *out);
/* Owned by the caller: db_target_done. */
void dump_options_target(const DumpOptions *o, DbTarget *ret);
