/* SPDX-License-Identifier: Apache-2.0
 * The program siding, run as a process against a few scripted answers: what it sends, prints and exits with.
 * Integration tests run it against the real sidingd.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/file/sha256.h"
#include "common/net/http.h"
#include "loop.h"

extern char **environ;

typedef struct Fixture {
    struct event_base *base;
    HttpServer *server;
    char dir[40], config[80], program[300];
    json_t *got; /* body of the last POST */
    char *got_path;
    int asked;        /* times the task was looked at */
    int listed;       /* times a list of tasks was asked for */
    int most;         /* lists that still hold one */
    int manifests[2]; /* times one was read from the agent, and through the coordinator */
} Fixture;

static Fixture f;

/* ---- scripted answers ------------------------------------------------------------------------------------
 */

static void keep(HttpRequest *req, const char *path)
{
    json_t *body;
    Err err;
    json_decref(f.got);
    f.got = http_body(req, &body, &err) ? json_incref(body) : NULL;
    free(f.got_path);
    f.got_path = xstrdup(path);
}

static json_t *task(const char *state)
{
    return json_pack("{s:i,s:s,s:s,s:s,s:s,s:n,s:[{s:s,s:s,s:[s]}]}", "id", 12, "name", "catalogue", "kind",
                     "index", "state", state, "submitted_at", "2026-11-23T20:30:00Z", "run_at", "runs", "id",
                     "12.1", "state", strcmp(state, "done") == 0 ? "done" : "running", "nodes", "db1");
}

static void on_submit(HttpRequest *req, void *context)
{
    Err err;
    (void)context;
    keep(req, "submit");
    if (str_eq(json_str(f.got, "job"), "nosuch")) {
        err_set(&err, ERR_NOT_FOUND, 0, "no agent has a job \"nosuch\"");
        http_reply_error(req, &err);
    } else {
        http_reply_json(req, 201, task("waiting"));
    }
}

static void on_task(HttpRequest *req, void *context)
{
    (void)context;
    const char *id = http_param(req, "id");
    bool fails = str_eq(id, "13");
    json_t *t = task(f.asked++ < 2 ? "running" : fails ? "error" : "done");
    if (fails)
        json_set_str(t, "error", "the disk is full");
    http_reply_json(req, 200, t);
}

static void on_tasks(HttpRequest *req, void *context)
{
    (void)context;
    keep(req, http_query(req, "state") ? http_query(req, "state") : "all");
    bool some = f.listed++ < f.most;
    http_reply_json(req, 200, some ? json_pack("[o]", task("running")) : json_array());
}

static void on_queue(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_json(
        req, 200,
        json_pack("{s:s, s:[], s:i, s:[]}", "mode", "automatic", "brakes", "errors", 0, "failures"));
}

static void on_quiet(HttpRequest *req, void *context)
{
    keep(req, "quiet");
    on_queue(req, context);
}

static void on_request(HttpRequest *req, void *context)
{
    (void)context;
    keep(req, http_param(req, "id"));
    http_reply_json(req, 200, task("stopping"));
}

/* Of run 2 all but the last four bytes has been rotated away. */
static void reply_rotated(HttpRequest *req, int64_t offset)
{
    const char *text = offset == 0 ? "end\n" : offset < 10 ? "again\n" : "";
    http_reply_header(req, "X-Siding-Next", "100");
    http_reply_text(req, 200, "text/plain", text, strlen(text));
}

