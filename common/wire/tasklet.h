/* SPDX-License-Identifier: Apache-2.0
 * A tasklet as its submitters see it: a job whose arguments are "key=value", each for a parameter that the
 * header of its program declares. Checked alike by the coordinator, before anything is submitted, and by the
 * agent that runs it. Pure.
 *
 * Types: text, int, number, bool (true, false), or the words that may be given, "fast|slow".
 */
#pragma once

#include "wire_node.h"

/* clang-format off */

/* A parameter of a tasklet: common/wire/tasklet.h says which types there are. */
#define TASKLET_PARAM_LIST(F, T)                         \
    F(T, STR, name)                                      \
    F(T, STR, type)                                      \
    F(T, STR, fallback) /* NULL: a value must be given */ \
    F(T, STR, text)
WIRE_STRUCT(TaskletParam, TASKLET_PARAM_LIST);
extern const WireField tasklet_param_fields[];

/* What the header of a program in tasklets_dir says for those that submit it. */
#define TASKLET_LIST(F, T) \
    F(T, STR, text)        \
    F(T, LIST, params, TaskletParam, tasklet_param_fields)
WIRE_STRUCT(Tasklet, TASKLET_LIST);
extern const WireField tasklet_fields[];

/* A file there that is no tasklet, and should be one. */
#define TASKLET_FAULT_LIST(F, T) \
    F(T, STR, name)              \
    F(T, STR, error)
WIRE_STRUCT(TaskletFault, TASKLET_FAULT_LIST);
extern const WireField tasklet_fault_fields[];
/* clang-format on */

enum { TASKLET_MOST_PARAMS = 32, TASKLET_VALUE_BYTES = 4096, TASKLET_NAME_CHARS = 64 };

/* A type of the above. */
bool tasklet_is_type(const char *type);
/* The name of a parameter: letters, digits, '_' and '-', the first a letter or '_'. */
bool tasklet_is_key(const char *text, size_t n);
/* A value of that type; ERR_USAGE names both. */
MUST_CHECK bool tasklet_check_value(const TaskletParam *p, const char *value, Err *err);

/* Each of `args` is "key=value" for a parameter, none comes twice, and what has no default is there.
 * ERR_USAGE begins with the tasklet's name. */
MUST_CHECK bool tasklet_check(const char *name, const Tasklet *t, const StrList *args, Err *err);
/* What its program gets: "key=value" for each parameter in the header's order, defaults filled in. */
void tasklet_arguments(const Tasklet *t, const StrList *args, StrList *ret);

/* "name", "name[key=value, key='a value']" as --post-process takes it: in quotes ' or " a \ stands before a
 * quote or itself. `ret_name` is owned, `ret_args` empty before. ERR_USAGE. */
MUST_CHECK bool tasklet_read_call(const char *text, char **ret_name, StrList *ret_args, Err *err);

/* A job's tasklet as its agent has told it; `ret` is zeroed and freed by tasklet_done. False: it is none. */
bool tasklet_of(const JobInfo *job, Tasklet *ret);
void tasklet_done(Tasklet *t);
