/* SPDX-License-Identifier: Apache-2.0
 * The agent as others see it: NodeState, and the sentences that say what is wrong here now.
 */
#include <string.h>

#include "api_impl.h"
#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/applier_error.h"
#include "replica-agent/core/broken.h"

/* The structs built here borrow their strings; they are written out at once and never freed. */
#define BORROW(s) ((char *)(s))

static ReceiverState receiver_state(ReplIo io)
{
    static const ReceiverState states[] = {
        [REPL_IO_NO] = RECEIVER_NO, [REPL_IO_CONNECTING] = RECEIVER_CONNECTING, [REPL_IO_YES] = RECEIVER_YES};
    return states[io];
}

bool api_left_without_semi_sync(const Agent *a)
{
    const ServerView *v = &a->s.known.server;
    return str_eq(a->conf.semi_sync, "leave") && v->up && !v->semi_sync.source_on && !v->semi_sync.source_set;
}

static ServerState server_state(const Agent *a)
{
    const ServerView *v = &a->s.known.server;
    const ReplStatus *s = &v->status;
    ServerState out = {.up = v->up,
                       .error = v->up ? NULL : BORROW(*v->error.text ? v->error.text : "not seen yet"),
                       .hangs = !v->up && a->s.known.hangs,
                       .disk = a->disks.fault,
                       .disk_folder = BORROW(a->disks.folder),
                       .disk_ms = a->disks.folder ? clock_mono_ms() - a->disks.since_ms : 0,
                       .address = a->conf.server.address,
                       .port = a->conf.server.port};
    if (!v->ever)
        return out;
    out.flavor = BORROW(flavor_of(v->version.flavor)->name);
    out.version = BORROW(v->version.text);
    out.server_id = s->server_id;
    out.uptime_s = s->uptime_s;
    out.is_replica = s->is_replica;
    out.uses_gtid = s->uses_gtid;
    out.sql_running = s->sql_running;
    out.read_only = s->read_only;
    out.io = s->is_replica ? receiver_state(s->io) : RECEIVER_NONE;
    out.source_host = s->source_host;
    out.source_port = s->source_port;
    out.source_file = s->exec_file;
    out.source_pos = s->exec_pos;
    out.applied = s->applied;
    out.binlog = s->binlog;
    out.logged = s->logged;
    out.received = s->received;
    out.relay_bytes = s->relay_bytes;
    out.semi_sync_acks = v->semi_sync.source_on ? v->semi_sync.acks : -1;
    out.stood_by = contact_count(&a->s, clock_mono_ms());
    out.cut_off = contact_is_lost(&a->s);
    out.semi_sync_waits = v->semi_sync.waits;
    out.acknowledges = v->semi_sync.acknowledges;
    out.left_without_semi_sync = api_left_without_semi_sync(a);
    out.delay_s = s->delay_s;
    out.filters = s->filters;
    out.traits = s->traits;
    out.io_errno = s->io_errno;
    out.io_error = s->io_error;
    out.sql_error = s->sql_error;
    if (!s->is_replica && v->log_file)
        out.written = (Written){v->log_file, v->log_pos, inflow_rate(&a->s.known.inflow, clock_mono_ms()),
                                inflow_rate_long(&a->s.known.inflow, clock_mono_ms())};
    out.read_at = v->read_at;
    return out;
}

/* Of the limit that is nearest. */
static int64_t limit_percent(const Agent *a)
{
    const GuardFlight *g = &a->s.flight.guard;
    int64_t most = 0;
    for (GuardCause c = GUARD_PAUSE; c <= GUARD_CATCHUP; c++) {
        int64_t limit = g->verdict.limit[c], value = g->reading.value[c];
        if (limit > 0 && value > 0 && (double)value * 100 / (double)limit > (double)most)
            most = (int64_t)((double)value * 100 / (double)limit);
    }
    return most;
}

static int64_t heard_at(const Agent *a)
{
    return a->s.known.coordinator_ms ? clock_wall_ms() - (clock_mono_ms() - a->s.known.coordinator_ms) : 0;
}

