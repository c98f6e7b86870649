/* SPDX-License-Identifier: Apache-2.0
 * Rows of the usual client options, for the option table of a program whose struct T has `DbTarget target`
 * and `bool ask_password`.
 */
#pragma once

#include "common/base/opts.h"
#include "common/db/db.h"

#define CONNECTION_OPTIONS(T)                                                                                \
    {"defaults-file",                                                                                        \
     0,                                                                                                      \
     OPT_STR,                                                                                                \
     offsetof(T, target.defaults_file),                                                                      \
     "FILE",                                                                                                 \
     .doc = "Option file with [client] credentials, mode 0600; default: $SIDING_DEFAULTS_FILE.",             \
     .section = "Connection"},                                                                               \
        {"host", 'h', OPT_STR, offsetof(T, target.host), "HOST", .doc = "Server's host."},                   \
        {"port", 'P',      OPT_INT,      offsetof(T, target.port),                                           \
         "PORT", .min = 0, .max = 65535, .doc = "Server's port."},                                           \
        {"socket", 'S',                                                                                      \
         OPT_STR,  offsetof(T, target.socket),                                                               \
         "PATH",   .doc = "Server's unix socket; wins over host and port."},                                 \
        {"user", 'u', OPT_STR, offsetof(T, target.user), "NAME", .doc = "User."},                            \
        {"password", 'p', OPT_FLAG, offsetof(T, ask_password),                                               \
         .doc = "Asks for the password on the terminal. Without it: the option file, or the variable "       \
                "MYSQL_PWD."},                                                                               \
    {                                                                                                        \
        "database", 'D', OPT_STRS, offsetof(T, databases), "NAME",                                           \
            .doc = "Database of table names without one; the first counts."                                  \
    }
