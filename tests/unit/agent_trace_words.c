/* SPDX-License-Identifier: Apache-2.0
 * Lines of words as inputs of an agent.
 */
#include <string.h>

#include "agent_trace_impl.h"
#include "common/base/clock.h"

enum { WORDS = 24 };

typedef struct Words {
    char *text, *v[WORDS];
    size_t n;
} Words;

static void words_done(Words *w)
{
    free(w->text);
}

static Words split(const char *line)
{
    Words w = {.text = xstrdup(line)};
    char *save = NULL;
    for (char *p = strtok_r(w.text, " ", &save); p && w.n < WORDS; p = strtok_r(NULL, " ", &save))
        w.v[w.n++] = p;
    return w;
}

static bool has(const Words *w, const char *word)
{
    for (size_t i = 1; i < w->n; i++)
        if (str_eq(w->v[i], word))
            return true;
    return false;
}

/* The value of "key=value"; NULL if there is none. */
static const char *value(const Words *w, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 1; i < w->n; i++)
        if (strncmp(w->v[i], key, n) == 0 && w->v[i][n] == '=')
            return w->v[i] + n + 1;
    return NULL;
}

static int64_t number(const Words *w, const char *key, int64_t otherwise)
{
    long long v;
    const char *text = value(w, key);
    return text && str_to_i64(text, INT64_MIN, INT64_MAX, &v) ? v : otherwise;
}

/* ---- words as inputs -------------------------------------------------------------------------------------
 */

static ReplStatus status_of(const Words *w)
{
    const char *applied = value(w, "applied"), *received = value(w, "received");
    applied = applied ? applied : "0-1-10";
    return (ReplStatus){.is_replica = !has(w, "primary"),
                        .channels = 1,
                        .io = has(w, "no-io")        ? REPL_IO_NO
                              : has(w, "connecting") ? REPL_IO_CONNECTING
                                                     : REPL_IO_YES,
                        .sql_running = !has(w, "stopped") && !has(w, "failed"),
                        .uses_gtid = true,
                        .source_host = xstrdup(value(w, "source") ? value(w, "source") : "db0"),
                        .source_port = number(w, "port", 3306),
                        .applied = xstrdup(applied),
                        .binlog = xstrdup(value(w, "binlog") ? value(w, "binlog") : "0-1-10"),
                        .received = xstrdup(!received               ? applied
                                            : str_eq(received, "-") ? NULL
                                                                    : received),
                        .exec_file = xstrdup("bin.000001"),
                        .exec_pos = number(w, "exec", 100),
                        .read_file = xstrdup("bin.000001"),
                        .read_pos = number(w, "read", 100),
                        .relay_bytes = number(w, "relay", 1000),
                        .sql_errno = has(w, "failed") ? number(w, "errno", 1062) : 0,
                        .io_errno = number(w, "io_errno", 0),
                        .delay_s = number(w, "delay", 0),
                        .waits_for_delay = has(w, "not-due"),
                        .sql_error = xstrdup(has(w, "failed") ? "Duplicate entry" : ""),
                        .read_only = !has(w, "writable") && !has(w, "half-closed"),
                        .closed = !has(w, "writable"),
                        .server_id = 2,
                        .identity = xstrdup(value(w, "identity"))};
}

static LeaseServer server_of(const Trace *t)
{
    return (LeaseServer){.pid = t->server_pid,
                         .pid_start = t->server_pid * 10,
                         .started_at = t->server_pid * 1000,
                         .boot_id = xstrdup("boot")};
}

