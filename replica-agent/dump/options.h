/* SPDX-License-Identifier: Apache-2.0
 * The command line of siding-dump, and what a job's environment adds to it.
 */
#pragma once

#include "common/db.h"
#include "common/opts.h"

typedef struct DumpOptions {
    char *defaults_file, *socket, *host, *user;
    int64_t port;
    StrList databases;
    char *output, *compress;
    int64_t threads, chunk_bytes, statement_bytes, lock_wait_ms;
    bool verify, no_verify, checksum;
    char *frozen_gtid; /* from SIDING_GTID; NULL: standing alone */
} DumpOptions;

extern const Opt dump_option_rows[];

MUST_CHECK bool dump_options_read(int argc, char **argv, DumpOptions *ret, OptSpecial *ret_special, Err *err);
void dump_options_done(DumpOptions *o);
void dump_options_help(Str *out);
/* Owned by the caller: db_target_done. */
void dump_options_target(const DumpOptions *o, DbTarget *ret);