static LeaseState lease_state(const Agent *a)
{
    const Lease *l = &a->s.durable.lease;
    if (a->s.durable.pause == PAUSE_NONE)
        return (LeaseState){0};
    return (LeaseState){.owner = l->owner,
                        .reason = l->reason,
                        .by = l->by,
                        .gtid = l->gtid,
                        .phase = wire_enum_find(&lease_phase_names, pause_state_phase(a->s.durable.pause)),
                        .taken_at = l->taken_at,
                        .expires_at =
                            clock_wall_ms() + pause_left_ms(&a->s, clock_mono_ms(), clock_wall_ms()),
                        .renewed_at = heard_at(a),
                        .renew_overdue = a->s.flight.guard.renew_overdue,
                        .relay_bytes = a->s.flight.guard.reading.value[GUARD_RELAY],
                        .catchup_ms = a->s.flight.guard.reading.value[GUARD_CATCHUP],
                        .limit_percent = limit_percent(a),
                        .hold = l->hold,
                        .replay = a->s.durable.pause >= PAUSE_RESUMING ? l->replay : (Replay){0}};
}

static RescueState rescue_state(const Agent *a)
{
    const LeaseRescue *r = &a->s.durable.lease.rescue;
    if (a->s.durable.pause == PAUSE_NONE || !r->target)
        return (RescueState){0};
    return (RescueState){.running = a->s.durable.pause == PAUSE_RESCUING,
                         .from = r->from,
                         .target = r->target,
                         .total = r->total,
                         .done = r->done,
                         .tries = r->tries,
                         .rate = r->rate,
                         .eta_s = r->eta_s};
}

json_t *node_lease_json(const Agent *a)
{
    LeaseState l = lease_state(a);
    json_t *j = wire_write(lease_state_fields, &l);
    json_set_str(j, "node", a->conf.node);
    return j;
}

/* A run's replay figures are in the lease until it is released. */
json_t *node_run_json(const Agent *a, const AgentRunner *r)
{
    AgentRun shown = r->j.run;
    shown.state = (AgentRunState)wire_enum_find(&agent_run_state_names, run_state_wire(r->state));
    json_t *j = wire_write(agent_run_fields, &shown);
    if (a->s.durable.pause >= PAUSE_RESUMING && str_eq(a->s.durable.lease.owner, r->j.run.spec.run)) {
        json_object_set_new(j, "replay", wire_write(replay_fields, &a->s.durable.lease.replay));
        json_set_time(j, "resumed_at", a->s.durable.lease.resumed_at);
        if (a->s.flight.pause.trouble)
            json_set_str(j, "note", a->s.flight.pause.trouble);
    }
    return j;
}

/* ---- warnings ------------------------------------------------------------------------------------- */

static void warn_receiver(const Agent *a, StrList *ret)
{
    const ReplStatus *s = &a->s.known.server.status;
    const char *advice = s->io_errno ? receiver_advice(s->io_errno) : NULL;
    bool frozen = !s->sql_running && a->s.durable.pause != PAUSE_NONE;
    bool purges = flavor_of(a->s.known.server.version.flavor)->purges_on_start;
    strlist_addf(ret, "the receiver is stopped%s%s: new transactions do not reach this replica%s%s%s",
                 s->io_error && *s->io_error ? ": " : "", s->io_error ? s->io_error : "",
                 !frozen  ? ""
                 : purges ? "; it stays frozen, starting it now would throw its buffer away"
                          : "; it stays frozen",
                 advice ? "; " : "", advice ? advice : "");
}

static void warn_threads(const Agent *a, StrList *ret)
{
    const ReplStatus *s = &a->s.known.server.status;
    bool ours = a->s.durable.pause != PAUSE_NONE || a->s.flight.boot.start_due;
    if (!s->sql_running && !ours && s->sql_errno) {
        AUTOFREE char *advice = applier_advice(s->sql_errno, a->conf.node);
        strlist_addf(ret,
                     "the applier has failed with error %lld, and no pause of Siding is in force: %s; %s",
                     (long long)s->sql_errno, s->sql_error, advice);
    } else if (!s->sql_running && !ours) {
        strlist_addf(ret,
                     "the applier is stopped and no pause of Siding is in force: somebody stopped it; if "
                     "that is not wanted: siding replica resume %s",
                     a->conf.node);
    }
    if (s->io == REPL_IO_NO && !a->s.flight.boot.start_due)
        warn_receiver(a, ret);
    if (s->is_replica && !s->uses_gtid)
        strlist_add(ret, "replication does not use GTIDs: this replica cannot be paused");
}