static bool reading(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_READING, NULL);
    Reading *r = in->reading = NEW(Reading);
    *r = (Reading){.ok = !has(w, "down"),
                   .hangs = has(w, "hangs"),
                   .version = {.flavor = has(w, "mysql") ? DB_MYSQL : DB_MARIADB, .text = "10.11"},
                   .begun_ms = t->now_ms - number(w, "age", 0),
                   .spool_free = number(w, "spool", 1 << 30),
                   .state_free = number(w, "state", 1 << 30),
                   .relay_dir = xstrdup(value(w, "relay_dir")),
                   .log_file = xstrdup(value(w, "log")),
                   .log_pos = number(w, "log_pos", 0),
                   .semi_sync = {.source_on = has(w, "writable") && !has(w, "without-semi-sync"),
                                 .acks = number(w, "acks", 0),
                                 .acknowledges = has(w, "acknowledges"),
                                 .source_set = has(w, "source_set")},
                   .relay_free = number(w, "disk", 1 << 30)};
    r->foreign = has(w, "taken");
    r->ok = r->ok && !r->foreign;
    if (r->foreign) {
        r->status = status_of(w);
        err_set(&r->err, ERR_CONFLICT, 0, "another agent works with this server");
    }
    if (!r->ok && !r->foreign)
        err_set(&r->err, ERR_UNREACHABLE, 0, "the server is down");
    if (r->ok) {
        r->status = status_of(w);
        r->id = server_of(t);
        const LeaseSettings own = {.sync_binlog = (char *)"1",
                                   .flush_log = (char *)"1",
                                   .workers =
                                       (char *)(value(w, "own-workers") ? value(w, "own-workers") : "0"),
                                   .parallel_mode = (char *)"optimistic",
                                   .sync_relay = (char *)"10000",
                                   .queue_bytes = (char *)"131072"};
        wire_copy(lease_settings_fields, &r->settings, &own);
    }
    return trace_happens(t, in);
}

static const struct {
    const char *word;
    OpEnd end;
} op_ends[] = {{"ok", END_OK},         {"fails", END_FAILED},    {"unknown", END_UNKNOWN},
               {"waits", END_WAITING}, {"stalled", END_STALLED}, {"moved", END_MOVED},
               {"busy", END_BUSY}};

static const struct {
    const char *word;
    StartWay way;
} start_ways[] = {{"not-needed", START_NOT_NEEDED},
                  {"sql", START_SQL},
                  {"both", START_BOTH},
                  {"rescue", START_RESCUE},
                  {"unreadable", START_UNREADABLE},
                  {"errant", START_ERRANT},
                  {"refetch", START_REFETCH},
                  {"crashed", START_CRASHED},
                  {"shut", START_SHUT}};

static bool op_kind(const char *name, OpKind *ret)
{
    for (size_t i = 0; i < OP_KINDS; i++)
        if (str_eq(trace_op_names[i], name)) {
            *ret = (OpKind)i;
            return true;
        }
    return false;
}

/* What the last operation has seen: its report borrows it. */
void trace_forget_seen(Trace *t)
{
    repl_status_done(&t->op_status);
    wire_free(lease_server_fields, &t->op_server);
}

/* "op KIND END [words of a reading] [way=…] [held=…] [backlog=…]" */
static bool operation(Trace *t, const Words *w)
{
    OpKind kind;
    static WireList findings;
    static LeaseSettings settings = {.sync_binlog = (char *)"1",
                                     .flush_log = (char *)"1",
                                     .workers = (char *)"0",
                                     .parallel_mode = (char *)"optimistic",
                                     .sync_relay = (char *)"10000",
                                     .queue_bytes = (char *)"131072"};
    if (w->n < 3 || !op_kind(w->v[1], &kind) || !t->op[kind])
        return false;
    trace_forget_seen(t);
    t->op_status = status_of(w);
    t->op_server = server_of(t);
    Input *in = trace_new_input(IN_OP, NULL);
    OpReport *op = in->op = NEW(OpReport);
    *op = (OpReport){.kind = kind,
                     .id = t->op[kind],
                     .run = t->op_run[kind],
                     .flavor = has(w, "mysql") ? DB_MYSQL : DB_MARIADB,
                     .status = &t->op_status,
                     .server = &t->op_server,
                     .settings = &settings,
                     .findings = &findings,
                     .from = value(w, "from"),
                     .held_gtid = value(w, "held"),
                     .backlog = number(w, "backlog", 0),
                     .open = has(w, "open"),
                     .received = value(w, "received"),
                     .ahead = value(w, "ahead"),
                     .ended_well = has(w, "ended-well"),
                     .closed_for_ms = number(w, "closed-for", 0),
                     .left = value(w, "left")};
    for (size_t i = 0; i < COUNT(op_ends); i++)
        if (str_eq(w->v[2], op_ends[i].word))
            op->end = op_ends[i].end;
    for (size_t i = 0; i < COUNT(start_ways); i++)
        if (str_eq(value(w, "way"), start_ways[i].word))
            op->way = start_ways[i].way;
    if (op->end != END_OK)
        err_set(&op->err, op->end == END_UNKNOWN ? ERR_TIMEOUT : ERR_DB, 0, "%s was not done", w->v[1]);
    t->op[kind] = 0;
    return trace_happens(t, in);
}

