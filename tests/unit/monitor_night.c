/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor_night.h"

#include "common/base/clock.h"
#include "common/file/json.h"

int64_t now;

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

/* Where no list reaches. */
static const char far_text[] =
    "[{'id':7,'kind':'dump','name':'forgotten','job':'dump','state':'waiting','user':'ann',"
    "'submitted_at':'2026-01-28T01:59:00.000Z','why':'its lane is held'},"
    "{'id':6,'kind':'dump','name':'ancient','job':'dump','state':'done','user':'ann',"
    "'submitted_at':'2026-01-28T01:59:00.000Z'}]";

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
    const char *const lists[] = {failed_text, active_text, waiting_text, done_text, far_text};
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
    return parse(strstr(path, "running")                             ? n->no_active ? "[]" : active_text
                 : strstr(path, "stopped") && !strstr(path, "=done") ? failed_text
                 : strstr(path, "waiting")                           ? n->waiting ? n->waiting : waiting_text
                 : strstr(path, "before=")                           ? "[]"
                                                                     : done_text);
}

void answer_one(Night *n, const MonitorCall *c)
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
        if (!body)
            err_set(&err, ERR_NOT_FOUND, 404, "there is no task %s", c->path + 10);
    } else {
        body = strstr(c->path, "/v1/schedules") ? parse(n->schedules) : answer_of(n, c->path);
    }
    if (body || err.kind)
        monitor_answer(n->m, c->id, !err.kind, body, &err, now);
}

void turn(Night *n)
{
    MonitorCall call;
    monitor_tick(n->m, now);
    while (monitor_next_call(n->m, &call, now))
        answer_one(n, &call);
}

void pass(Night *n, int64_t ms)
{
    for (; ms > 0; ms -= 500) {
        now += 500;
        turn(n);
    }
}

void press(Night *n, const char *keys)
{
    for (; *keys; keys++) {
        monitor_key(n->m, *keys == '\n' ? MONKEY_ENTER : *keys, now);
        turn(n);
    }
}

void press_key(Night *n, int key)
{
    monitor_key(n->m, key, now);
    turn(n);
}

void resize(Night *n, int width, int height)
{
    n->width = width;
    n->height = height;
    monitor_resize(n->m, width, height);
}

bool parse_time(const char *text, int64_t now_ms, int64_t *ret_ms, Err *err)
{
    (void)now_ms;
    if (strcmp(text, "+1h") != 0)
        return err_set(err, ERR_USAGE, 0, "\"%s\" is no time", text);
    *ret_ms = now_ms + 3600000;
    return true;
}

Night night_with(int width, int height, bool utf8, bool read_only)
{
    Night n = {0};
    clock_parse("2026-11-28T02:10:00.000Z", &now);
    n.m =
        monitor_new(&(MonitorSetup){"unix:/run/siding.sock", "ann", parse_time, read_only, false, utf8}, now);
    resize(&n, width, height);
    turn(&n);
    turn(&n);
    return n;
}

Night night(int width, int height)
{
    return night_with(width, height, true, false);
}

void night_over(Night *n)
{
    monitor_free(n->m);
    strlist_done(&n->posted);
}

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

void write_screen(Night *n, Str *out)
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

char *read_whole(const char *path)
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

void expect_screen(Night *n, const char *name)
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

void expect_seen(Night *n, const char *text, bool there)
{
    AUTO(str_done) Str seen = STR_INIT;
    write_screen(n, &seen);
    if ((strstr(str_z(&seen), text) != NULL) != there)
        fail_msg("\"%s\" is %son the screen:\n%s", text, there ? "not " : "", str_z(&seen));
}

void expect_posted(Night *n, const char *wanted)
{
    AUTOFREE char *all = strlist_join(&n->posted, "\n");
    assert_string_equal(all ? all : "", wanted);
    strlist_done(&n->posted);
}
