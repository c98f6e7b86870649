/* SPDX-License-Identifier: Apache-2.0
 * Sequences of requests to the agent's own handlers: its routes, its core and its journal, without a server
 * and without programs. Each sequence has an agent of its own, in a folder of its own. Its items are divided
 * by a line "==". Most are requests: a first line "POST /v1/pause", headers, an empty line, the body.
 *
 * The others: "reading WORDS" is what a look at the server has told. "op WORDS" is what becomes of the
 * pause's operation under way; without it that fails, as nobody listens there, or waits, behind an item
 * "silence". "accept" has a run's order in the lines below, "tick" and "restart" are the agent's.
 */
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "fuzz_ask.h"
#include "replica-agent/agent/agent_parts.h"

enum { PATIENCE_MS = 5000, MOST_BYTES = 1 << 16, MOST_ITEMS = 16 };

static const char SECRET[] = "what no answer may hold";

typedef struct World {
    char *folder, *socket, *config;
    int server, port; /* the server's: nobody listens there, or nobody answers */
    bool silent;      /* … the latter */
    Agent a;
} World;

/* ---- its folder ------------------------------------------------------------------------------------ */

static void write_file(const World *p, const char *name, const char *text)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/%s", p->folder, name), *dir = fs_dirname(path);
    MUST(fs_mkdirs(dir, 0700, &err) && fs_replace(path, text, strlen(text), 0600, &err));
}

static void open_server(World *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    p->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(p->server >= 0 && bind(p->server, (struct sockaddr *)&at, n) == 0 &&
         getsockname(p->server, (struct sockaddr *)&at, &n) == 0);
    p->port = ntohs(at.sin_port);
}

/* One sealed result, and secrets around it. */
static void make_world(World *p)
{
    Err err;
    const struct passwd *me = getpwuid(geteuid());
    *p = (World){.folder = xasprintf("%s/agent", fuzz_folder())};
    MUST(me);
    open_server(p);
    MUST(fs_remove_tree(p->folder, &err) && fs_mkdirs(p->folder, 0700, &err));
    p->socket = xasprintf("%s/sock", p->folder);
    p->config = xasprintf("%s/agent.conf", p->folder);
    AUTOFREE char *text = xasprintf(
        "node = \"db1\"; cluster_name = \"c\"; listen = [ \"unix:%s\" ]; advertise_url = "
        "\"http://127.0.0.1:1\";\n"
        "state_dir = \"%s/state\"; spool_dir = \"%s/spool\"; jobs_dir = \"%s/jobs\"; min_free_bytes = 0;\n"
        "server = { address = \"127.0.0.1\"; port = %d; defaults_file = \"%s/agent.cnf\"; };\n"
        "job_defaults_file = \"%s/agent.cnf\"; load_defaults_file = \"%s/agent.cnf\";\n"
        "peers = ( { name = \"db0\"; url = \"http://127.0.0.1:1\"; } );\n"
        "roles = { coordinator = [ \"user:%s\" ]; peer = [ \"user:%s\" ]; };\n",
        p->socket, p->folder, p->folder, p->folder, p->port, p->folder, p->folder, p->folder, me->pw_name,
        me->pw_name);
    write_file(p, "agent.conf", text);
    write_file(p, "agent.cnf", "[client]\nuser = a\npassword = \"what no answer may hold\"\n");
    write_file(p, "secret", SECRET);
    write_file(p, "state/secret", SECRET);
    write_file(p, "spool/secret", SECRET);
    write_file(
        p, "jobs/a.conf",
        "name = \"a\"; kind = \"command\"; program = \"/nonexistent\"; allow_args = [ \"--x=[0-9]+\" ];\n");
    write_file(p, "jobs/b.conf",
               "name = \"b\"; kind = \"command\"; program = \"/nonexistent\"; on = \"primary\";\n");
    write_file(p, "spool/7.1/manifest.json",
               "{\"run\":\"7.1\",\"job\":\"a\",\"finished_at\":\"2026-05-01T22:30:00Z\","
               "\"files\":[{\"name\":\"a.tsv\",\"compressed_bytes\":4,\"sha256\":\"00\"}]}");
    write_file(p, "spool/7.1/a.tsv", "1\ta\n");
}

static void end_world(World *p)
{
    close(p->server);
    free(p->folder);
    free(p->socket);
    free(p->config);
}

/* ---- the agent ------------------------------------------------------------------------------------- */

