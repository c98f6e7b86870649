/* SPDX-License-Identifier: Apache-2.0
 * The monitor without a terminal: keys and answers in, screens out. A screen is compared with a file of
 * tests/unit/screens/, which somebody has looked at; SIDING_SCREENS_WRITE=1 writes those that differ.
 */
#include "test.h"

#include "common/base/clock.h"
#include "common/file/json.h"
#include "orchestrator/monitor/monitor.h"

static int64_t now; /* 2026-11-28 02:10:00 UTC */

typedef struct Night {
    Monitor *m;
    int width, height;
    StrList posted; /* "POST /v1/tasks/12/request {…}" */
    Err refuse;     /* kind not none: actions are answered with it */
    bool away;
    const char *queue;     /* of the status, where this sidingd has it */
    const char *schedules; /* the same */
} Night;

/* ---- sidingd, as the tests want it --------------------------------------------------------------------- */

static const char status_text[] =
    "{'version':'0.1.0','cluster_name':'shop','term':3,'primary':'db1','now':'2026-11-28T02:10:00.000Z',"
    "'you':{'name':'ann','operator':true},'database':{'ok':true},'agents':{'configured':3,'reachable':3},"
    "'counts':{'waiting':2,'running':1,'error':1,'done':3},"
    "'warnings':['db3: the binary logs are kept for 1 day only'],'nodes':["
    "{'name':'db1','role':'primary','state':'serving','lag_trx':0,'lag_ms':0,'agent':{'server':{'up':true,"
    "'flavor':'MariaDB','version':'10.11.6','address':'10.0.0.1','port':3306,'binlog':'0-1-90210'}}},"
    "{'name':'db2','role':'replica','state':'paused','lag_trx':4210,'lag_ms':720000,'agent':{'server':{'up':"
    "true,"
    "'flavor':'MariaDB','version':'10.11.6','address':'10.0.0.2','port':3306,'applied':'0-1-86000','is_"
    "replica':true},"
    "'lease':{'owner':'12.1','phase':'frozen','taken_at':'2026-11-28T01:58:00.000Z',"
    "'expires_at':'2026-11-28T03:58:00.000Z','relay_bytes':104857600,'limit_percent':10,'gtid':'0-1-86000'}}}"
    ","
    "{'name':'db3','role':'replica','state':'paused','lag_trx':120000,'lag_ms':7200000,'agent':{'server':{'"
    "up':true,"
    "'flavor':'MariaDB','version':'10.11.6','address':'10.0.0.3','port':3306,'applied':'0-1-70000','is_"
    "replica':true},"
    "'lease':{'owner':'manual','by':'bob','reason':'looking at table orders','phase':'frozen','hold':true,"
    "'taken_at':'2026-11-27T22:10:00.000Z','expires_at':'2026-11-28T00:10:00.000Z','relay_bytes':5368709120,"
    "'limit_percent':100,'gtid':'0-1-70000'},'warnings':['the binary logs are kept for 1 day "
    "only']}}],'tasks':[]}";

static const char failed_text[] =
    "[{'id':11,'kind':'dump','name':'nightly','job':'dump','state':'error','user':'cron','priority':0,"
    "'submitted_at':'2026-11-28T00:00:00.000Z','run_at':'2026-11-28T01:00:00.000Z','sleeptime_ms':86400000,"
    "'finished_at':'2026-11-28T01:20:00.000Z','error':'run 11.1 on db2: no space left for the result in "
    "/var/spool/siding: 20.1 GiB are "
    "needed, 3.4 GiB are free; make room or name another spool',"
    "'runs':[{'id':'11.1','state':'error','nodes':['db2'],'started_at':'2026-11-28T01:00:02.000Z',"
    "'frozen_at':'2026-11-28T01:00:03.000Z','resumed_at':'2026-11-28T01:20:00.000Z',"
    "'finished_at':'2026-11-28T01:20:05.000Z','gtid':'0-1-80000'}]}]";