static void warn_disk(const Agent *a, StrList *ret)
{
    AUTOFREE char *spool = disk_short_text(&a->s, DISK_SPOOL), *state = disk_short_text(&a->s, DISK_STATE);
    if (spool)
        strlist_addf(ret, "%s: no job can run", spool);
    if (state)
        strlist_addf(ret, "%s: no job can run", state);
}

static void warn_role(const Agent *a, StrList *ret)
{
    const ReplStatus *s = &a->s.known.server.status;
    if (a->s.durable.role.role == ROLE_PRIMARY && s->is_replica)
        strlist_add(ret, "its role is primary, but it replicates from another server");
    if (role_is_closed_by_hand(&a->s))
        strlist_add(ret, "the primary was closed to writes (read_only) by somebody else, and stays so; if "
                         "that is not wanted: siding cluster open");
    else if (a->s.durable.role.role == ROLE_PRIMARY && s->closed && !a->s.flight.role.confirmed)
        strlist_add(ret, "the primary is read-only until the coordinator repeats its role");
    if (a->s.durable.role.role == ROLE_REPLICA && !s->is_replica)
        strlist_add(ret, "its role is replica, but it replicates from nowhere");
}

static void warn_guard(const Agent *a, StrList *ret)
{
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        if (a->s.flight.guard.said[c])
            strlist_add(ret, a->s.flight.guard.said[c]);
    if (a->s.flight.guard.renew_overdue)
        strlist_add(ret, "the coordinator is not heard while a pause is in force: the job goes on, and the "
                         "replica resumes without it");
    if (a->ballast.trouble)
        strlist_addf(ret,
                     "no ballast can be kept beside the relay logs in %s; let the agent run as the server's "
                     "user, or set ballast_bytes = 0",
                     a->s.known.relay_dir ? a->s.known.relay_dir : "?");
}

/* It may be that nobody is asked rightly: no address, no certificate that lets it ask. */
static void warn_contact(const Agent *a, StrList *ret)
{
    enum { SETTLE_MS = 30000 };
    const ContactFlight *f = &a->s.flight.contact;
    int64_t now = clock_mono_ms(), last = a->s.known.started_ms;
    for (size_t i = 0; i < f->n; i++)
        if (f->peers[i].stood_ms > last)
            last = f->peers[i].stood_ms;
    if (contact_count(&a->s, now) != 0 || now - last < SETTLE_MS)
        return;
    AUTOFREE char *names = strlist_join(&a->s.durable.vote.vote.accepted.members, ", ");
    strlist_addf(
        ret,
        "none of the agents of its members (%s) says that it stands by this primary: were it "
        "replaced, it would not notice. Look at \"peers\" in its agent.conf, and whether they answer",
        names);
}