/* NULL: the task sets none. */
static json_t *limits_of(const Words *w)
{
    static const char *const numbers[] = {"relay_bytes", "catchup_ms", "free_bytes"};
    json_t *limits = json_object();
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (value(w, numbers[i]))
            json_set_int(limits, numbers[i], number(w, numbers[i], 0));
    json_set_str(limits, "at_limit", value(w, "at_limit"));
    if (json_object_size(limits))
        return json_pack("{s:o}", "limits", limits);
    json_decref(limits);
    return NULL;
}

/* "accept RUN [upload] [primary] [barrier] [next] [after=GTID] [limit=MS] [default=MS] [shards=N shard=N]
 * [kind=KIND], or a limit of the task"
 */
static bool accept(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_ACCEPT, w->v[1]);
    in->token = ++t->token;
    in->spec = NEW(RunSpec);
    *in->spec =
        (RunSpec){.run = xstrdup(w->v[1]),
                  .job = xstrdup("read"),
                  .kind = has(w, "upload")     ? KIND_UPLOAD
                          : has(w, "kindless") ? 0
                          : value(w, "kind")   ? (TaskKind)wire_enum_find(&task_kind_names, value(w, "kind"))
                                               : KIND_COMMAND,
                  .on = has(w, "primary") ? ROLE_PRIMARY : ROLE_NONE,
                  .barrier = has(w, "barrier"),
                  .during_catch_up = has(w, "next"),
                  .after_gtid = xstrdup(value(w, "after")),
                  .shards = number(w, "shards", 1),
                  .shard = number(w, "shard", 0),
                  .pause_default_ms = number(w, "default", 0),
                  .pause_limit_ms = number(w, "limit", 0)};
    in->spec->options = limits_of(w);
    if (value(w, "by"))
        in->spec->start_by =
            (StartBy){xstrdup(value(w, "boot") ? value(w, "boot") : "boot"), number(w, "by", 0)};
    if (value(w, "arg"))
        strlist_add(&in->spec->args, value(w, "arg"));
    if (has(w, "upload")) {
        in->spec->source.node = xstrdup(has(w, "local") ? "db1" : "db2");
        in->spec->source.run = xstrdup("1.1");
    }
    return trace_happens(t, in);
}

/* "program RUN NAME well|fails|lost|not-started [gathered] [no-manifest]" */
static bool program(Trace *t, const Words *w)
{
    if (w->n < 4)
        return false;
    Input *in = trace_new_input(IN_PROGRAM, w->v[1]);
    ProgramEnd *p = in->program = NEW(ProgramEnd);
    p->name = xstrdup(w->v[2]);
    p->well = str_eq(w->v[3], "well");
    p->lost = str_eq(w->v[3], "lost");
    p->can_restart = p->lost ? !has(w, "for-good") : has(w, "can-restart");
    p->exit_code = number(w, "status", p->well ? 0 : 1);
    if (value(w, "rows"))
        p->detail = json_pack("{s:I}", "rows", (json_int_t)number(w, "rows", 0));
    p->not_started = str_eq(w->v[3], "not-started");
    p->late = has(w, "late");
    if (!p->well)
        err_set(&p->err, ERR_IO, 0, "%s ended with status 1", p->name);
    bool result = p->well && (str_eq(p->name, "seal") || str_eq(p->name, "gather")) && !has(w, "no-manifest");
    if (result) {
        p->manifest = json_pack("{s:[],s:b}", "files", "gathered", has(w, "gathered"));
        for (int64_t i = 0; i < number(w, "files", 1); i++)
            json_array_append_new(json_object_get(p->manifest, "files"),
                                  json_pack("{s:i,s:i}", "bytes", 10, "compressed_bytes", 5));
        p->result_dir = xasprintf("/spool/%s", w->v[1]);
    }
    return trace_happens(t, in);
}