static const char active_text[] =
    "[{'id':12,'kind':'index','name':'catalogue','job':'catalogue','state':'running','user':'ann','priority':"
    "5,"
    "'submitted_at':'2026-11-28T01:57:50.000Z','run_at':null,"
    "'runs':[{'id':'12.1','state':'running','nodes':['db2'],'started_at':'2026-11-28T01:57:59.000Z',"
    "'frozen_at':'2026-11-28T01:58:00.000Z','gtid':'0-1-86000',"
    "'progress':{'done':1216000,'total':2700000,'unit':'rows'}}]}]";

static const char waiting_text[] =
    "[{'id':14,'kind':'command','name':'report','job':'report','state':'waiting','user':'zoë','priority':-20,"
    "'submitted_at':'2026-11-28T01:59:00.000Z','run_at':'2026-11-28T05:00:00.000Z',"
    "'why':'it waits for its time, 05:00'},"
    "{'id':13,'kind':'upload','name':'upload 表の名前 of "
    "12.1','job':'catalogue','state':'waiting','user':'ann',"
    "'priority':5,'submitted_at':'2026-11-28T01:58:30.000Z','why':'upload 9 of the same table goes first and "
    "failed; "
    "acknowledge or retry it'}]";

static const char done_text[] =
    "[{'id':10,'kind':'dump','name':'nightly','job':'dump','state':'done','user':'cron',"
    "'submitted_at':'2026-11-27T00:00:00.000Z','finished_at':'2026-11-27T01:42:10.000Z','sleeptime_ms':"
    "86400000,"
    "'runs':[{'id':'10.1','state':'done','nodes':['db2','db3'],'started_at':'2026-11-27T01:00:00.000Z',"
    "'frozen_at':'2026-11-27T01:00:01.500Z','resumed_at':'2026-11-27T01:40:00.000Z',"
    "'caught_up_at':'2026-11-27T01:42:09.000Z','finished_at':'2026-11-27T01:42:10.000Z'}]},"
    "{'id':3,'kind':'index','name':'catalogue','job':'catalogue','state':'acknowledged','user':'ann','"
    "priority':5,"
    "'finished_at':'2026-10-01T09:00:00.000Z','error':'killed by the server: out of memory'},"
    "{'id':2,'kind':'index','name':'old','job':'catalogue','state':'done','user':'ann',"
    "'finished_at':'2026-10-01T08:00:00.000Z'}]";

static const char events_text[] = "[{'seq':1,'time':'2026-11-28T01:20:05.000Z','level':'error','kind':'run','"
                                  "task':11,'run':'11.1','node':'db2',"
                                  "'text':'run 11.1 failed: no space left for the result'},"
                                  "{'seq':2,'time':'2026-11-28T01:58:00.000Z','level':'info','kind':'run','"
                                  "task':12,'run':'12.1','node':'db2',"
                                  "'text':'frozen at 0-1-86000'},"
                                  "{'seq':3,'time':'2026-11-28T02:01:00.000Z','level':'info','kind':'audit','"
                                  "text':'ann (unix socket) asked to "
                                  "retry task 9: done'}]";

