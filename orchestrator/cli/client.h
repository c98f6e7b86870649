/* SPDX-License-Identifier: Apache-2.0
 * Calls of sidingd, with errors that tell how to start it, and what several commands share about them.
 */
#pragma once

#include "cmd.h"
#include "common/net/resultfetch.h"
#include "common/wire/wire_task.h"

enum { API_TIMEOUT_MS = 30000, API_CHECK_MS = 60000 }; /* a check asks all agents */

/* *ret is owned. ERR_UNREACHABLE says how sidingd is started. */
MUST_CHECK bool client_call(const Cli *cli, const char *method, const char *path, const json_t *body,
                            int64_t timeout_ms, json_t **ret, Err *err);
/* Adds to an error of an HTTP call to sidingd how to start it. Returns false. */
bool client_explain(const Cli *cli, Err *err);
/* "/v1/LIST/NAME/VERB" with the name encoded; verb NULL: without one. Owned. */
char *client_path(const char *list, const char *name, const char *verb);
MUST_CHECK bool client_get(const Cli *cli, const char *path, json_t **ret, Err *err);
/* An array of wire objects. The list is zeroed before; on failure it stays empty. */
MUST_CHECK bool client_read_list(const json_t *a, const WireField *fields, size_t size, WireList *ret,
                                 Err *err);
void client_list_free(const WireField *fields, size_t size, WireList *l);
MUST_CHECK bool client_task(const Cli *cli, int64_t id, Task *ret, json_t **ret_json, Err *err);
/* Where a result is: RUN is "12.1" or "12"; `node` of several replicas, NULL: the first. */
MUST_CHECK bool client_get_result(const Cli *cli, const char *run, const char *node, json_t **ret, Err *err);

/* Where its files come from: its agent, where we have something to show it and it takes that, else the
 * coordinator, which passes them on. `key` of the run; *ret borrows all. *ret_manifest: what the agent
 * answered, as asking for it shows whether it takes us; NULL: it is the coordinator, who was not asked.
 * Owned. */
MUST_CHECK bool client_result_source(const Cli *cli, const json_t *result, const char *key, ResultSource *ret,
                                     json_t **ret_manifest, Err *err);
/* Fetches what client_get_result gave into DIR/RUN, unless it is on this host; goes on with a part that is
 * there. *ret: the folder. Owned. */
MUST_CHECK bool client_fetch_result(const Cli *cli, const json_t *result, const char *dir, char **ret,
                                    Err *err);

/* Who stands before the terminal: SUDO_USER, USER, the passwd entry. Owned. */
char *cli_user(void);
/* "12" or "12.1" → ids; ERR_USAGE otherwise. ret_run may be NULL: then only a task's id is taken. */
MUST_CHECK bool cli_task_id(const char *word, int64_t *ret_task, int64_t *ret_run, Err *err);
