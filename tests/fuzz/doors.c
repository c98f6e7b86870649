/* SPDX-License-Identifier: Apache-2.0
 * What comes in by a door: requests to the HTTP server with their paths and bodies, configuration files, what
 * a job has left to be sealed, the state that a hostile agent tells, the orders that a hostile coordinator
 * gives.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/file/fs.h"
#include "common/net/coordconf.h"
#include "common/net/http.h"
#include "common/wire/bounds.h"
#include "common/wire/limits.h"
#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"
#include "fuzz_ask.h"
#include "orchestrator/core/choose.h"
#include "orchestrator/core/run_view.h"
#include "orchestrator/core/topology.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/helper/seal_plan.h"
#include "replica-agent/host/config.h"

/* ---- requests -------------------------------------------------------------------------------------- */

static int answered;

static void on_item(HttpRequest *req, void *context)
{
    Err err;
    json_t *body;
    const char *id = http_param(req, "id");
    (void)context;
    answered++;
    MUST(id && *id && !strchr(id, '/') && !strchr(id, '\n') && strcmp(id, "..") != 0);
    if (http_body(req, &body, &err) && bounds_check(task_bounds, DOOR_API, body, &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
}

static void on_file(HttpRequest *req, void *context)
{
    const char *path = http_param(req, "path");
    (void)context;
    answered++;
    MUST(path && !str_starts(path, "../") && !strstr(path, "/../") && !str_ends(path, "/.."));
    http_reply_text(req, 200, "text/plain", path, strlen(path));
}

static const HttpRoute routes[] = {
    {.method = "POST", .path = "/v1/items/{id}", .handle = on_item, .query = "a,limit"},
    {.method = "GET", .path = "/v1/items/{id}", .handle = on_item, .query = "a,limit"},
    {.method = "GET", .path = "/v1/files/{path...}", .handle = on_file},
    {.path = NULL},
};

/* One server for all requests of this process. */
static struct event_base *serve(const char **ret_path)
{
    static struct event_base *base;
    static char path[400];
    *ret_path = path;
    if (base)
        return base;
    Err err;
    HttpServer *server;
    AUTO(strlist_done) StrList listen = STRLIST_INIT;
    log_setup("fuzz", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    base = event_base_new();
    snprintf(path, sizeof path, "%s/http.sock", fuzz_folder());
    strlist_addf(&listen, "unix:%s", path);
    MUST(http_serve(base, &(HttpService){.listen = &listen, .routes = routes}, &server, &err));
    return base;
}

/* Whatever it is: an answer that is HTTP, or the end of the connection, soon. */
static void http(const char *bytes, size_t n)
{
    enum { PATIENCE_MS = 5000, MOST = 1 << 16 };
    const char *path;
    struct event_base *base = serve(&path);
    if (n <= MOST)
        fuzz_ask(base, &(FuzzAsk){path, bytes, n, PATIENCE_MS, .least = '1', .says_all = true});
}

#define JSON_HEAD "Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
static const char *const http_examples[] = {
    "GET /v1/items/12.1?a=b%20c&limit=5 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "GET /v1/files/a%2Fb/c.tsv.gz HTTP/1.1\r\nHost: localhost\r\nRange: bytes=1-2\r\nConnection: "
    "close\r\n\r\n",
    "GET /v1/files/..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "GET /v1/items/%00%0a%2e%2e HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "POST /v1/items/1 HTTP/1.1\r\n" JSON_HEAD "Content-Length: 41\r\n\r\n"
    "{\"job\":\"a\",\"options\":{\"databases\":[\"a\"]}} ",
    "POST /v1/items/1 HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "DELETE http://localhost/v1/items/x HTTP/1.0\r\n\r\n",
    NULL};

/* ---- configuration files ---------------------------------------------------------------------------- */

static void config(const char *text, size_t n)
{
    Err err = {0};
    SidingConfig c;
    AgentConfig a = {0};
    const char *path = fuzz_file("fuzz.conf", text, n);
    if (coordconf_load(path, &c, &err)) {
        MUST(coordconf_agents(&c) > 0 && c.listen.n > 0);
        AUTOFREE char *url = coordconf_url(&c);
        MUST(url);
        coordconf_free(&c);
    } else {
        MUST(*err.text);
    }
    if (agent_config_load(path, &a, &err)) {
        MUST(*a.node && a.listen.n > 0);
        agent_config_free(&a);
    }
}

static const char *const config_examples[] = {
    "cluster_name = \"c\";\nstate_dir = \"/s\";\nlisten = [ \"127.0.0.1:7320\" ];\n"
    "agents = ( { name = \"db1\"; url = \"http://127.0.0.1:7310\"; } );\ndatabase_defaults_file = \"/d\";\n"
    "grants = { submit = ( { account = \"app@%\"; jobs = [ \"*\" ]; databases = [ \"a\" ]; most_waiting = 5; "
    "} ); };\n"
    "max_lag = \"90s\";\n",
    "node = \"db1\";\ncluster_name = \"c\";\nlisten = [ \"127.0.0.1:7310\" ];\nadvertise_url = "
    "\"http://127.0.0.1:7310\";\n"
    "state_dir = \"/s\";\nspool_dir = \"/p\";\nserver = { socket = \"/x\"; port = 3306; defaults_file = "
    "\"/d\"; };\n"
    "keep_for = \"5d\";\n# @include \"x\"\n",
    NULL};

/* ---- what a job has left ---------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *bytes, size_t n)
{
    AUTOFD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 && write(fd, bytes, n) == (ssize_t)n;
}

/* A name a line, then an empty line and what files.json says. */
static void left(const char *text, size_t n)
{
    Err err = {0};
    SealFolder f;
    SealPlan plan;
    const SealNames names = {"gzip", NULL};
    AUTOFREE char *folder = xasprintf("%s/left", fuzz_folder());
    AUTOFREE char *plan_path = xasprintf("%s/plan.json", fuzz_folder());
    MUST(fs_remove_tree(folder, &err) && fs_mkdirs(folder, 0700, &err));
    (void)unlink(plan_path);
    const char *end = memmem(text, n, "\n\n", 2);
    const char *stop = end ? end : text + n;
    for (const char *p = text; p < stop;) {
        const char *line = memchr(p, '\n', (size_t)(stop - p));
        line = line ? line : stop;
        AUTOFREE char *name = xstrndup(p, (size_t)(line - p));
        AUTOFREE char *path = xasprintf("%s/%s", folder, name);
        if (*name && !strchr(name, '/') && strlen(name) < 255)
            MUST(strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || write_file(path, "a\n", 2));
        p = line + 1;
    }
    if (end) {
        AUTOFREE char *path = xasprintf("%s/files.json", folder);
        MUST(write_file(path, end + 2, (size_t)(text + n - end - 2)));
    }
    if (!seal_folder_open(folder, &f, &err))
        return;
    if (seal_plan_open(&f, plan_path, &names, &plan, &err)) {
        MUST(plan.from.n == plan.to.n);
        for (size_t i = 0; i < plan.to.n; i++) {
            size_t chars;
            MUST(text_is_plain(plan.to.v[i], strlen(plan.to.v[i]), &chars) && plan.to.v[i][0] != '/');
            MUST(!str_eq(plan.to.v[i], "manifest.json") && !str_eq(plan.to.v[i], "SHA256SUMS"));
        }
        seal_plan_done(&plan);
    } else {
        MUST(*err.text);
    }
    seal_folder_done(&f);
}

static const char *const left_examples[] = {
    "a.tsv\nb.txt\n\n{\"files\":[{\"name\":\"a.tsv\",\"rows\":1}],\"upload\":{\"target\":\"d.t\"}}",
    "a.txt\na.txt.gz\n.siding-sealed\n\n{}", "manifest.json\nSHA256SUMS\nx.siding-tmp\n",
    "\xC3\xA4\n\x1b[2J\n\n[]", NULL};

/* ---- hostile peers ---------------------------------------------------------------------------------- */

/* What the coordinator makes of any state of an agent. */
static void agent_state(const char *text, size_t n)
{
    Err err;
    AUTOJSON json_t *j = NULL;
    Node node = {.name = (char *)(uintptr_t) "db1", .url = (char *)(uintptr_t) "http://x", .lag_ms = 0};
    AUTO(strlist_done) StrList told = STRLIST_INIT, chosen = STRLIST_INIT;
    if (!json_parse(text, n, &j, &err) || !wire_read(node_state_fields, j, &node.agent, &err))
        return;
    const Node *nodes[] = {&node};
    const ChooseNode choices[] = {{&node, NULL}};
    const ChooseRules rules = {"db0", 0, 60000, true}, own = {"db1", 0, 60000, false};
    const char *primary;
    (void)topology_node_health(&node, "db0");
    topology_warnings(&node, "db0", 0, &told);
    (void)!topology_primary(nodes, 1, &primary, &err);
    (void)topology_source(nodes, 1, &node);
    free(topology_mixed(&node, &node));
    (void)!choose_replicas(choices, 1, &(ChooseWish){"dump", NULL, REPLICAS_ALL}, &rules, &chosen, &err);
    (void)!choose_primary(choices, 1, &(ChooseWish){"dump", "db1", 1}, &own, &chosen, &err);
    const AgentRun *parts[2] = {node.agent.runs.v, node.agent.runs.v};
    if (node.agent.runs.n)
        (void)run_view(parts, COUNT(parts));
    wire_free(node_state_fields, &node.agent);
}

static const char *const agent_state_examples[] = {
    "{\"node\":\"db1\",\"cluster_name\":\"c\",\"term\":3,\"role\":\"replica\",\"server\":{\"up\":true,"
    "\"flavor\":\"mariadb\","
    "\"version\":\"10.11.6\",\"is_replica\":true,\"sql_running\":true,\"io\":\"yes\",\"source_host\":\"h\","
    "\"source_port\":3306,"
    "\"applied\":\"0-1-9\",\"received\":\"0-1-9\"},\"jobs\":[{\"name\":\"dump\",\"kind\":\"dump\",\"on\":"
    "\"replica\"}],"
    "\"runs\":[{\"spec\":{\"run\":\"1.1\",\"shards\":2},\"state\":\"frozen\",\"gtid\":\"0-1-9\"}],\"spool_"
    "free_bytes\":5,"
    "\"lease\":{\"owner\":\"1.1\",\"phase\":\"frozen\"}}",
    "{\"server\":{\"up\":false,\"error\":\"x\"},\"runs\":[{\"state\":\"ended\",\"outcome\":\"ok\",\"sealed\":"
    "true}]}",
    NULL};

/* What the agent makes of any order, before it believes it. */
static void order(const char *text, size_t n)
{
    Err err;
    PauseLimits limits = {0};
    RunSpec spec = {0};
    bool downstream = false, delayed = false;
    AUTOJSON json_t *j = NULL;
    if (!json_parse(text, n, &j, &err))
        return;
    (void)!bounds_check(pause_bounds, DOOR_AGENT, j, &err);
    (void)!bounds_check(role_bounds, DOOR_AGENT, j, &err);
    (void)!bounds_check(purge_hold_bounds, DOOR_AGENT, j, &err);
    if (!wire_read(run_spec_fields, j, &spec, &err))
        return;
    StrList allow = STRLIST_INIT;
    strlist_add(&allow, "--[a-z]+=[0-9]+");
    if (joblist_check_args("x", &spec.args, &allow, &err))
        for (size_t i = 0; i < spec.args.n; i++)
            MUST(str_starts(spec.args.v[i], "--") && !strchr(spec.args.v[i], '\n'));
    strlist_done(&allow);
    if (limits_read(spec.options, &limits, &err))
        wire_free(pause_limits_fields, &limits);
    (void)!limits_read_allow(spec.options, &downstream, &delayed, &err);
    wire_free(run_spec_fields, &spec);
}

static const char *const order_examples[] = {
    "{\"run\":\"12.1\",\"job\":\"dump\",\"kind\":\"dump\",\"on\":\"replica\",\"args\":[\"--rows=5\",\"--x="
    "1\\n\"],\"term\":5,"
    "\"options\":{\"limits\":{\"relay_bytes\":5},\"allow\":[\"delayed\"]},\"pause_limit_ms\":60000}",
    "{\"term\":9223372036854775807,\"role\":\"primary\"}", "{\"owner\":\"db1\",\"keep_s\":5,\"for_s\":9}",
    "{\"for_s\":5,\"reason\":\"x\",\"hold\":true,\"allow\":[\"downstream\"]}", NULL};

const FuzzTarget fuzz_doors[] = {
    {"http", http, http_examples, NULL},    {"config", config, config_examples, NULL},
    {"left", left, left_examples, NULL},    {"agent_state", agent_state, agent_state_examples, NULL},
    {"order", order, order_examples, NULL}, {0},
};