static json_t *parse(const char *text)
{
    Err err;
    json_t *j;
    AUTOFREE char *plain = xstrdup(text);
    for (char *p = plain; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    assert_ok(json_parse(plain, strlen(plain), &j, &err), err);
    return j;
}

static json_t *task_answer(const char *path)
{
    const char *const lists[] = {failed_text, active_text, waiting_text, done_text};
    for (size_t k = 0; k < COUNT(lists); k++) {
        AUTOJSON json_t *l = parse(lists[k]);
        for (size_t i = 0; i < json_array_size(l); i++)
            if (json_int(json_array_get(l, i), "id") == atoll(path + strlen("/v1/tasks/")))
                return json_incref(json_array_get(l, i));
    }
    return NULL;
}

static json_t *text_answer(const char *path)
{
    bool first = strstr(path, "offset=0") != NULL;
    const char *text = first ? "2026-11-28 01:00:03 dumping shop.orders\n\033[2Jnot on my screen\n"
                               "2026-11-28 01:20:00 cannot write: No space left on device\n"
                             : "";
    return json_pack("{s:s, s:I}", "text", text, "bytes", (json_int_t)strlen(text));
}

static json_t *status_answer(const Night *n)
{
    json_t *status = parse(status_text);
    if (n->queue)
        json_object_set_new(status, "queue", parse(n->queue));
    return status;
}

static json_t *answer_of(const Night *n, const char *path)
{
    if (strstr(path, "/why"))
        return json_pack("{s:I, s:s}", "task", (json_int_t)atoll(path + strlen("/v1/tasks/")), "why",
                         "run 12.1 is running on db2");
    if (strstr(path, "/log?"))
        return text_answer(path);
    if (strstr(path, "/v1/events"))
        return strstr(path, "after=") ? NULL : parse(events_text); /* a long call stays open */
    if (strstr(path, "/v1/status"))
        return status_answer(n);
    return parse(strstr(path, "running")                             ? active_text
                 : strstr(path, "stopped") && !strstr(path, "=done") ? failed_text
                 : strstr(path, "waiting")                           ? waiting_text
                 : strstr(path, "before=")                           ? "[]"
                                                                     : done_text);
}

static void answer_one(Night *n, const MonitorCall *c)
{
    Err err = {0};
    AUTOJSON json_t *body = NULL;
    if (n->away) {
        err_set(&err, ERR_UNREACHABLE, 0, "cannot reach unix:/run/siding.sock: Connection refused");
    } else if (strcmp(c->method, "POST") == 0) {
        AUTOFREE char *text = json_text(c->body);
        strlist_addf(&n->posted, "%s %s", c->path, text);
        err = n->refuse;
        body = json_object();
    } else if (strncmp(c->path, "/v1/schedules", 13) == 0 && !n->schedules) {
        err_set(&err, ERR_NOT_FOUND, 404, "there is nothing at /v1/schedules");
    } else if (strncmp(c->path, "/v1/tasks/", 10) == 0 && !strchr(c->path + 10, '/')) {
        body = task_answer(c->path);
    } else {
        body = strstr(c->path, "/v1/schedules") ? parse(n->schedules) : answer_of(n, c->path);
    }
    if (body || err.kind)
        monitor_answer(n->m, c->id, !err.kind, body, &err, now);
}

static void turn(Night *n)
{
    MonitorCall call;
    monitor_tick(n->m, now);
    while (monitor_next_call(n->m, &call, now))
        answer_one(n, &call);
}

static void pass(Night *n, int64_t ms)
{
    for (; ms > 0; ms -= 500) {
        now += 500;
        turn(n);
    }
}

static void press(Night *n, const char *keys)
{
    for (; *keys; keys++) {
        monitor_key(n->m, *keys == '\n' ? MONKEY_ENTER : *keys, now);
        turn(n);
    }
}

static void press_key(Night *n, int key)
{
    monitor_key(n->m, key, now);
    turn(n);
}

static void resize(Night *n, int width, int height)
{
    n->width = width;
    n->height = height;
    monitor_resize(n->m, width, height);
}

/* The command line's own is tested in test_when.c. */
static bool parse_time(const char *text, int64_t now_ms, int64_t *ret_ms, Err *err)
{
    (void)now_ms;
    if (strcmp(text, "+1h") != 0)
        return err_set(err, ERR_USAGE, 0, "\"%s\" is no time", text);
    *ret_ms = now_ms + 3600000;
    return true;
}

static Night night_with(int width, int height, bool utf8, bool read_only)
{
    Night n = {0};
    clock_parse("2026-11-28T02:10:00.000Z", &now);
    n.m = monitor_new(&(MonitorSetup){"unix:/run/siding.sock", "ann", parse_time, read_only, utf8}, now);
    resize(&n, width, height);
    turn(&n);
    turn(&n);
    return n;
}

static Night night(int width, int height)
{
    return night_with(width, height, true, false);
}

static void night_over(Night *n)
{
    monitor_free(n->m);
    strlist_done(&n->posted);
}

/* ---- screens ----------------------------------------------------------------------------------------------
 */

static const char *const look_names[LOOKS] = {"plain", "dim",  "title", "bar", "good",
                                              "busy",  "warn", "bad",   "key"};

static void write_looks(const Cells *c, int line, Str *out)
{
    str_adds(out, "    ");
    for (int from = 0; from < c->width;) {
        int look = cells_at(c, line, from)->look, to = from;
        while (to < c->width && cells_at(c, line, to)->look == look)
            to++;
        if (look != LOOK_PLAIN)
            str_addf(out, " %d-%d %s%s", from, to - 1, look_names[look & ~LOOK_CHOSEN],
                     look & LOOK_CHOSEN ? " chosen" : "");
        from = to;
    }
    str_adds(out, "\n");
}

/* The lines as they are seen, then the looks of each that has some. */
static void write_screen(Night *n, Str *out)
{
    Cells c;
    AUTO(str_done) Str looks = STR_INIT;
    cells_init(&c, n->width, n->height);
    monitor_draw(n->m, &c, now);
    for (int line = 0; line < c.height; line++) {
        size_t from = out->len;
        for (int k = 0; k < c.width; k++)
            str_adds(out, cells_at(&c, line, k)->text);
        while (out->len > from && out->p[out->len - 1] == ' ')
            out->p[--out->len] = 0;
        str_addc(out, '\n');
        write_looks(&c, line, &looks);
    }
    str_addf(out, "looks:\n%s", str_z(&looks));
    cells_done(&c);
}

static char *read_whole(const char *path)
{
    Str s = STR_INIT;
    char part[4096];
    FILE *f = fopen(path, "r");
    if (!f)
        return xstrdup("");
    for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0;)
        str_add(&s, part, got);
    fclose(f);
    return str_take(&s);
}