static void no_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* The watcher of a pause would be this very program. */
static void begin(World *p)
{
    Err err;
    p->a = (Agent){.config_path = p->config, .lock_fd = -1, .watcher = {.next_ms = INT64_MAX}};
    MUST(agent_config_load(p->config, &p->a.conf, &err));
    MUST(agent_open(&p->a, no_tick, &err));
}

/* Operations that wait for the server fail at once. */
static void end(World *p)
{
    if (p->silent)
        MUST(shutdown(p->server, SHUT_RDWR) == 0);
    p->silent = false;
    agent_close(&p->a);
    agent_config_free(&p->a.conf);
}

/* All that has happened is stepped through and on the disk: the loop comes to an end. */
static void settle(Agent *a)
{
    int64_t last = clock_mono_ms() + PATIENCE_MS;
    do {
        event_base_loop(a->base, EVLOOP_NONBLOCK);
        MUST(clock_mono_ms() < last);
    } while (a->queue.n || a->loop.held_since_ms);
}

static bool has_word(const char *line, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = line; (p = strstr(p, word)); p += n)
        if (p > line && p[-1] == ' ' && (!p[n] || p[n] == ' '))
            return true;
    return false;
}

/* "primary", "open" to writes; else a replica: "stopped", "silent", "behind", "failed". Owned by the caller.
 */
static ReplStatus status_of(const char *line)
{
    bool mysql = has_word(line, "mysql"), replica = !has_word(line, "primary"),
         failed = has_word(line, "failed");
    const char *at = mysql ? "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9" : "0-1-9",
               *received = mysql ? "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-12" : "0-1-12";
    return (ReplStatus){.is_replica = replica,
                        .channels = replica,
                        .channel = xstrdup(""),
                        .io = replica && !has_word(line, "silent") ? REPL_IO_YES : REPL_IO_NO,
                        .sql_running = replica && !has_word(line, "stopped") && !failed,
                        .uses_gtid = true,
                        .source_host = xstrdup(replica ? "127.0.0.1" : ""),
                        .source_port = replica,
                        .applied = xstrdup(at),
                        .binlog = xstrdup(at),
                        .received = xstrdup(has_word(line, "behind") ? received : at),
                        .exec_file = xstrdup("bin.000001"),
                        .exec_pos = 400,
                        .read_file = xstrdup("bin.000001"),
                        .read_pos = 400,
                        .sql_errno = failed ? 1062 : 0,
                        .io_error = xstrdup(""),
                        .sql_error = xstrdup(failed ? "Duplicate entry" : ""),
                        .read_only = !has_word(line, "open"),
                        .closed = !has_word(line, "open"),
                        .server_id = 2,
                        .identity = xstrdup(has_word(line, "another") ? "y" : "x")};
}

static DbFlavor flavor(const char *line)
{
    return has_word(line, "mysql") ? DB_MYSQL : DB_MARIADB;
}

/* "down", "hangs", "full" disk, or what status_of() knows. */
static void read_server(Agent *a, const char *line)
{
    Input *in = queue_input(IN_READING, NULL);
    Reading *r = in->reading = NEW(Reading);
    *r = (Reading){.ok = !has_word(line, "down") && !has_word(line, "hangs"),
                   .hangs = has_word(line, "hangs"),
                   .version = {flavor(line), 10, 11, 6, "10.11.6"},
                   .begun_ms = clock_mono_ms(),
                   .spool_free = has_word(line, "full") ? 0 : 1 << 30,
                   .state_free = 1 << 30,
                   .relay_free = -1};
    if (r->ok)
        r->status = status_of(line);
    else
        err_set(&r->err, r->hangs ? ERR_TIMEOUT : ERR_UNREACHABLE, 0, "the server does not answer");
    queue_post(a, in);
    settle(a);
}

/* The pause's operation that is under way: it comes back as this before it fails. "fails" or "unknown", else
 * well, with what status_of() knows. */
