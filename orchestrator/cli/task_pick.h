/* SPDX-License-Identifier: Apache-2.0
 * Which tasks a verb is for: by ids, or by what they are.
 */
#pragma once

#include "cmd.h"

typedef struct TaskPick {
    CliCommon common;
    StrList states;
    char *name, *user;
    int64_t older_ms, within_ms;
} TaskPick;

/* The rows of a verb that acts on tasks, without the common ones. */
#define TASK_PICK_OPTIONS                                                                                    \
    {"name",                                                                                                 \
     0,                                                                                                      \
     OPT_STR,                                                                                                \
     offsetof(TaskPick, name),                                                                               \
     .arg = "NAME",                                                                                          \
     .doc = "Instead of ids: tasks of this name.",                                                           \
     .section = "Which tasks"},                                                                              \
        {"state",        0,                                                                                  \
         OPT_STRS,       offsetof(TaskPick, states),                                                         \
         .arg = "STATE", .doc = "Instead of ids: tasks in this state; may be repeated."},                    \
        {"user",        0,                                                                                   \
         OPT_STR,       offsetof(TaskPick, user),                                                            \
         .arg = "USER", .doc = "Instead of ids: tasks of this user."},                                       \
    {                                                                                                        \
        "older", 0, OPT_DURATION, offsetof(TaskPick, older_ms),                                              \
            .arg = "D", .doc = "Instead of ids: tasks submitted longer ago than this."                       \
    }

bool task_pick_is_filter(const TaskPick *p);
/* The ids among `words`, or those of all tasks that fit every filter; ascending. ERR_USAGE: neither or both.
 * None that fits is ERR_NOT_FOUND. */
MUST_CHECK bool task_pick(const Cli *cli, const TaskPick *p, const StrList *words, StrList *ret, Err *err);