static void expect_screen(Night *n, const char *name)
{
    AUTO(str_done) Str seen = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/tests/unit/screens/%s.txt", getenv("SIDING_SOURCE_DIR"), name);
    AUTOFREE char *wanted = read_whole(path);
    write_screen(n, &seen);
    if (str_eq(wanted, str_z(&seen)))
        return;
    if (getenv("SIDING_SCREENS_WRITE")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(str_z(&seen), f);
        fclose(f);
        return;
    }
    fail_msg("the screen differs from %s; it is:\n%s", path, str_z(&seen));
}

static void expect_seen(Night *n, const char *text, bool there)
{
    AUTO(str_done) Str seen = STR_INIT;
    write_screen(n, &seen);
    if ((strstr(str_z(&seen), text) != NULL) != there)
        fail_msg("\"%s\" is %son the screen:\n%s", text, there ? "not " : "", str_z(&seen));
}

static void expect_posted(Night *n, const char *wanted)
{
    AUTOFREE char *all = strlist_join(&n->posted, "\n");
    assert_string_equal(all ? all : "", wanted);
    strlist_done(&n->posted);
}

/* ---- what is shown ----------------------------------------------------------------------------------------
 */

static void each_view_at_three_sizes(void **state)
{
    static const struct {
        int width, height;
    } sizes[] = {{60, 16}, {80, 24}, {140, 30}};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        Night n = night(sizes[i].width, sizes[i].height);
        for (char view = '1'; view <= '7'; view++) {
            AUTOFREE char *name = xasprintf("view%c-%dx%d", view, sizes[i].width, sizes[i].height);
            press(&n, (const char[]){view, 0});
            pass(&n, 500);
            expect_screen(&n, name);
        }
        night_over(&n);
    }
}

