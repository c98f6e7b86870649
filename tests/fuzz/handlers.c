/* SPDX-License-Identifier: Apache-2.0
 * Bodies through the coordinator's own handlers: its routes and its state, without agents and without a
 * database, as it stands in the moment after its start and after an outage. What a handler wants from these
 * is refused, whatever it has made of the body by then. Those that wait for events are not waited for.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "fuzz_ask.h"
#include "orchestrator/daemon/coord_parts.h"
#include "orchestrator/daemon/coord_store.h"

static Coord coord;

static void step(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    store_send(arg);
}

/* As if it had answered a moment ago. */
static void meet(AgentLink *a)
{
    Err err;
    AUTOFREE char *text = xasprintf(
        "{\"node\":\"%s\",\"cluster_name\":\"c\",\"term\":1,\"server\":{\"up\":true,\"flavor\":\"mariadb\","
        "\"version\":\"10.11.6\",\"applied\":\"0-1-9\",\"binlog\":\"0-1-9\"},\"jobs\":[{\"name\":\"dump\","
        "\"kind\":"
        "\"dump\",\"on\":\"replica\"},{\"name\":\"a\",\"kind\":\"command\",\"on\":\"replica\"}]}",
        a->name);
    AUTOJSON json_t *j = NULL;
    MUST(json_parse(text, strlen(text), &j, &err) && wire_read(node_state_fields, j, &a->node.agent, &err));
    a->fresh = true;
    a->seen_ms = clock_mono_ms();
}

/* One for all requests of this process; its folder goes with the process. */
static Coord *coordinator(const char **ret_path)
{
    static char path[400];
    Err err;
    Coord *c = &coord;
    *ret_path = path;
    if (c->base)
        return c;
    log_setup("fuzz", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    snprintf(path, sizeof path, "%s/handlers.sock", fuzz_folder());
    AUTOFREE char *text =
        xasprintf("cluster_name = \"c\";\nstate_dir = \"%s/state\";\nlisten = [ \"unix:%s\" ];\n"
                  "agents = ( { name = \"db0\"; url = \"http://127.0.0.1:1\"; }, { name = \"db1\"; url = "
                  "\"http://127.0.0.1:1\"; } );\ndatabase_defaults_file = \"%s/none.cnf\";\n",
                  fuzz_folder(), path, fuzz_folder());
    c->config_path = xstrdup(fuzz_file("handlers.conf", text, strlen(text)));
    MUST(coordconf_load(c->config_path, &c->conf, &err));
    MUST(coord_open(c, step, step, &err));
    for (size_t i = 0; i < c->n_agents; i++)
        meet(c->agents[i]);
    return c;
}

/* A first line "POST /v1/tasks", behind it the body. */
static void handlers(const char *bytes, size_t n)
{
    enum { PATIENCE_MS = 3000, MOST = 1 << 16 };
    const char *path, *end = memchr(bytes, '\n', n);
    size_t line = end ? (size_t)(end - bytes) : n, body = end ? n - line - 1 : 0;
    AUTO(str_done) Str request = STR_INIT;
    if (n > MOST || memchr(bytes, '\r', line) || memmem(bytes, line, "wait_ms", 7))
        return;
    Coord *c = coordinator(&path);
    str_add(&request, bytes, line);
    str_addf(&request,
             " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n",
             body);
    str_add(&request, bytes + n - body, body);
    fuzz_ask(c->base, &(FuzzAsk){path, request.p, request.len, PATIENCE_MS, .least = '2'});
}

static const char *const handlers_examples[] = {
    "POST "
    "/v1/"
    "tasks\n{\"kind\":\"dump\",\"job\":\"dump\",\"options\":{\"databases\":[\"a\"]},\"run_at\":\"2026-05-"
    "01T22:30:00Z\"}",
    "POST /v1/tasks\n{\"job\":\"a\",\"args\":[\"--x=1\"],\"plan\":{\"cron\":\"0 2 * * "
    "*\",\"zone\":\"UTC\",\"after\":[\"5\"]},\"window\":\"22:00-03:00\",\"dry_run\":true}",
    "GET /v1/tasks?state=waiting,running&limit=5&before=9",
    "POST /v1/tasks/12/request\n{\"action\":\"kill\",\"by\":\"x\"}",
    "POST /v1/tasks/12/set\n{\"priority\":5,\"run_at\":\"2026-05-01T22:30:00Z\"}",
    "GET /v1/tasks/12/log?stream=log&offset=0&run=2&node=db0&whole=1",
    "POST "
    "/v1/schedules/"
    "nightly\n{\"job\":\"dump\",\"kind\":\"dump\",\"plan\":{\"cron\":\"@daily\",\"not_on\":[\"Sat\"]},\"dry_"
    "run\":true}",
    "POST /v1/schedules/nightly/request\n{\"action\":\"run-now\"}",
    "GET /v1/forecast?until=2026-05-01T22:30:00Z",
    "GET /v1/results/12.1-k3x9qz07ab/a%20b/c.tsv.gz?node=db1",
    "POST /v1/nodes/db1/pause\n{\"for_s\":60,\"reason\":\"x\",\"allow\":[\"delayed\"],\"hold\":true}",
    "POST /v1/nodes/db1/resume\n{\"reason\":\"x\"}",
    "POST /v1/nodes/db1/cordon\n{\"for_s\":60,\"reason\":\"x\"}",
    "POST /v1/nodes/db1/provision\n{\"from\":\"db0\",\"replaces\":true}",
    "POST /v1/nodes/db1/remove\n{\"its_host_is_off\":true}",
    "POST /v1/queue/manual\n{\"reason\":\"x\",\"for_s\":5}",
    "POST /v1/lanes/nightly/hold\n{\"reason\":\"x\"}",
    "POST /v1/cluster/reset-term\n{\"confirm\":\"c\"}",
    "POST /v1/failover\n{\"to\":\"db1\",\"switchover\":true,\"kill_after_ms\":5}",
    "POST /v1/maintenance\n{\"on\":true,\"for_ms\":60000}",
    "GET /v1/events?after=0&limit=5",
    NULL};

const FuzzTarget fuzz_handlers[] = {{"handlers", handlers, handlers_examples, NULL}, {0}};