static bool by_hand(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_PAUSE, LEASE_MANUAL);
    in->token = ++t->token;
    in->wish = NEW(PauseWish);
    *in->wish = (PauseWish){.owner = xstrdup(LEASE_MANUAL),
                            .reason = xstrdup("test"),
                            .by = xstrdup("dba"),
                            .limit_ms = number(w, "for", 60000),
                            .hold = has(w, "hold")};
    return trace_happens(t, in);
}

static bool align_to(Trace *t, const Words *w)
{
    if (w->n < 3)
        return false;
    Input *in = trace_new_input(IN_ALIGN, w->v[1]);
    in->token = ++t->token;
    in->align = NEW(RunAlign);
    bool empty = str_eq(w->v[2], "nowhere"), none = str_eq(w->v[2], "unsaid");
    *in->align = (RunAlign){xstrdup(empty  ? ""
                                    : none ? NULL
                                           : w->v[2]),
                            xstrdup(has(w, "no-file") ? NULL : "bin.000001"), 200};
    return trace_happens(t, in);
}

static bool of_run(Trace *t, InputKind kind, const Words *w, const char *text)
{
    Input *in = trace_new_input(kind, kind == IN_RESUME || kind == IN_OPEN ? NULL : w->v[1]);
    in->token = ++t->token;
    in->text = xstrdup(text);
    in->by = xstrdup(has(w, "by-nobody") ? NULL : value(w, "by") ? value(w, "by") : "dba");
    if (kind == IN_GATHER)
        in->gather = NEW(GatherOrder);
    return trace_happens(t, in);
}

static bool result(Trace *t, InputKind kind, const Words *w)
{
    Input *in = trace_new_input(kind, w->n > 2 ? w->v[1] : NULL);
    in->flag = has(w, "before");
    in->flag2 = has(w, "not-called");
    if (has(w, "fails"))
        err_set(&in->err, ERR_REFUSED, 0, "it failed");
    if (has(w, "gone"))
        err_set(&in->err, ERR_CONFLICT, 0, "its source is gone");
    if (has(w, "stands"))
        err_set(&in->err, ERR_DB, 1062,
                "the applier stopped at the transaction after 0-1-12 with error 1062");
    in->token = kind == IN_FORGOTTEN ? ++t->token : 0;
    return trace_happens(t, in);
}

/* "stands NODE [no]": what its agent answers. */
static bool stands(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_STANDS, w->v[1]);
    in->flag = !has(w, "no");
    return trace_happens(t, in);
}

static bool role(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_ROLE, NULL);
    in->token = ++t->token;
    in->text = xstrdup(w->v[1]);
    in->by = xstrdup(value(w, "owner"));
    in->number = number(w, "term", 1);
    return trace_happens(t, in);
}

/* "order KIND term=N [owner=HEX] [kill] [clean] [for=MS] [primary=NODE held=NODE version=N members=NODE
 * may-open] [donor=NODE] [source=HOST] [gtid=GTID] [old-silence]" */