static void without_utf8(void **state)
{
    (void)state;
    Night n = night_with(80, 24, false, false);
    press_key(&n, MONKEY_END);
    expect_screen(&n, "ascii-80x24");
    night_over(&n);
}

static void help_details_and_log(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "?");
    expect_screen(&n, "help-80x24");
    press(&n, "q");
    press(&n, "o");
    expect_screen(&n, "details-80x24");
    press(&n, "q");
    press(&n, "l");
    pass(&n, 1000);
    expect_screen(&n, "log-80x24");
    night_over(&n);
}

/* docs/monitor.md has a row for each line of the help. */
static void the_page_names_every_key(void **state)
{
    (void)state;
    Night n = night(140, 80);
    AUTO(str_done) Str seen = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/docs/monitor.md", getenv("SIDING_SOURCE_DIR"));
    AUTOFREE char *page = read_whole(path);
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    int rows = 0;
    press(&n, "?");
    write_screen(&n, &seen);
    strlist_split(&lines, str_z(&seen), '\n');
    for (size_t i = 1; i < lines.n && strstr(lines.v[i], "│ ") == lines.v[i]; i++) {
        const char *text = lines.v[i] + strlen("│ ");
        if (text[0] == ' ' || strncmp(text, "Letters", 7) == 0)
            continue;
        text += 11;
        const char *end = strstr(text, "  ");
        AUTOFREE char *row = xasprintf("` | %.*s |", (int)(end ? end - text : 0), text);
        if (!strstr(page, row))
            fail_msg("docs/monitor.md has no row \"%s\"", row);
        rows++;
    }
    assert_in_range(rows, 40, 60);
    night_over(&n);
}

static void a_small_terminal_is_told(void **state)
{
    (void)state;
    Night n = night(59, 16);
    expect_seen(&n, "59x16 is too small: 60x16", true);
    resize(&n, 5, 1);
    expect_seen(&n, "59x1", false); /* and nothing is written beside it */
    night_over(&n);
}

/* ---- what is asked ----------------------------------------------------------------------------------------
 */

static void what_destroys_is_asked_about(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":12\nk");
    expect_screen(&n, "confirm-80x24");
    press(&n, "x");
    press(&n, "n");
    expect_posted(&n, "");
    press(&n, "ky");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"kill\",\"by\":\"ann\"}");
    expect_seen(&n, "kill task 12: taken", true);
    press(&n, "d");
    expect_seen(&n, "what runs cannot be deleted", true);
    press(&n, ":14\ndy");
    expect_posted(&n, "/v1/tasks/14/request {\"action\":\"delete\",\"by\":\"ann\"}");
    night_over(&n);
}

static void k_acknowledges_what_failed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":11\nK");
    expect_seen(&n, "It is periodic", true);
    press(&n, "Y");
    expect_posted(&n, "/v1/tasks/11/request {\"action\":\"ack\",\"by\":\"ann\"}");
    press(&n, "i");
    expect_posted(&n, "/v1/tasks/11/request {\"action\":\"retry\",\"by\":\"ann\"}");
    night_over(&n);
}