static void on_log(HttpRequest *req, void *context)
{
    Err err;
    int64_t offset;
    static const char text[] = "first line\nsecond line\n";
    (void)context;
    if (!http_query_int(req, "offset", 0, 1000, 0, &offset, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (str_eq(http_query(req, "run"), "2")) {
        reply_rotated(req, offset);
        return;
    }
    size_t n = strlen(text) - (size_t)offset, most = http_query(req, "whole") ? strlen(text) : 12;
    http_reply_text(req, 200, "text/plain", text + offset, n < most ? n : most);
}

static void on_tasklets(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_json(
        req, 200,
        json_pack(
            "{s:[{s:s, s:s, s:s, s:[{s:s, s:s}, {s:s, s:s, s:s, s:s}], s:[s, s]}], s:[{s:s, s:s, s:s}]}",
            "tasklets", "name", "bst_foo", "on", "primary", "text", "Does it.", "params", "name", "to",
            "type", "text", "name", "n", "type", "int", "fallback", "2", "text", "How often.", "nodes", "db0",
            "db1", "broken", "name", "bst_old.py", "node", "db1", "error", "line 3: nonsense"));
}

static void on_tasklet(HttpRequest *req, void *context)
{
    Err err;
    (void)context;
    if (str_eq(http_param(req, "name"), "bst_foo")) {
        http_reply_json(req, 200, json_object());
        return;
    }
    err_set(&err, ERR_NOT_FOUND, 0, "no agent knows it");
    http_reply_error(req, &err);
}

static void on_pause(HttpRequest *req, void *context)
{
    (void)context;
    keep(req, http_param(req, "name"));
    http_reply_json(req, 200, json_pack("{s:s,s:s}", "gtid", "0-1-270", "phase", "frozen"));
}

static void on_check(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_json(req, 200,
                    json_pack("[{s:s,s:s,s:s,s:s,s:s}]", "node", "db1", "name", "skip_slave_start", "level",
                              "error", "text", "is OFF", "mend", "write skip_slave_start into my.cnf"));
}

static void on_result(HttpRequest *req, void *context)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/result", f.dir);
    AUTOFREE char *manifest = xasprintf("%s/manifest.json", path);
    json_t *m = NULL;
    (void)context;
    assert_ok(json_read_file(manifest, &m, &err), err);
    const char *node = http_query(req, "node");
    bool far = str_eq(node, "far"), off = str_eq(node, "off");
    AUTOFREE char *url = xasprintf("unix:%s/%s", f.dir, off ? "nobody" : "s");
    http_reply_json(req, 200,
                    json_pack("{s:s,s:s,s:s,s:s,s:o}", "run", "12.1", "node", "db1", "url", url, "path",
                              far || off ? "/nonexistent" : path, "manifest", m));
}

static void on_result_file(HttpRequest *req, void *context)
{
    (void)context;
    if (str_eq(http_param(req, "file"), "manifest.json"))
        f.manifests[http_query(req, "node") != NULL]++;
    AUTOFREE char *path = xasprintf("%s/result/%s", f.dir, http_param(req, "file"));
    http_reply_file(req, open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
                    "application/octet-stream", NULL);
}

static const HttpRoute routes[] = {
    {"POST", "/v1/tasks", ROLE_HEALTH, on_submit},
    {"GET", "/v1/tasks", ROLE_HEALTH, on_tasks, .query = "state,limit,before"},
    {"GET", "/v1/queue", ROLE_HEALTH, on_queue},
    {"POST", "/v1/queue/quiet", ROLE_HEALTH, on_quiet},
    {"GET", "/v1/tasks/{id}", ROLE_HEALTH, on_task},
    {"GET", "/v1/tasks/{id}/log", ROLE_HEALTH, on_log, .query = "stream,offset,run,node,whole"},
    {"GET", "/v1/tasklets", ROLE_HEALTH, on_tasklets},
    {"GET", "/v1/tasklets/{name}", ROLE_HEALTH, on_tasklet},
    {"POST", "/v1/tasks/{id}/request", ROLE_HEALTH, on_request},
    {"POST", "/v1/nodes/{name}/pause", ROLE_HEALTH, on_pause},
    {"GET", "/v1/check", ROLE_HEALTH, on_check},
    {"GET", "/v1/results/{run}", ROLE_HEALTH, on_result, .query = "node"},
    {"GET", "/v1/results/{run}/{file...}", ROLE_HEALTH, on_result_file, .query = "node"},
    {0},
};

/* ---- running siding
 * ---------------------------------------------------------------------------------------- */

typedef struct Ran {
    const char *line;
    int status;
    Str out, err;
} Ran;

static void run_aside(void *arg)
{
    Ran *r = arg;
    Err ignored;
    pid_t pid;
    int status = -1;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    AUTOFREE char *out = xasprintf("%s/out", f.dir);
    AUTOFREE char *err = xasprintf("%s/err", f.dir);
    posix_spawn_file_actions_t files;
    strlist_add(&words, "siding");
    strlist_split(&words, r->line, ' ');
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (posix_spawn(&pid, f.program, &files, NULL, words.v, environ) == 0)
        waitpid(pid, &status, 0);
    r->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    posix_spawn_file_actions_destroy(&files);
    if (!fs_read(out, 1 << 20, &r->out, &ignored) || !fs_read(err, 1 << 20, &r->err, &ignored))
        r->status = -2;
}

/* Exit status, the whole of stdout (NULL: anything) and a part of stderr. */
static void expect(const char *line, int status, const char *out, const char *err)
{
    Ran r = {.line = line};
    with_loop(f.base, run_aside, &r);
    if (r.status != status || (out && strcmp(str_z(&r.out), out) != 0) || !strstr(str_z(&r.err), err))
        fail_msg("siding %s: status %d, stdout \"%s\", stderr \"%s\"", line, r.status, str_z(&r.out),
                 str_z(&r.err));
    str_done(&r.out);
    str_done(&r.err);
}

static void expect_sent(const char *want)
{
    AUTOFREE char *got = json_dumps(f.got, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(got, want);
}

static void submits(void **state)
{
    (void)state;
    expect("submit dump --database a --database b -P 5", 0, "12\n", "");
    expect_sent(
        "{\"job\":\"dump\",\"kind\":\"dump\",\"options\":{\"databases\":[\"a\",\"b\"]},\"priority\":5,"
        "\"user\":\"ann\"}");
    expect("submit index --job catalogue -N night -I 7 -L 22:00-03:00 -s 1d --fixed-time", 0, "12\n", "");
    expect_sent(
        "{\"fixed_time\":true,\"job\":\"catalogue\",\"kind\":\"index\",\"name\":\"night\",\"sequence_id\":7,"
        "\"sleeptime_ms\":86400000,\"user\":\"ann\",\"window\":\"22:00-03:00\"}");
    expect("submit command --on primary row-counts -- --fast x", 0, "12\n", "");
    expect_sent("{\"args\":[\"--fast\",\"x\"],\"job\":\"row-counts\",\"kind\":\"command\",\"on\":\"primary\","
                "\"user\":\"ann\"}");
    expect("submit catalogue --replicas 2 -u bob -t 2002-10-27T13:57:26Z", 0, "12\n", "");
    expect_sent(
        "{\"job\":\"catalogue\",\"replicas\":2,\"run_at\":\"2002-10-27T13:57:26.000Z\",\"user\":\"bob\"}");
    expect("submit tidy --cron @daily --zone Europe/Zurich --missed skip --not-on Sat --not-on 12-25 "
           "--jitter 5m",
           0, "12\n", "");
    expect_sent(
        "{\"job\":\"tidy\",\"plan\":{\"cron\":\"@daily\",\"jitter_ms\":300000,\"missed\":\"skip\",\"not_on\":"
        "[\"Sat\",\"12-25\"],\"zone\":\"Europe/Zurich\"},\"user\":\"ann\"}");
    expect("submit tidy --retry 3 --backoff 30s..1h --run-timeout 2h --orphan hold --after 4 --after 5 "
           "--finish-by 6h",
           0, "12\n", "");
    expect_sent(
        "{\"job\":\"tidy\",\"max_attempts\":4,\"plan\":{\"after\":[\"4\",\"5\"],\"backoff_most_ms\":3600000,"
        "\"backoff_ms\":30000,\"finish_by_ms\":21600000,\"orphan\":\"hold\",\"run_timeout_ms\":7200000},"
        "\"user\":\"ann\"}");
    expect("submit tidy --unique n --unique-for 1d --unique-existing --key k -v 9 --profile calls,time", 0,
           "12\n", "");
    expect_sent(
        "{\"job\":\"tidy\",\"key\":\"k\",\"options\":{\"profile\":\"calls,time\",\"verbose\":9},\"plan\":"
        "{\"unique_for_ms\":86400000},\"unique\":\"n\",\"unique_existing\":true,\"user\":\"ann\"}");
    expect("submit tasklet -T bst_foo -a to=x -a n=3", 0, "12\n", "");
    expect_sent("{\"args\":[\"to=x\",\"n=3\"],\"job\":\"bst_foo\",\"kind\":\"command\",\"user\":\"ann\"}");
    expect("submit tidy --post-process bst_foo[to='a',n=3] --email-logs-to a@b,c --email-logs-to d "
           "--email-logs-on-error",
           0, "12\n", "");
    expect_sent(
        "{\"job\":\"tidy\",\"plan\":{\"email_logs_on_error\":true,\"email_logs_to\":[\"a@b\",\"c\",\"d\"],"
        "\"post_args\":[\"to=a\",\"n=3\"],\"post_process\":\"bst_foo\"},\"user\":\"ann\"}");
    expect("--json submit catalogue", 0, NULL, "");
}

static void tasklets(void **state)
{
    (void)state;
    const char *list = "bst_foo(to, n=2)\n    Does it.\n    On the primary; known on db0, db1.\n"
                       "    to  text\n    n   int   How often.\n\n"
                       "Broken tasklets:\n    bst_old.py on db1: line 3: nonsense\n";
    expect("tasklet list", 0, list, "");
    expect("submit tasklet -l", 0, list, "");
    expect("submit tasklet -T bst_fo", 1, "", "no agent knows it");
}

static void wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *line, *err;
    } rows[] = {
        {"", "Usage: siding [--config FILE]"},
        {"", "no command; on a terminal that opens the monitor"},
        {"strat", "unknown command \"strat\"; did you mean \"start\"?"},
        {"start now", "siding start does not take \"now\""},
        {"stop --within soon", "option --within: \"soon\" is not a duration"},
        {"halt --finish", "unknown option --finish"},
        {"status -s WAITNG", "option --status: field \"state\" is \"waitng\" (did you mean \"waiting\"?)"},
        {"status -s ,", "option --status names no state"},
        {"status -S long", "option --since: \"long\" is not a duration"},
        {"taks list", "unknown command \"taks\"; did you mean \"task\"?"},
        {"task lst", "unknown command \"task lst\"; did you mean \"task list\"?"},
        {"task", "siding task needs a verb: list, show"},
        {"frobnicate", "unknown command \"frobnicate\"; there are: submit, task"},
        {"submit", "siding submit needs JOB"},
        {"submit dump", "submit dump needs --database D"},
        {"submit dump a", "name databases by --database D"},
        {"submit index catalogue", "write submit index --job catalogue"},
        {"submit command x", "needs --on replica or --on primary"},
        {"submit command --on moon x", "\"moon\" is neither replica nor primary"},
        {"submit catalogue --on replica", "option --on goes with submit command only"},
        {"submit a -T bst_foo", "option --tasklet goes with submit tasklet only"},
        {"submit tasklet", "submit tasklet needs -T NAME"},
        {"submit tasklet bst_foo", "write submit tasklet -T bst_foo"},
        {"submit tasklet -T bst_foo -- x", "takes -a KEY=VALUE, no words behind"},
        {"submit a --post-process bst_foo[n", "option --post-process: \"bst_foo[n\" has no closing bracket"},
        {"submit a b", "takes one job, not also \"b\""},
        {"submit a -t soonish", "option --runtime: \"soonish\" is not a time"},
        {"submit a -s never", "option --sleeptime: \"never\" is not a duration"},
        {"submit a --fixed-time", "option --fixed-time goes with --sleeptime only"},
        {"submit a --zone UTC", "option --zone goes with --cron or --limit only"},
        {"submit a --stop-on-error --on-error block", "contradict each other"},
        {"submit a --missed never --cron @daily", "option --missed is \"never\""},
        {"submit a --retry 2 --attempts 3", "mean the same"},
        {"submit a --backoff 1h..1m --retry 1", "ends before it begins"},
        {"submit a --verbose loud", "no level from 0 to 9"},
        {"submit a --from x", "takes no JOB"},
        {"task stop", "either by their ids, or by --name"},
        {"task stop 4 --user ann", "either by their ids, or by --name"},
        {"task set 4", "needs something to set"},
        {"queue purge -s running", "are not purged"},
        {"queue purge -S long", "\"long\" is not a duration"},
        {"submit a --priorty 5", "unknown option --priorty; did you mean --priority?"},
        {"submit a -P high", "option --priority: \"high\" is not a whole number"},
        {"submit a --replicas 0", "neither a number from 1 on nor \"all\""},
        {"task show", "siding task show needs ID"},
        {"task show x", "\"x\" is not the ID of a task"},
        {"task show 12.1", "\"12.1\" is not the ID of a task"},
        {"task log 12.x", "is not the ID of a run"},
        {"task show 1 2", "does not take \"2\""},
        {"replica pause db1", "needs --for D and --reason TEXT"},
        {"replica pause db1 --for soon --reason x", "\"soon\" is not a duration"},
        {"cluster status now", "does not take \"now\""},
        {"result path ..", "\"..\" is not the ID of a run"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(rows[i].line, 2, "", rows[i].err);
}

static void failures(void **state)
{
    (void)state;
    expect("submit nosuch", 1, "", "siding: no agent has a job \"nosuch\"\n");
    expect("task why 5", 1, "", "no such path");
    expect("--config /nonexistent task list", 1, "", "cannot read configuration file /nonexistent");
}

static void waits(void **state)
{
    (void)state;
    f.asked = 0;
    expect("submit catalogue --wait", 0, "12\n", "task 12 running, run 12.1 running\ntask 12 done");
    f.asked = -1000;
    expect("submit catalogue --wait --timeout 1s", 1, "", "has not ended in time; it goes on");
}

static void requests(void **state)
{
    (void)state;
    expect("task stop 12", 0, "", "task 12: stop asked for, state stopping");
    assert_string_equal(f.got_path, "12");
    expect_sent("{\"action\":\"stop\",\"by\":\"ann\"}");
    expect("task delete 3 4", 0, "", "task 4: delete asked for");
    expect("replica pause db1 --for 5m --reason look --hold", 0, "0-1-270\n", "");
    expect_sent("{\"by\":\"ann\",\"for_s\":300,\"hold\":true,\"reason\":\"look\"}");
}

static void lists_and_logs(void **state)
{
    (void)state;
    expect("task list -s running -s waiting", 0,
           "ID  NAME       KIND   PRI  USER  RUNTIME              STATE    REMARK\n"
           "12  catalogue  index    0  -     2026-11-23 20:30:00  running\n",
           "");
    assert_string_equal(f.got_path, "running,waiting");
    expect("task log 12", 0, "first line\nsecond line\n", "");
    f.asked = 0;
    expect("task err 12.1 --follow", 0, "first line\nsecond line\n", "");
    f.asked = 0;
    expect("task log 12.2", 0, "end\n", "");
}

/* BibSched's words, in any case; each state once. The task's time is long past. */
static void reports(void **state)
{
    static const char row[] = "ID  NAME       KIND   PRI  USER  RUNTIME              STATE    REMARK\n"
                              "12  catalogue  index    0  -     2026-11-23 20:30:00  running\n";
    static const struct {
        const char *line;
        bool shown;
        const char *last;
    } rows[] = {
        {"status -s Running,CONTINUING", true, "running"},
        {"status -S 900000h", true, "waiting"},
        {"status -S -900000h -t catalogue,x", true, "waiting"},
        {"status -S 1m -s running", false, "running"},
        {"status --tasks cat -s running", false, "running"},
        {"status --task catalogue -s CERROR", true, "error"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Ran ran = {.line = rows[i].line};
        with_loop(f.base, run_aside, &ran);
        const char *out = str_z(&ran.out);
        if (ran.status || !strstr(out, " automatic mode\n") || !!strstr(out, row) != rows[i].shown ||
            !strstr(out, rows[i].shown ? " tasks: 1\n" : " tasks: 0\n"))
            fail_msg("siding %s: status %d, stdout \"%s\", stderr \"%s\"", rows[i].line, ran.status, out,
                     str_z(&ran.err));
        assert_string_equal(f.got_path, rows[i].last);
        str_done(&ran.out);
        str_done(&ran.err);
    }
    expect("--json status -s running -t nosuch", 0, "[]\n", "");
}

/* A systemctl whose unit runs the test's coordinator; it writes down what it is asked. */
static void write_systemctl(const char *config)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/systemctl", f.dir);
    AUTOFREE char *text = xasprintf("#!/bin/sh\n[ \"$1\" = show ] || { echo \"$*\" >> %s/asked; exit 0; }\n"
                                    "echo 'ExecStart={ path=/x/sidingd ; argv[]=/x/sidingd --config %s ; }'\n"
                                    "echo LoadState=loaded\n",
                                    f.dir, config);
    assert_ok(fs_replace(path, text, strlen(text), 0700, &err), err);
}

static void expect_asked(const char *want)
{
    Err err;
    AUTO(str_done) Str got = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/asked", f.dir);
    if (!fs_read(path, 1000, &got, &err))
        assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_string_equal(str_z(&got), want);
    assert_ok(fs_remove(path, &err), err);
}

static void coordinator_of_a_unit(void **state)
{
    AUTOFREE char *path = xasprintf("%s:/usr/bin:/bin", f.dir);
    AUTOFREE char *before = xstrdup(getenv("PATH"));
    (void)state;
    setenv("PATH", path, 1);
    write_systemctl(f.config);
    expect("start", 0, "", "sidingd.service runs\n");
    expect_asked("start sidingd.service\n");
    expect("restart", 0, "", "sidingd.service runs anew\n");
    expect("--json halt", 0, "{\n  \"sidingd\": \"sidingd.service has ended\"\n}\n", "");
    expect_asked("restart sidingd.service\nstop sidingd.service\n");
    f.listed = 0;
    f.most = 1;
    expect("stop", 0, "", "task 12 \"catalogue\": stop asked for\nsidingd.service has ended\n");
    expect_asked("stop sidingd.service\n");
    f.listed = 0;
    f.most = 2;
    expect("stop --finish", 0, "", "sidingd.service has ended\n");
    expect_asked("stop sidingd.service\n");
    f.most = 1000;
    expect("stop --within 1s --finish", 1, "", "not ended in time: tasks 12. The coordinator goes on");
    expect_sent("{\"by\":\"ann\"}");
    expect_asked("");
    /* A unit with another file is another coordinator's. */
    write_systemctl("/etc/siding/sidingd.conf");
    expect("halt", 0, "", "sidingd did not run\n");
    expect_asked("");
    setenv("PATH", before, 1);
}

static void checks(void **state)
{
    (void)state;
    expect("replica check", 1,
           "error    db1: skip_slave_start: is OFF\n"
           "         mend: write skip_slave_start into my.cnf\n"
           "1 check: 1 error, 0 warnings, 0 ok\n",
           "");
    expect("check", 1, NULL, "");
    expect("--config /nonexistent check", 1, NULL, "");
}

static void write_result(const char *name, const char *text, const char *sum_of)
{
    Err err;
    char sum[65];
    AUTOFREE char *path = xasprintf("%s/result/%s", f.dir, name);
    AUTOFREE char *sums = xasprintf("%s/result/SHA256SUMS", f.dir);
    AUTOFREE char *manifest = xasprintf("%s/result/manifest.json", f.dir);
    assert_ok(fs_replace(path, sum_of, strlen(sum_of), 0600, &err), err);
    assert_ok(sha256_file(path, sum, &err), err);
    AUTOFREE char *line = xasprintf("%s  %s\n", sum, name);
    AUTOJSON json_t *m = json_pack("{s:s,s:s,s:[{s:s,s:i,s:s}]}", "run", "12.1", "gtid", "0-1-7", "files",
                                   "name", name, "compressed_bytes", 5, "sha256", sum);
    assert_ok(fs_replace(sums, line, strlen(line), 0600, &err), err);
    assert_ok(json_replace_file(manifest, m, 0600, &err), err);
    assert_ok(fs_replace(path, text, strlen(text), 0600, &err), err);
}

static void verifies(void **state)
{
    (void)state;
    AUTOFREE char *path = xasprintf("%s/result\n", f.dir);
    write_result("sub/c%d.gz", "good", "good");
    expect("result path 12", 0, path, "");
    expect("result verify 12 --node db1", 0, "sub/c%d.gz: OK\n", "");
    expect("result verify 12 --node far", 0, "sub/c%d.gz: OK\n", "");
    write_result("sub/c%d.gz", "bad!", "good");
    expect("result verify 12 --node db1", 1, NULL, "the result of run 12.1 is damaged");
    expect("result verify 12 --node far", 1, NULL, "the result of run 12.1 is damaged");
}

/* The manifest is read once: that is also what shows whether the agent takes us. */
static void fetches(void **state)
{
    (void)state;
    static const struct {
        const char *node;
        int of_agent, of_coordinator;
    } rows[] = {{"far", 1, 0}, {"off", 0, 1}};
    write_result("sub/c%d.gz", "good!", "good!");
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *to = xasprintf("%s/to-%s", f.dir, rows[i].node);
        AUTOFREE char *line = xasprintf("result fetch 12 --node %s --to %s", rows[i].node, to);
        AUTOFREE char *said = xasprintf("%s/12.1\n", to);
        AUTOFREE char *manifest = xasprintf("%s/12.1/manifest.json", to);
        memset(f.manifests, 0, sizeof f.manifests);
        expect(line, 0, said, "");
        assert_int_equal(f.manifests[0], rows[i].of_agent);
        assert_int_equal(f.manifests[1], rows[i].of_coordinator);
        assert_true(fs_size(manifest) > 0);
    }
    AUTOFREE char *here = xasprintf("%s/result\n", f.dir);
    memset(f.manifests, 0, sizeof f.manifests);
    expect("result fetch 12 --node db1", 0, here, "");
    assert_int_equal(f.manifests[0] + f.manifests[1], 0);
}

static int set_up(void **state)
{
    Err err;
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    AUTOFREE char *here = fs_program_dir();
    (void)state;
    strcpy(f.dir, "/tmp/siding-cli-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.config, sizeof f.config, "%s/sidingd.conf", f.dir);
    snprintf(f.program, sizeof f.program, "%s/../../siding", here);
    AUTOFREE char *result = xasprintf("%s/result/sub", f.dir);
    AUTOFREE char *text =
        xasprintf("cluster_name = \"test\"; state_dir = \"%s\"; listen = [ \"unix:%s/s\" ];\n"
                  "database_defaults_file = \"%s/coordinator.cnf\";\n"
                  "agents = ( { name = \"db1\"; url = \"http://127.0.0.1:1\"; } );\n",
                  f.dir, f.dir, f.dir);
    assert_ok(fs_replace(f.config, text, strlen(text), 0600, &err), err);
    assert_ok(fs_mkdirs(result, 0700, &err), err);
    setenv("SIDING_CONFIG", f.config, 1);
    setenv("SUDO_USER", "ann", 1);
    setenv("TZ", "UTC", 1);
    f.most = 1000;
    f.base = event_base_new();
    strlist_addf(&l, "unix:%s/s", f.dir);
    assert_ok(http_serve(f.base, &(HttpService){.listen = &l, .routes = routes}, &f.server, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    Err err;
    (void)state;
    http_server_free(f.server);
    event_base_free(f.base);
    json_decref(f.got);
    free(f.got_path);
    assert_ok(fs_remove_tree(f.dir, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submits),  cmocka_unit_test(wrong_usage), cmocka_unit_test(failures),
        cmocka_unit_test(waits),    cmocka_unit_test(requests),    cmocka_unit_test(lists_and_logs),
        cmocka_unit_test(tasklets), cmocka_unit_test(checks),      cmocka_unit_test(verifies),
        cmocka_unit_test(fetches),  cmocka_unit_test(reports),     cmocka_unit_test(coordinator_of_a_unit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