static bool order(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_ORDER, NULL);
    const char *owner = value(w, "owner");
    WireBallot ballot = {number(w, "term", 1), (char *)(owner ? owner : "000000000000000a")};
    in->token = ++t->token;
    AgentOrder o = {.kind = (OrderKind)wire_enum_find(&order_kind_names, w->v[1]),
                    .ballot = ballot,
                    .kill = has(w, "kill"),
                    .clean = has(w, "clean"),
                    .for_ms = number(w, "for", 0),
                    .source = {(char *)value(w, value(w, "donor") ? "donor" : "primary"),
                               (char *)value(w, "source"), 3306},
                    .gtid = (char *)value(w, "gtid"),
                    .silence = has(w, "old-silence") ? 1 : t->s.flight.vote.silence};
    if (o.kind >= ORDER_ACCEPT)
        o.decision = (WireDecision){.ballot = ballot,
                                    .version = number(w, "version", 1),
                                    .primary = (char *)value(w, "primary"),
                                    .held_by = (char *)(value(w, "held") ? value(w, "held") : "db0"),
                                    .open = has(w, "may-open"),
                                    .acks = number(w, "acks", 1),
                                    .fence_ms = number(w, "fence", 0)};
    if (value(w, "members"))
        strlist_split(&o.decision.members, value(w, "members"), ',');
    in->order = NEW(AgentOrder);
    wire_copy(agent_order_fields, in->order, &o);
    strlist_done(&o.decision.members);
    return trace_happens(t, in);
}

/* "fill ID [replaces]", "fill-progress PHASE done=N total=N", "filled [fails] [refused]" */
static bool fill(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_FILL, NULL);
    FillOrder o = {.id = (char *)w->v[1],
                   .gtid = (char *)"0-1-9",
                   .donor = {(char *)"db2", (char *)"h2", 3306},
                   .source = {(char *)"db0", (char *)"db0", 3306},
                   .replaces = has(w, "replaces")};
    in->token = ++t->token;
    in->fill = NEW(FillOrder);
    wire_copy(fill_order_fields, in->fill, &o);
    return trace_happens(t, in);
}

static bool fill_runs(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_FILL_PROGRESS, NULL);
    in->text = xstrdup(w->v[1]);
    in->number = number(w, "done", 0);
    in->total = number(w, "total", 0);
    return trace_happens(t, in);
}

static bool fill_ends(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_FILL_ENDED, NULL);
    if (has(w, "fails"))
        err_set(&in->err, ERR_IO, 0, "it was killed");
    if (has(w, "refused"))
        err_set(&in->err, ERR_REFUSED, 0, "this server is not empty");
    return trace_happens(t, in);
}

static bool heard(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_HEARD, NULL);
    in->number = number(w, "term", 1);
    in->total = number(w, "state", 0);
    in->text = xstrdup(value(w, "at"));
    in->by = xstrdup(value(w, "owner"));
    in->role = has(w, "primary") ? ROLE_PRIMARY : ROLE_NONE;
    in->flag2 = has(w, "sole") || has(w, "not-sole");
    in->flag = has(w, "sole");
    return trace_happens(t, in);
}

static void pass(Trace *t, const Words *w)
{
    long long ms = 0;
    if (w->n > 1 && str_to_i64(w->v[1], 0, INT64_MAX, &ms)) {
        t->now_ms += ms;
        t->wall_ms += ms;
    }
}

/* "tell RUN state=N": whoever tells the coordinator has put the run into its states of that number. */
static bool tell(Trace *t, const Words *w)
{
    AgentRunner *r = w->n > 1 ? run_find(&t->s, w->v[1]) : NULL;
    if (r)
        r->told_seq = number(w, "state", 1);
    return r != NULL;
}

/* "done N": so many other runs were done here and forgotten. */
static bool done(Trace *t, const Words *w)
{
    long long n = 0;
    if (w->n < 2 || !str_to_i64(w->v[1], 0, 10000, &n))
        return false;
    for (long long i = 0; i < n; i++)
        strlist_addf(&t->s.flight.done, "other.%lld", i);
    return true;
}

/* "split RUN joined|left lost=N" */
static bool split_list(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_SPLIT, w->v[1]);
    in->flag = has(w, "joined");
    in->lost = NEW(StrList);
    for (int64_t i = 0; i < number(w, "lost", 0); i++)
        strlist_add(in->lost, "a shard");
    return trace_happens(t, in);
}

