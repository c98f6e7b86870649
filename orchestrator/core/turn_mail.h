/* SPDX-License-Identifier: Apache-2.0
 * The log of a task's turn by mail: whether and to whom, and the message. Pure.
 */
#pragma once

#include "common/wire/wire_run.h"
#include "common/wire/wire_task.h"
#include "task_log.h"

/* A mail that is to go, as it is kept until it has gone. */
/* clang-format off */
#define TURN_MAIL_LIST(F, T)                                \
    F(T, INT, task)                                        \
    F(T, STR, run) /* its key */                           \
    F(T, STR, name)                                        \
    F(T, STR, job)                                         \
    F(T, STR, node) /* that keeps the log; NULL: none */   \
    F(T, STR, state) /* of the run */                      \
    F(T, STR, error)                                       \
    F(T, STRS, to)                                         \
    F(T, TIME, started_at)                                 \
    F(T, TIME, ended_at)                                   \
    F(T, INT, tries) /* that have failed */                \
    F(T, LOCAL, int64_t, not_before_ms) /* monotonic */
/* clang-format on */
WIRE_STRUCT(TurnMail, TURN_MAIL_LIST);
extern const WireField turn_mail_fields[];

/* What a plan says of mails can be done: each address is one, and its user has one where that is needed.
 * ERR_USAGE. */
MUST_CHECK bool turn_mail_check(const TaskPlan *p, const char *user, Err *err);
/* Its plan asks for the log of a turn that has ended so. */
bool turn_mail_is_wanted(const Task *t, bool well);
/* Of such a turn; `ret` is zeroed. `r`: its last run. */
void turn_mail_fill(const Task *t, const Run *r, bool well, TurnMail *ret);
/* The message with its headers. `from`: NULL: as the program says. */
void turn_mail_compose(const TurnMail *m, const char *from, const char *cluster, const LogText *log,
                       const LogText *errors, Str *out);
/* Before the next try; 0: it is given up. */
int64_t turn_mail_wait_ms(int64_t tries);
