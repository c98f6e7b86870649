/* SPDX-License-Identifier: Apache-2.0
 * Statements about accounts, as the servers' SHOW CREATE USER and SHOW GRANTS write them and dumps hold them:
 * whom one is about, and what is cut out of it. Names may hold anything, quotes and words of SQL too. Pure.
 */
#pragma once

#include "common/base/str.h"

typedef struct Account {
    char *user, *host; /* host NULL: a role that has none */
} Account;

void account_done(Account *a);
void account_quote(Str *out, const Account *a); /* 'user'@'host' */
bool account_same(const Account *a, const Account *b);
/* An account at the beginning of `text`, in any quotes; *ret_end (NULL: not wanted) is what follows. */
bool account_read(const char *text, Account *ret, const char **ret_end);

/* Whom a statement makes (CREATE USER, CREATE ROLE, with or without IF NOT EXISTS). */
bool account_made_by(const char *sql, Account *ret);
/* To whom a statement gives, from whom it takes, or whose default role it sets. */
bool account_changed_by(const char *sql, Account *ret);

/* "CREATE USER x …" with IF NOT EXISTS, and without its default roles, which are granted later. *ret_roles:
 * those, as in the statement; NULL: none. Both owned. */
char *account_create(const char *sql, char **ret_roles);
/* A grant without what it repeats of the password. Owned. */
char *account_grant(const char *sql);
