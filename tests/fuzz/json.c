/* SPDX-License-Identifier: Apache-2.0
 * JSON: objects of the wire and of journals, requests for pieces of work.
 */
#include "common/file/json.h"

#include <string.h>

#include "common/wire/bounds.h"
#include "common/wire/finding.h"
#include "common/wire/limits.h"
#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"
#include "fuzz.h"
#include "replica-agent/core/lease.h"
#include "replica-agent/core/split.h"

/* ---- objects -------------------------------------------------------------------------------------- */

static const struct {
    const WireField *fields;
    size_t size;
} objects[] = {
    {task_spec_fields, sizeof(TaskSpec)},
    {gather_order_fields, sizeof(GatherOrder)},
    {run_spec_fields, sizeof(RunSpec)},
    {run_align_fields, sizeof(RunAlign)},
    {agent_run_fields, sizeof(AgentRun)},
    {agent_event_fields, sizeof(AgentEvent)},
    {node_state_fields, sizeof(NodeState)},
    {run_fields, sizeof(Run)},
    {task_fields, sizeof(Task)},
    {node_fields, sizeof(Node)},
    {finding_fields, sizeof(Finding)},
    {lease_fields, sizeof(Lease)},
    {result_info_fields, sizeof(ResultInfo)},
    {lease_state_fields, sizeof(LeaseState)},
    {pause_limits_fields, sizeof(PauseLimits)},
};

/* What is read is written so that it is read again, as the same. */
static void read_object(size_t i, const json_t *j)
{
    Err err;
    AUTOFREE void *s = xcalloc(1, objects[i].size), *copy = xcalloc(1, objects[i].size);
    if (!wire_read(objects[i].fields, j, s, &err)) {
        MUST(err.kind == ERR_PROTOCOL && *err.text);
        return;
    }
    AUTOJSON json_t *written = wire_write(objects[i].fields, s);
    wire_copy(objects[i].fields, copy, s);
    MUST(wire_read(objects[i].fields, written, s, &err));
    AUTOJSON json_t *again = wire_write(objects[i].fields, s), *copied = wire_write(objects[i].fields, copy);
    MUST(json_equal(written, again) && json_equal(written, copied));
    wire_free(objects[i].fields, s);
    wire_free(objects[i].fields, copy);
}

/* The first byte says which object follows. */
static void wire(const char *text, size_t n)
{
    Err err;
    AUTOJSON json_t *j = NULL;
    bool downstream, delayed;
    size_t i = n ? (size_t)(unsigned char)(*text - 'a') : COUNT(objects);
    if (i >= COUNT(objects) || !json_parse(text + 1, n - 1, &j, &err))
        return;
    read_object(i, j);
    (void)!bounds_check(task_bounds, DOOR_API, j, &err);
    (void)!limits_read_allow(j, &downstream, &delayed, &err);
}

static void make_wire(FuzzAdd add, void *arg)
{
    for (size_t i = 0; i < COUNT(objects); i++) {
        AUTOFREE void *s = xcalloc(1, objects[i].size);
        AUTOJSON json_t *j = wire_write(objects[i].fields, s);
        AUTOFREE char *text = json_text(j), *whole = xasprintf("%c%s", (char)('a' + (int)i), text);
        add(arg, whole, strlen(whole));
    }
}

static const char *const wire_examples[] = {
    "a{\"job\":\"dump\",\"args\":[\"--rows\",\"5\"],\"run_at\":\"2026-11-23T20:37:00.123Z\",\"options\":{"
    "\"databases\":[\"a\"]},\"replicas\":-1}",
    "b{\"sources\":[{\"run\":\"12.1\",\"node\":\"db1\",\"url\":\"http://x\",\"shard\":1},{}]}",
    "g{\"node\":\"db1\",\"runs\":[{\"spec\":{\"run\":\"1.1\"},\"progress\":{\"done\":3}}],\"server\":{\"up\":"
    "true},"
    "\"events\":[{\"seq\":3,\"kind\":\"x\"}],\"warnings\":[\"w\"]}",
    "o{\"limits\":{\"relay_bytes\":5,\"at_limit\":\"stop\"},\"allow\":[\"delayed\"]}", NULL};

/* ---- pieces of work ------------------------------------------------------------------------------- */

static void ask(Split *s, const char *line, size_t n)
{
    Err err;
    bool changed;
    AUTOJSON json_t *request = NULL, *answer = NULL;
    if (!json_parse(line, n, &request, &err))
        return;
    if (split_do(s, request, &answer, &changed, &err))
        MUST(json_is_object(answer));
    else
        MUST(!answer && *err.text);
}

/* A request a line. */
static void split(const char *text, size_t n)
{
    enum { SHARDS = 3 };
    Split *s = split_new(SHARDS);
    for (const char *end = text + n, *stop; text < end; text = stop + 1) {
        stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        ask(s, text, (size_t)(stop - text));
    }
    for (size_t i = 0; i < SHARDS; i++)
        MUST(split_done_by(s, i) >= 0);
    split_free(s);
}

static const char *const split_examples[] = {
    "{\"shard\":0,\"seq\":1,\"op\":\"join\",\"identity\":1,\"streams\":[{\"name\":\"a\"},{\"name\":\"b\","
    "\"count\":2}]}\n"
    "{\"shard\":0,\"seq\":2,\"op\":\"take\"}\n"
    "{\"shard\":0,\"seq\":3,\"op\":\"cut\",\"stream\":\"a\",\"number\":0,\"upto\":[\"5\"],\"walked\":9}\n"
    "{\"shard\":0,\"seq\":4,\"op\":\"done\",\"stream\":\"a\",\"number\":0}\n"
    "{\"shard\":1,\"seq\":1,\"op\":\"join\",\"identity\":1,\"streams\":[{\"name\":\"b\",\"count\":2},{"
    "\"name\":\"a\"}]}\n"
    "{\"shard\":1,\"seq\":2,\"op\":\"take\"}\n{\"shard\":1,\"seq\":3,\"op\":\"leave\"}\n",
    "{\"shard\":2,\"seq\":1,\"op\":\"beat\"}\n"
    "{\"shard\":2,\"seq\":2,\"op\":\"join\",\"streams\":[{\"name\":\"n\",\"count\":1}]}\n"
    "{\"shard\":2,\"seq\":3,\"op\":\"take\"}\n{\"shard\":2,\"seq\":3,\"op\":\"take\"}\n",
    NULL};

const FuzzTarget fuzz_json[] = {
    {"wire", wire, wire_examples, make_wire},
    {"split", split, split_examples, NULL},
    {0},
};
