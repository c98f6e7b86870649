/* SPDX-License-Identifier: Apache-2.0
 * The command line of siding-restore.
 */
#pragma once

#include "common/base/opts.h"
#include "common/db/db.h"

typedef struct RestoreOptions {
    char *defaults_file, *socket, *host, *user;
    bool ask_password;
    char *password; /* typed */
    int64_t port;
    char *input; /* the folder */
    int64_t threads, transaction_bytes, lock_wait_ms, max_rate;
    bool overwrite, no_binlog, no_verify, skip_definer, users;
    char *definer;     /* as SQL: 'user'@'host' */
    char *defer_views; /* a file */
} RestoreOptions;

MUST_CHECK bool restore_options_read(int argc, char **argv, RestoreOptions *ret, OptSpecial *ret_special,
                                     Err *err);
void restore_options_done(RestoreOptions *o);
void restore_options_help(Str *out);
void restore_options_target(const RestoreOptions *o, DbTarget *ret);