static void requests_of_a_running_task(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":12\ns");
    press(&n, "t");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"sleep\",\"by\":\"ann\"}\n"
                      "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    press(&n, "w");
    expect_seen(&n, "it does not sleep", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void r_starts_what_waits(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":14\nR");
    expect_posted(&n, "/v1/tasks/14/request {\"action\":\"run\",\"by\":\"ann\"}");
    press(&n, ":12\nr");
    expect_seen(&n, "r runs what waits", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void q_ends_it(void **state)
{
    (void)state;
    for (const char *key = "qQ"; *key; key++) {
        Night n = night(80, 24);
        press(&n, "?");
        press(&n, (const char[]){*key, 0});
        assert_false(monitor_is_over(n.m)); /* a box first */
        press(&n, (const char[]){*key, 0});
        assert_true(monitor_is_over(n.m));
        night_over(&n);
    }
}

static void tagged_lines_are_asked_together(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":13\n");
    press(&n, " :14\n d");
    expect_seen(&n, "Delete 2 tasks: 13, 14?", true);
    press(&n, "y");
    expect_posted(&n, "/v1/tasks/13/request {\"action\":\"delete\",\"by\":\"ann\"}\n"
                      "/v1/tasks/14/request {\"action\":\"delete\",\"by\":\"ann\"}");
    expect_seen(&n, "tagged", false);
    night_over(&n);
}

static void a_replica_is_paused_and_resumed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "5/db3\nw");
    expect_posted(&n, "/v1/nodes/db3/resume {\"reason\":\"from the monitor\",\"by\":\"ann\"}");
    press(&n, "/db2\nw");
    expect_seen(&n, "a run holds it", true);
    press(&n, "g");
    press(&n, "s");
    expect_seen(&n, "this is the primary", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void an_outcome_that_is_not_known_is_told(void **state)
{
    (void)state;
    Night n = night(80, 24);
    err_set(&n.refuse, ERR_LOST, 0, "connection lost to unix:/run/siding.sock");
    press(&n, ":12\nt");
    expect_seen(&n, "whether it was done", true);
    pass(&n, 20000);
    expect_seen(&n, "whether it was done", true); /* until a key is pressed */
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    night_over(&n);
}

static void viewers_only_look(void **state)
{
    (void)state;
    Night n = night_with(80, 24, true, true);
    press(&n, ":12\nky");
    expect_posted(&n, "");
    press(&n, ":kill\ny");
    expect_posted(&n, "");
    press(&n, "k");
    expect_seen(&n, "READ ONLY", true);
    expect_seen(&n, "--read-only", true);
    night_over(&n);
}

static void what_is_done_is_purged(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "p");
    expect_seen(&n, "press 1 first", true);
    press(&n, "1");
    press(&n, "p\n");
    expect_seen(&n, "Delete task 2 (old)?", true);
    press(&n, "y");
    expect_posted(&n, "/v1/tasks/2/request {\"action\":\"delete\",\"by\":\"ann\"}");
    night_over(&n);
}

static void manual_mode_with_a_reason_and_back(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "a");
    expect_seen(&n, "knows no manual mode", true);
    n.queue = "{'mode':'automatic','brakes':[],'errors':0,'failures':[]}";
    pass(&n, 5000);
    press(&n, "A");
    expect_screen(&n, "mode-80x24");
    press(&n, "1");
    expect_posted(&n, "/v1/queue/manual {\"for_s\":300,\"by\":\"ann\"}");
    press(&n, "a3\n");
    expect_posted(&n, "");
    press(&n, "a3new disks until noon\n");
    expect_posted(&n, "/v1/queue/manual {\"reason\":\"new disks until noon\",\"by\":\"ann\"}");
    n.queue = "{'mode':'manual','brakes':[{'kind':'queue','name':'','since':'2026-11-27T16:00:00.000Z','"
              "until':null,"
              "'by':'bob','reason':'new disks'}],'errors':1,'failures':[{'task':11,'name':'nightly','since':"
              "'2026-11-28T01:20:05.000Z','waiting':2}]}";
    pass(&n, 5000);
    expect_screen(&n, "manual-80x24");
    press(&n, "e");
    expect_screen(&n, "held-80x24");
    press(&n, "q");
    err_set(&n.refuse, ERR_CONFLICT, 0, "1 failure keeps the queue in manual mode: task 11");
    press(&n, "a");
    expect_posted(&n, "/v1/queue/auto {\"by\":\"ann\"}");
    expect_seen(&n, "1 failure keeps the queue", true);
    night_over(&n);
}