/* "progress RUN PHASE" */
static bool run_progress(Trace *t, const Words *w)
{
    if (w->n < 3)
        return false;
    Input *in = trace_new_input(IN_PROGRESS, w->v[1]);
    in->progress = NEW(WireProgress);
    in->progress->note = xstrdup(w->v[2]);
    return trace_happens(t, in);
}

static bool progress(Trace *t, const Words *w)
{
    Input *in = trace_new_input(IN_RESCUE_PROGRESS, NULL);
    in->number = number(w, "done", 0);
    in->total = number(w, "total", 0);
    return trace_happens(t, in);
}

static bool understood(Trace *t, const Words *w)
{
    const char *word = w->v[0];
    static const struct {
        const char *word;
        bool (*make)(Trace *, const Words *);
    } rows[] = {{"reading", reading},
                {"op", operation},
                {"accept", accept},
                {"program", program},
                {"pause", by_hand},
                {"align", align_to},
                {"order", order},
                {"role", role},
                {"stands", stands},
                {"heard", heard},
                {"rescue-progress", progress},
                {"split", split_list},
                {"progress", run_progress},
                {"tell", tell},
                {"done", done},
                {"fill", fill},
                {"fill-progress", fill_runs},
                {"filled", fill_ends}};
    static const char *const requests[] = {"stop", "kill", "sleep", "wake", "dance"};
    for (size_t i = 0; i < COUNT(rows); i++)
        if (str_eq(word, rows[i].word))
            return rows[i].make(t, w);
    for (size_t i = 0; i < COUNT(requests); i++)
        if (str_eq(word, requests[i]))
            return of_run(t, IN_REQUEST, w, word);
    if (str_eq(word, "go"))
        return of_run(t, IN_GO, w, NULL);
    if (str_eq(word, "gather"))
        return of_run(t, IN_GATHER, w, NULL);
    if (str_eq(word, "forget"))
        return of_run(t, IN_FORGET, w, NULL);
    if (str_eq(word, "forgotten"))
        return result(t, IN_FORGOTTEN, w);
    if (str_eq(word, "hook"))
        return result(t, IN_HOOK, w);
    if (str_eq(word, "role-hook"))
        return result(t, IN_ROLE_HOOK, w);
    if (str_eq(word, "rescue"))
        return result(t, IN_RESCUE_ENDED, w);
    if (str_eq(word, "resume"))
        return of_run(t, IN_RESUME, w, has(w, "no-reason") ? NULL : "by hand");
    if (str_eq(word, "open"))
        return of_run(t, IN_OPEN, w, has(w, "no-reason") ? NULL : "by hand");
    if (str_eq(word, "ending"))
        return trace_happens(t, trace_new_input(IN_ENDING, NULL));
    if (str_eq(word, "tick"))
        return trace_happens(t, trace_new_input(IN_TICK, NULL));
    if (str_eq(word, "start"))
        return trace_happens(t, trace_new_input(IN_START, NULL));
    if (str_eq(word, "look"))
        return trace_look(t, has(w, "silence"));
    if (str_eq(word, "disk")) {
        t->disk_fails = has(w, "full");
        return true;
    }
    return false;
}

/* As the agent takes it where nothing could be read. */
static void lose_journal(Trace *t)
{
    Record lease = {(char *)"lease", json_object()};
    trace_disk_free(&t->disk);
    trace_disk_keep(&t->disk, &lease, 1);
    json_decref(lease.value);
}

/* "spoil KEY": what stands there cannot be read. "spoil KEY STATE": a state that this version does not know,
 * or "none".
 */
static void spoil(Trace *t, const Words *w)
{
    Record *r = trace_disk_record(&t->disk, w->n > 1 ? w->v[1] : "");
    AUTOJSON json_t *value = w->n > 2 && r ? json_deep_copy(r->value) : json_object();
    if (w->n > 2)
        json_set_str(value, "state", w->v[2]);
    else
        json_object_set_new(value, "owner", json_object());
    if (w->n == 2)
        json_object_set_new(value, "state", json_object());
    trace_disk_keep(&t->disk, &(Record){w->v[1], value}, 1);
}

