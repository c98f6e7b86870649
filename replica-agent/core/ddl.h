/* SPDX-License-Identifier: Apache-2.0
 * DDL that a MariaDB replica was in when it was killed. Its own crash recovery completes an ALTER and logs it
 * under the server's own id, undoes a CREATE TABLE, completes a DROP and logs a DROP … IF EXISTS; what is
 * not in its DDL log (routines, events, accounts, databases) may be done and not logged. Source: the server's
 * sql/ddl_log.cc; slave_ddl_exec_mode=IDEMPOTENT, by which its own applier repeats CREATE TABLE and DROP
 * TABLE. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct DdlText {
    const char *schema, *sql; /* sql NULL: no statement, or one that cannot be read */
} DdlText;

typedef enum DdlVerdict {
    DDL_FOREIGN, /* not the crash recovery's: a person wrote it */
    DDL_DONE,    /* it is next[*ret_index], and it is done */
    DDL_AGAIN,   /* it is a part of what one of `next` will do again */
} DdlVerdict;

/* `own`: logged under the server's own id. `next`: the first statement not applied, of each domain. */
DdlVerdict ddl_judge(const DdlText *own, const DdlText *next, size_t n_next, size_t *ret_index);

/* The statement in a form that does the same, also where it, or a part of it, was done before. Owned; NULL:
 * as it stands. */
char *ddl_again(const char *sql);