static void tasks_are_changed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    const int control_u = 'U' & 0x1f;
    press(&n, ":14\nn");
    press_key(&n, control_u);
    press(&n, "7\n");
    expect_posted(&n, "/v1/tasks/14/set {\"priority\":7,\"by\":\"ann\"}");
    press(&n, "c2\n");
    expect_posted(&n, "/v1/tasks/14/set {\"name\":\"report2\",\"by\":\"ann\"}");
    press(&n, "f2h\n");
    expect_posted(&n, "/v1/tasks/14/set {\"sleeptime_ms\":7200000,\"by\":\"ann\"}");
    press(&n, "j");
    press_key(&n, control_u);
    press(&n, "+1h\n");
    AUTOFREE char *all = strlist_join(&n.posted, "");
    assert_non_null(strstr(all, "/v1/tasks/14/set {\"run_at\":\"2026-11-28T03:"));
    strlist_done(&n.posted);
    press(&n, "nmuch\n");
    expect_seen(&n, "a priority is a number", true);
    press(&n, "jnever\n");
    expect_seen(&n, "never\" is no time", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void schedules_and_nodes(void **state)
{
    (void)state;
    Night n = night(80, 24);
    n.schedules = "[{'name':'nightly','task':11,'job':'dump','enabled':true,'state':'error','next':'2026-11-"
                  "29T01:00:00.000Z',"
                  "'last_run':'11.1','last_state':'error','last_started':'2026-11-28T01:00:02.000Z','lasts_"
                  "ms':1200000},"
                  "{'name':'weekly','task':20,'job':'index','enabled':false,'state':'waiting','next':null,"
                  "'last_state':'done','last_started':'2026-11-21T03:00:00.000Z','lasts_ms':60000}]";
    press(&n, "6");
    pass(&n, 1000);
    expect_screen(&n, "schedules-80x24");
    press(&n, "/nightly\nr");
    press(&n, "s");
    press(&n, "w");
    expect_posted(&n, "/v1/schedules/nightly/request {\"action\":\"run-now\",\"by\":\"ann\"}\n"
                      "/v1/schedules/nightly/request {\"action\":\"disable\",\"by\":\"ann\"}\n"
                      "/v1/schedules/nightly/request {\"action\":\"enable\",\"by\":\"ann\"}");
    press(&n, "k");
    expect_seen(&n, "on schedules r runs", true);
    press(&n, "5/db3\nxnew disk\n");
    expect_posted(&n, "/v1/nodes/db3/cordon {\"reason\":\"new disk\",\"by\":\"ann\"}");
    n.queue = "{'mode':'automatic','brakes':[{'kind':'node','name':'db3','since':'2026-11-28T02:10:00.000Z','"
              "by':'ann',"
              "'reason':'new disk'}]}";
    pass(&n, 5000);
    expect_seen(&n, "cordoned", true);
    press(&n, "x");
    expect_posted(&n, "/v1/nodes/db3/uncordon {\"by\":\"ann\"}");
    night_over(&n);
}

/* ---- finding ----------------------------------------------------------------------------------------------
 */

static void lines_are_filtered_sorted_and_found(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "&waiting !report\n");
    expect_seen(&n, "1 line, 3 hidden by &waiting !report", true);
    press(&n, "\033");
    expect_seen(&n, "4 lines", true);
    press(&n, ">!");
    expect_screen(&n, "sorted-80x24");
    press(&n, "/report\n");
    press(&n, "k");
    expect_seen(&n, "k kills what runs", true);
    press(&n, "/nowhere\n");
    expect_seen(&n, "no line here holds", true);
    night_over(&n);
}

static void the_cursor_begins_on_what_failed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "d");
    expect_seen(&n, "Delete task 11", true);
    night_over(&n);
}

static void the_cursor_stays_with_its_task(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":13\n");
    press(&n, ">");
    pass(&n, 5000);
    press(&n, "d");
    expect_seen(&n, "Delete task 13", true);
    night_over(&n);
}

/* ---- the coordinator is away
 * -------------------------------------------------------------------------------- */