/* "job [limits, words]": from here on there is a file of the job that every run is of. */
static void job(Trace *t, const Words *w)
{
    free(STEAL(t->job_words));
    t->job_words = xstrdup(value(w, "at_limit"));
    free(STEAL(t->job_on));
    t->job_on = xstrdup(value(w, "on") ? value(w, "on") : "replica");
    t->job = (JobRules){.name = "read",
                        .kind = "command",
                        .on = t->job_on,
                        .at_limit = t->job_words,
                        .pause_limit_ms = number(w, "pause", 0),
                        .min_free_bytes = number(w, "free", 0),
                        .relay_limit_bytes = number(w, "relay", 0),
                        .catchup_limit_ms = number(w, "catchup", 0),
                        .snooze_ms = number(w, "snooze", 0),
                        .snooze_most = number(w, "snooze_most", 0)};
    t->rules.jobs = &t->job;
    t->rules.n_jobs = 1;
    t->s.known.rules = t->rules;
}

static void rules(Trace *t, const Words *w)
{
    AgentRules *r = &t->rules;
    r->calls_before_pause = has(w, "before_pause");
    r->calls_after_caught_up = has(w, "after_caught_up");
    r->calls_after_promotion = has(w, "after_promotion");
    r->calls_after_demotion = has(w, "after_demotion");
    r->ignores_failed_hooks = has(w, "ignore");
    static const char *peers[] = {"db0", "db1", "db2"};
    r->peers = peers;
    r->n_peers = has(w, "peers") ? COUNT(peers) : 0;
    r->boost = !has(w, "no-boost");
    r->boost_trials = has(w, "trials");
    r->sync_relay_log = has(w, "sync_relay");
    r->boost_last_acknowledger = has(w, "last_acknowledger");
    r->relay_limit_bytes = number(w, "relay", r->relay_limit_bytes);
    r->catchup_limit_ms = number(w, "catchup", r->catchup_limit_ms);
    t->s.known.rules = *r;
}

static bool about_the_world(Trace *t, const Words *w)
{
    const char *word = w->v[0];
    if (str_eq(word, "pass"))
        pass(t, w);
    else if (str_eq(word, "clock")) { /* set by so many seconds */
        long long s = 0;
        if (w->n > 1 && str_to_i64(w->v[1], -86400, 86400, &s))
            t->wall_ms += s * 1000;
    } else if (str_eq(word, "server-restarts"))
        t->server_pid++;
    else if (str_eq(word, "agent-restarts")) {
        t->nothing_kept = has(w, "nothing-kept");
        t->cut = has(w, "journal-cut");
        if (has(w, "journal-lost"))
            lose_journal(t);
        trace_restart(t);
    } else if (str_eq(word, "reboot"))
        t->s.known.boot_id = t->boot_id = "another boot";
    else if (str_eq(word, "rules"))
        rules(t, w);
    else if (str_eq(word, "job"))
        job(t, w);
    else if (str_eq(word, "spoil"))
        spoil(t, w);
    else
        return false;
    return true;
}

static bool one_input(Trace *t, const Words *w, const char *line)
{
    if (!w->n || about_the_world(t, w) || understood(t, w))
        return true;
    str_addf(&t->out, "  not understood: %s\n", line);
    return false;
}

bool trace_line(Trace *t, const char *line)
{
    static const char word[] = " and ";
    const char *at = strstr(line, word);
    AUTOFREE char *first = xstrndup(line, at ? (size_t)(at - line) : 0);
    AUTO(words_done) Words before = split(first), w = split(at ? at + strlen(word) : line);
    t->more_comes = at != NULL;
    bool ok = !at || one_input(t, &before, first);
    t->more_comes = false;
    return one_input(t, &w, line) && ok;
}