static void operate(Agent *a, const char *line)
{
    static const char *const names[OP_KINDS] = {
        [OP_SURVEY] = "survey", [OP_STOP] = "stop",     [OP_ALIGN] = "align",     [OP_VERIFY] = "verify",
        [OP_START] = "start",   [OP_RETUNE] = "retune", [OP_RESTORE] = "restore",
    };
    static const LeaseSettings settings;
    static const LeaseServer server;
    static const WireList findings;
    const PauseFlight *f = &a->s.flight.pause;
    for (int kind = 0; kind < OP_KINDS; kind++) {
        uint64_t id = kind == OP_SURVEY ? f->survey : f->op;
        if (!id || !names[kind] || !has_word(line, names[kind]))
            continue;
        ReplStatus status = status_of(line);
        Input *in = queue_input(IN_OP, a->s.durable.lease.owner);
        OpReport *op = in->op = NEW(OpReport);
        *op = (OpReport){.kind = (OpKind)kind,
                         .id = id,
                         .end = has_word(line, "fails")     ? END_FAILED
                                : has_word(line, "unknown") ? END_UNKNOWN
                                                            : END_OK,
                         .run = in->owner,
                         .flavor = flavor(line),
                         .status = &status,
                         .server = &server,
                         .settings = &settings,
                         .findings = &findings,
                         .way = START_SQL,
                         .ended_well = true};
        if (op->end != END_OK)
            err_set(&op->err, ERR_DB, 0, "it was not done");
        queue_post(a, in);
        settle(a);
        repl_status_done(&status);
        return;
    }
}

/* ---- requests -------------------------------------------------------------------------------------- */

static bool is_kept(void *arg)
{
    const World *p = arg;
    return p->silent || p->a.waiters || p->a.answers;
}

/* How long the body is, and what becomes of the connection, is said by ask(). */
static bool may_send(const char *line, size_t n)
{
    static const char *const framing[] = {"content-length", "transfer-encoding", "connection", "expect"};
    for (size_t i = 0; i < COUNT(framing); i++)
        if (n >= strlen(framing[i]) && strncasecmp(line, framing[i], strlen(framing[i])) == 0)
            return false;
    return n && *line != ' ' && *line != '\t' && memchr(line, ':', n);
}

static void ask(World *p, const char *item, size_t n)
{
    AUTO(str_done) Str request = STR_INIT;
    const char *stop = item + n, *line = item;
    bool typed = false;
    for (size_t i = 0; line < stop; i++) {
        const char *lf = memchr(line, '\n', (size_t)(stop - line));
        size_t some = (size_t)((lf ? lf : stop) - line);
        if (i && !some) {
            line += lf != NULL;
            break;
        }
        if (memchr(line, '\r', some))
            return;
        if (!i) {
            str_add(&request, line, some);
            str_adds(&request, " HTTP/1.1\r\nHost: localhost\r\n");
        } else if (may_send(line, some)) {
            typed = typed || strncasecmp(line, "content-type", 12) == 0;
            str_add(&request, line, some);
            str_adds(&request, "\r\n");
        }
        line += some + (lf != NULL);
    }
    str_addf(&request, "%sConnection: close\r\nContent-Length: %zu\r\n\r\n",
             typed ? "" : "Content-Type: application/json\r\n", (size_t)(stop - line));
    str_add(&request, line, (size_t)(stop - line));
    fuzz_ask(p->a.base, &(FuzzAsk){.path = p->socket,
                                   .bytes = request.p,
                                   .n = request.len,
                                   .patience_ms = PATIENCE_MS,
                                   .least = '2',
                                   .is_kept = is_kept,
                                   .arg = p,
                                   .secret = SECRET});
}

/* A run's order, where it has been found that the server may be paused. */
static void accept_run(Agent *a, const char *item, size_t n)
{
    Err err;
    RunSpec spec = {0};
    AUTOJSON json_t *j = NULL;
    const char *body = memchr(item, '\n', n);
    if (!body || !json_parse(body, n - (size_t)(body - item), &j, &err) ||
        !wire_read(run_spec_fields, j, &spec, &err) || !run_check(a, &spec, &err)) {
        wire_free(run_spec_fields, &spec);
        return;
    }
    Input *in = queue_input(IN_ACCEPT, spec.run);
    in->spec = NEW(RunSpec);
    *in->spec = spec;
    queue_post(a, in);
    settle(a);
}

static void happen(World *p, const char *item, size_t n)
{
    AUTOFREE char *line = xstrndup(item, n < 100 ? n : 100);
    line[strcspn(line, "\n")] = '\0';
    if (str_eq(line, "tick")) {
        agent_tick(&p->a);
        settle(&p->a);
    } else if (str_eq(line, "restart")) {
        end(p);
        begin(p);
    } else if (str_eq(line, "silence")) {
        MUST(listen(p->server, SOMAXCONN) == 0);
        p->silent = true;
    } else if (str_starts(line, "reading")) {
        read_server(&p->a, line);
    } else if (str_starts(line, "op ")) {
        operate(&p->a, line);
    } else if (str_starts(line, "accept")) {
        accept_run(&p->a, item, n);
    } else {
        ask(p, item, n);
    }
}