static void it_goes_on_when_the_coordinator_is_back(void **state)
{
    (void)state;
    Night n = night(80, 24);
    n.away = true;
    pass(&n, 6000);
    expect_screen(&n, "away-80x24");
    assert_true(monitor_take_bell(n.m));
    assert_false(monitor_take_bell(n.m));
    press(&n, "5");
    expect_seen(&n, "db3", true); /* what was known last */
    n.away = false;
    pass(&n, 2000);
    expect_seen(&n, "sidingd answers again", true);
    expect_seen(&n, "AWAY", false);
    night_over(&n);
}

/* Idle, few calls are made; none twice at a time. */
static void little_is_asked_while_nothing_happens(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "5");
    press(&n, "7");
    pass(&n, 3000);
    size_t calls = 0;
    for (int64_t until = now + 60000; now < until; now += 500) {
        MonitorCall call;
        monitor_tick(n.m, now);
        while (monitor_next_call(n.m, &call, now)) {
            calls++;
            answer_one(&n, &call);
        }
    }
    assert_in_range(calls, 10, 40);
    night_over(&n);
}

/* Any keys in any order: nothing is overrun, nothing leaks, nothing is posted that was not confirmed. */
static void any_keys(void **state)
{
    static const int special[] = {
        MONKEY_UP,     MONKEY_DOWN,     MONKEY_LEFT, MONKEY_RIGHT, MONKEY_PAGE_UP, MONKEY_PAGE_DOWN,
        MONKEY_HOME,   MONKEY_END,      MONKEY_TAB,  MONKEY_ENTER, MONKEY_ESCAPE,  MONKEY_BACKSPACE,
        MONKEY_DELETE, MONKEY_BACK_TAB, MONKEY_HELP, 0x8868,       0x1f600,        0x301};
    (void)state;
    unsigned seed = 20261128;
    Night n = night(80, 24);
    for (int i = 0; i < 6000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned r = seed >> 16;
        int key = r % 3 ? (int)(' ' + r % 95) : special[r / 3 % COUNT(special)];
        press_key(&n, key == 'q' || key == 'Q' ? 'j' : key);
        if (i % 16 == 0)
            resize(&n, 1 + (int)(r % 150), 1 + (int)(r / 7 % 50));
        n.away = r % 97 == 0;
        now += r % 2000;
        AUTO(str_done) Str seen = STR_INIT;
        write_screen(&n, &seen);
    }
    night_over(&n);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_view_at_three_sizes),
        cmocka_unit_test(without_utf8),
        cmocka_unit_test(help_details_and_log),
        cmocka_unit_test(the_page_names_every_key),
        cmocka_unit_test(a_small_terminal_is_told),
        cmocka_unit_test(what_destroys_is_asked_about),
        cmocka_unit_test(k_acknowledges_what_failed),
        cmocka_unit_test(requests_of_a_running_task),
        cmocka_unit_test(r_starts_what_waits),
        cmocka_unit_test(q_ends_it),
        cmocka_unit_test(tagged_lines_are_asked_together),
        cmocka_unit_test(a_replica_is_paused_and_resumed),
        cmocka_unit_test(an_outcome_that_is_not_known_is_told),
        cmocka_unit_test(viewers_only_look),
        cmocka_unit_test(what_is_done_is_purged),
        cmocka_unit_test(manual_mode_with_a_reason_and_back),
        cmocka_unit_test(tasks_are_changed),
        cmocka_unit_test(schedules_and_nodes),
        cmocka_unit_test(lines_are_filtered_sorted_and_found),
        cmocka_unit_test(the_cursor_begins_on_what_failed),
        cmocka_unit_test(the_cursor_stays_with_its_task),
        cmocka_unit_test(it_goes_on_when_the_coordinator_is_back),
        cmocka_unit_test(little_is_asked_while_nothing_happens),
        cmocka_unit_test(any_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