void node_warnings(const Agent *a, StrList *ret)
{
    if (!a->s.known.server.up)
        strlist_addf(ret, "the server does not answer: %s",
                     *a->s.known.server.error.text ? a->s.known.server.error.text : "not seen yet");
    if (a->s.flight.pause.trouble)
        strlist_add(ret, a->s.flight.pause.trouble);
    if (a->store.failing)
        strlist_addf(ret, "the agent's journal in %s cannot be written: nothing new can be paused",
                     a->conf.state_dir);
    if (a->s.flight.boot.trouble)
        strlist_add(ret, a->s.flight.boot.trouble);
    if (a->vault.trouble)
        strlist_addf(ret, "relay files are not kept safe: %s", a->vault.trouble);
    if (a->s.known.server.up && a->s.known.server.status.is_replica)
        warn_threads(a, ret);
    if (a->s.known.server.up)
        warn_role(a, ret);
    warn_contact(a, ret);
    if (fill_is_unfinished(&a->s) && !fill_is_under_way(&a->s))
        strlist_addf(ret, "it was to be filled with the data of %s, and holds nothing whole: %s",
                     a->s.durable.fill.order.donor.node, a->s.durable.fill.error);
    warn_disk(a, ret);
    warn_guard(a, ret);
    if (a->certificate.warning)
        strlist_add(ret, a->certificate.warning);
    if (a->reload_trouble)
        strlist_add(ret, a->reload_trouble);
    if (a->purge.trouble)
        strlist_addf(ret, "the purge of binary logs cannot be held back, or put back: %s", a->purge.trouble);
    for (size_t i = 0; i < a->jobs.warnings.n; i++)
        strlist_add(ret, a->jobs.warnings.v[i]);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static json_t *runs_json(const Agent *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->s.n_runs; i++)
        json_array_append_new(list, node_run_json(a, a->s.runs[i]));
    return list;
}

static void list_jobs(const Agent *a, WireList *ret)
{
    for (size_t i = 0; i < a->jobs.n; i++) {
        const JobConfig *j = &a->jobs.v[i];
        JobInfo *info = wire_list_add(ret, sizeof *info);
        *info = (JobInfo){.name = j->f.name,
                          .kind = wire_enum_find(&task_kind_names, j->f.kind),
                          .on = wire_enum_find(&node_role_names, j->f.on),
                          .upload = j->f.upload,
                          .digest = *j->digest ? BORROW(j->digest) : NULL,
                          .tasklet = j->tasklet ? wire_write(tasklet_fields, j->tasklet) : NULL};
    }
}

/* All else in it is borrowed. */
static void free_jobs(WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        json_decref(((JobInfo *)list->v)[i].tasklet);
    free(list->v);
}

static json_t *events_json(const Agent *a, int64_t after)
{
    const AgentEvent *e = a->tell.events.v;
    json_t *list = json_array();
    for (size_t i = 0; i < a->tell.events.n && json_array_size(list) < TELL_A_TIME; i++)
        if (e[i].seq > after)
            json_array_append_new(list, wire_write(agent_event_fields, &e[i]));
    return list;
}

json_t *node_state_json(Agent *a, int64_t events_after)
{
    AUTO(strlist_done) StrList warnings = STRLIST_INIT;
    node_warnings(a, &warnings);
    AUTOFREE char *broken = broken_why(&a->s);
    NodeState s = {.node = a->conf.node,
                   .cluster_name = a->conf.cluster_name,
                   .version = BORROW(SIDING_VERSION),
                   .boot_id = BORROW(clock_boot_id()),
                   .mono_ms = clock_mono_ms(),
                   .seq = a->seq,
                   .term = a->s.durable.role.seen_term,
                   .term_owner = a->s.durable.role.seen_owner,
                   /* a role of an earlier term is none: the coordinator repeats it */
                   .role = a->s.durable.role.term == a->s.durable.role.seen_term ? a->s.durable.role.role
                                                                                 : ROLE_NONE,
                   .now = clock_wall_ms(),
                   .server = server_state(a),
                   .lease = lease_state(a),
                   .vault = a->vault.figures,
                   .rescue = rescue_state(a),
                   .vote = a->s.durable.vote.vote,
                   .silence = a->s.flight.vote.silence,
                   .fill = a->s.durable.fill,
                   .broken = broken,
                   .spool_free_bytes = a->s.known.spool_free,
                   .relay_free_bytes = a->s.known.relay_free,
                   .events_last = a->tell.last,
                   .tasklet_faults = a->jobs.faults,
                   .source_faults = a->source_look.lists.faults,
                   .warnings = warnings};
    list_jobs(a, &s.jobs);
    json_t *j = wire_write(node_state_fields, &s);
    json_object_set_new(j, "runs", runs_json(a));
    json_object_set_new(j, "purge", purge_json(a));
    json_object_set_new(j, "events", events_json(a, events_after));
    free_jobs(&s.jobs);
    return j;
}