static void agent(const char *bytes, size_t n)
{
    World w;
    size_t items = 0;
    if (n > MOST_BYTES)
        return;
    log_setup("fuzz", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    make_world(&w);
    begin(&w);
    for (const char *at = bytes, *stop = bytes + n; at < stop && items < MOST_ITEMS; items++) {
        const char *next = memmem(at, (size_t)(stop - at), "\n==\n", 4);
        happen(&w, at, (size_t)((next ? next : stop) - at));
        at = next ? next + 4 : stop;
    }
    end(&w);
    end_world(&w);
}

/* A run's order, with its number and what else it says. */
#define RUN(id, more) "{\"run\":\"" id "\",\"cluster_name\":\"c\",\"term\":1,\"attempt\":1" more "}"
#define THEN "\n==\n"

static const char *const agent_examples[] = {
    "GET /v1/state" THEN "GET /v1/state?after=-1&wait_ms=0&events_after=0" THEN
    "GET /healthz?role=replica&max_lag_s=5" THEN "GET /metrics" THEN "GET /v1/runs" THEN
    "GET /v1/preflight?job=a",
    "reading replica" THEN "POST /v1/poll\nX-Siding-Owner: "
    "o1\n\n{\"term\":1,\"after\":0,\"wait_ms\":0,\"events_after\":0,\"role\":\"replica\","
    "\"primary\":\"0-1-9\",\"acknowledger\":\"sole\",\"written\":{\"file\":\"bin.000001\",\"pos\":400}}" THEN
    "tick" THEN "GET /healthz?role=replica",
    "reading primary" THEN "POST /v1/role\nX-Siding-Owner: o1\n\n{\"role\":\"primary\",\"term\":2}" THEN
    "restart" THEN "reading primary open" THEN
    "POST /v1/open\n\n{\"term\":2,\"by\":\"x\",\"reason\":\"y\"}" THEN "tick" THEN
    "POST /v1/term\n\n{\"cluster_name\":\"c\",\"term\":9}",
    "reading replica" THEN "POST "
    "/v1/pause\n\n{\"for_s\":60,\"reason\":\"x\",\"by\":\"y\",\"hold\":true,\"allow\":[\"delayed\"]}" THEN
    "reading replica" THEN "tick" THEN "restart" THEN "reading replica stopped" THEN "tick" THEN
    "POST /v1/resume\n\n{\"reason\":\"x\"}" THEN "tick",
    "reading primary" THEN
    "POST /v1/runs\n\n" RUN("12.1", ",\"kind\":\"command\",\"job\":\"b\",\"on\":\"primary\"") THEN
    "tick" THEN "GET /v1/runs/12.1" THEN
    "POST /v1/runs/12.1/request\n\n{\"action\":\"kill\",\"by\":\"x\"}" THEN "tick" THEN
    "GET /v1/runs/12.1/log?stream=err&offset=0&tail=9" THEN "GET /v1/logs/12?stream=log&most=100" THEN
    "DELETE /v1/runs/12.1?term=1" THEN "GET /v1/runs/12.1/log",
    "reading replica" THEN RUN(
        "13.1-abcdefghij",
        ",\"kind\":\"dump\",\"job\":\"dump\",\"on\":\"replica\",\"barrier\":true,\"shards\":2,\"shard\":0,"
        "\"options\":{\"databases\":[\"a\"]},\"after_gtid\":\"0-1-9\",\"claimed_at\":\"2026-05-01T22:30:"
        "00Z\"") THEN
    "POST /v1/runs/13.1/align\n\n{\"gtid\":\"0-1-9\",\"source_file\":\"bin.000001\",\"source_pos\":4}" THEN
    "POST /v1/runs/13.1/go\n\n{}" THEN "POST /v1/runs/13.1/split\n\n{\"op\":\"next\",\"shard\":1}" THEN
    "POST /v1/runs/13.1/gather\n\n{\"sources\":[{\"run\":\"13.1\",\"node\":\"db0\",\"shard\":1}]}",
    "reading primary" THEN RUN(
        "14.1",
        ",\"kind\":\"upload\",\"job\":\"a\",\"source\":{\"run\":\"12.1\",\"node\":\"db0\"},\"start_by\":"
        "{\"boot_id\":\"x\",\"mono_ms\":5}") THEN "tick" THEN "restart" THEN "tick" THEN "GET /v1/runs/14.1",
    "GET /v1/results" THEN "GET /v1/results?brief=1" THEN "GET /v1/results/7.1/manifest.json" THEN
    "GET /v1/results/7.1/a.tsv\nRange: bytes=1-2" THEN "GET /v1/results/7.1/..%2fsecret" THEN
    "GET /v1/results/7.1/b%2f..%2fa.tsv" THEN
    "POST /v1/results/8.1/copy\n\n{\"node\":\"db0\",\"to\":\"/nonexistent\"}" THEN
    "DELETE /v1/results/7.1?part=1" THEN "GET /v1/results",
    "reading primary" THEN "POST /v1/purge-hold\n\n{\"owner\":\"o\",\"keep_s\":60,\"for_s\":60}" THEN
    "tick" THEN "restart" THEN "DELETE /v1/purge-hold/o?term=1",
    "reading replica" THEN
    "POST /v1/order\n\n{\"kind\":\"promise\",\"ballot\":{\"term\":3,\"owner\":\"0123456789abcdef\"}}" THEN
    "restart" THEN "POST "
    "/v1/"
    "order\n\n{\"kind\":\"accept\",\"ballot\":{\"term\":3,\"owner\":\"0123456789abcdef\"},"
    "\"decision\":{\"ballot\":"
    "{\"term\":3,\"owner\":\"0123456789abcdef\"},\"version\":1,\"primary\":\"db0\",\"held_by\":\"db1\","
    "\"members\":[\"db1\"],"
    "\"acks\":1}}" THEN "POST "
    "/v1/order\n\n{\"kind\":\"fence\",\"ballot\":{\"term\":4,\"owner\":\"0123456789abcdef\"},\"kill\":true}",
    "POST "
    "/v1/"
    "fill\n\n{\"term\":1,\"id\":\"f1\",\"gtid\":\"0-1-9\",\"donor\":{\"node\":\"db0\",\"host\":\"h\","
    "\"port\":3306},"
    "\"source\":{\"node\":\"db0\",\"host\":\"h\",\"port\":3306},\"replaces\":true,\"by\":\"x\"}" THEN
    "tick" THEN "restart" THEN "tick",
    "reading replica behind failed" THEN "tick" THEN "reading hangs" THEN "reading down" THEN
    "reading replica another mysql" THEN "tick" THEN "reading replica full" THEN "GET /v1/preflight",
    "POST /v1/poll\n\n{\"term\":1,\"after\":true}" THEN "POST /v1/order\n\n{\"kind\":7}" THEN
    "POST /v1/fill\n\n{\"id\":7}" THEN "reading replica" THEN "accept\n" RUN(
        "16.1", ",\"kind\":\"command\",\"job\":\"a\",\"on\":\"replica\",\"barrier\":true,\"shards\":2") THEN
    "op survey" THEN "op stop stopped" THEN "reading replica stopped" THEN "GET /v1/runs/16.1" THEN
    "POST /v1/runs/16.1/align\n\n{\"gtid\":\"0-1-9\",\"source_file\":\"bin.000001\",\"source_pos\":400}" THEN
    "op align stopped" THEN "POST /v1/runs/16.1/split\n\n{\"shard\":1,\"ask\":\"next\"}" THEN
    "POST /v1/runs/16.1/go\n\n{}" THEN "tick" THEN "restart" THEN "reading replica stopped" THEN
    "op verify stopped",
    "silence" THEN "reading replica" THEN
    "accept\n" RUN("17.1", ",\"kind\":\"command\",\"job\":\"a\",\"on\":\"replica\"") THEN
    "op survey" THEN "op stop stopped" THEN "tick" THEN "op start" THEN "reading replica" THEN "tick" THEN
    "op restore" THEN "GET /v1/state" THEN "DELETE /v1/runs/17.1",
    "POST /v1/poll\n\n{\"term\":1,\"after\":\"x\"}" THEN
    "accept\n" RUN("15.1", ",\"kind\":\"command\",\"job\":\"a\",\"on\":\"replica\"") THEN
    "POST /v1/runs/15.1/align\n\n{\"gtid\":[]}" THEN
    "POST /v1/runs/15.1/gather\n\n{\"sources\":[{\"run\":7}]}" THEN "POST /v1/runs\n\n{\"run\":7}" THEN
    "POST /v1/runs/15.1/split\n\n[]",
    NULL};

const FuzzTarget fuzz_agent[] = {{"agent", agent, agent_examples, NULL, .slow = 5}, {0}};
