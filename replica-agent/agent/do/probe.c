/* SPDX-License-Identifier: Apache-2.0
 * Looks at the server every probe_interval from a worker and a connection of its own, with a deadline: a
 * statement that is stuck elsewhere, or here, never blinds the agent for longer than that.
 */
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"
#include "steps.h"

enum { PROBE_TIMEOUT_MS = 3000, TRYING_MS = 50, SEMI_SYNC_MS = 1000, SPOOL_EVERY_MS = 2000 };

typedef struct Probe {
    Agent *a;
    DbTarget target;
    char *spool_dir, *state_dir;
    Db *db; /* kept from probe to probe */
    bool ok;
    Err err;
    DbVersion version;
    ReplStatus status;
    ReplSemiSync semi_sync; /* read less often, at semi_sync_ms */
    int64_t semi_sync_ms;
    LeaseServer id;
    char *relay_dir;     /* configured, or as the server says; NULL: not known */
    bool local;          /* the server's files are on this host */
    uint64_t unanswered; /* a connection whose look at the server got no answer; 0: none */
    bool hangs;
    int64_t begun_ms, spool_free, state_free, relay_free;
    int64_t spool_limit, spool_used, spool_looked_ms; /* limit 0: none */
} Probe;

/* Not more than is left of the limit. */
static void limit_spool(Probe *p)
{
    int64_t now = clock_mono_ms();
    if (!p->spool_limit || p->spool_free < 0)
        return;
    if (!p->spool_looked_ms || now - p->spool_looked_ms >= SPOOL_EVERY_MS) {
        p->spool_used = fs_tree_bytes(p->spool_dir);
        p->spool_looked_ms = now;
    }
    int64_t left = p->spool_limit > p->spool_used ? p->spool_limit - p->spool_used : 0;
    p->spool_free = left < p->spool_free ? left : p->spool_free;
}

static void read_disk(Probe *p)
{
    Err ignored;
    p->spool_free = p->state_free = -1;
    if (!fs_free_bytes(p->spool_dir, &p->spool_free, &ignored) ||
        !fs_free_bytes(p->state_dir, &p->state_free, &ignored))
        log_debug("%s", ignored.text);
    limit_spool(p);
    p->relay_free = -1;
    if (p->relay_dir && !fs_free_bytes(p->relay_dir, &p->relay_free, &ignored))
        log_debug("%s", ignored.text);
}

static void find_relay_dir(Probe *p)
{
    Err ignored;
    AUTOFREE char *base = NULL;
    if (p->relay_dir || !p->local)
        return;
    if (!db_value(p->db, &base, &ignored, "SELECT @@GLOBAL.relay_log_basename", ""))
        log_debug("%s", ignored.text);
    else if (base && *base == '/')
        p->relay_dir = fs_dirname(base);
}

/* With a full relay disk a look at replication hangs for as long as the disk is full, and its connection with
 * it: no second one is begun before the first has ended, or the server would run out of connections. */
static bool may_look(Probe *p)
{
    int64_t busy = 0;
    if (!p->unanswered)
        return true;
    if (!db_value_int(p->db, &busy, &p->err,
                      "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID=? AND COMMAND<>'Sleep'",
                      "i", (int64_t)p->unanswered))
        return false;
    if (!busy)
        p->unanswered = 0;
    return !busy || err_set(&p->err, ERR_TIMEOUT, 0,
                            "the server answers, but not what its replication does: is a disk full?");
}

static bool look(Probe *p)
{
    if (!p->db && !db_connect(&p->target, PROBE_TIMEOUT_MS, &p->db, &p->err))
        return false;
    if (!may_look(p))
        return false;
    if (repl_read(p->db, &p->status, &p->err))
        return true;
    if (p->err.kind == ERR_TIMEOUT)
        p->unanswered = db_connection_id(p->db);
    return false;
}

static void look_at_semi_sync(Probe *p)
{
    Err ignored;
    int64_t now = clock_mono_ms();
    if (p->semi_sync_ms && now - p->semi_sync_ms < SEMI_SYNC_MS)
        return;
    if (repl_semi_sync_read(p->db, &p->semi_sync, &ignored))
        p->semi_sync_ms = now;
    else
        log_debug("%s", ignored.text);
}

static void in_worker(void *arg)
{
    Probe *p = arg;
    p->begun_ms = clock_mono_ms();
    read_disk(p);
    p->ok = look(p);
    p->hangs = !p->ok && p->err.kind == ERR_TIMEOUT;
    if (p->ok) {
        find_relay_dir(p);
        look_at_semi_sync(p);
        p->version = *db_version(p->db);
        server_identify(p->db, &p->status, &p->id);
    } else if (p->db) {
        db_close(STEAL(p->db));
        p->semi_sync_ms = 0;
    }
}

static void probe_free(Probe *p)
{
    if (p->db)
        db_close(p->db);
    db_target_done(&p->target);
    repl_status_done(&p->status);
    wire_free(lease_server_fields, &p->id);
    free(p->relay_dir);
    free(p->spool_dir);
    free(p->state_dir);
    free(p);
}

static void arm(Agent *a, int64_t ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_add(a->probe_timer, &tv);
}

static Input *reading_of(Probe *p)
{
    Input *in = queue_input(IN_READING, NULL);
    Reading *r = in->reading = NEW(Reading);
    *r = (Reading){.ok = p->ok,
                   .err = p->err,
                   .hangs = p->hangs,
                   .version = p->version,
                   .status = p->status,
                   .semi_sync = p->semi_sync,
                   .id = p->id,
                   .begun_ms = p->begun_ms,
                   .spool_free = p->spool_free,
                   .state_free = p->state_free,
                   .relay_free = p->relay_free,
                   .relay_dir = xstrdup(p->relay_dir)};
    p->status = (ReplStatus){0};
    p->id = (LeaseServer){0};
    return in;
}

/* The ballast waits neither for the queue nor for a disk. */
static void in_loop(void *arg)
{
    Probe *p = arg;
    Agent *a = p->a;
    if (a->stopping) {
        probe_free(p);
        return;
    }
    a->s.known.relay_free = p->relay_free;
    a->s.known.hangs = p->hangs;
    queue_post(a, reading_of(p));
    ballast_reading(a);
    a->probe = p;
    arm(a, wants_close_readings(&a->s) && a->conf.probe_interval_ms > TRYING_MS ? TRYING_MS
                                                                                : a->conf.probe_interval_ms);
}

void probe_begin(Agent *a)
{
    Err err;
    Probe *p = STEAL(a->probe);
    if (!p) {
        p = NEW(Probe);
        p->a = a;
        DbTarget t = agent_config_target(&a->conf);
        db_target_copy(&p->target, &t);
        p->spool_dir = xstrdup(a->conf.spool_dir);
        p->state_dir = xstrdup(a->conf.state_dir);
        p->spool_limit = a->conf.result.spool_limit_bytes;
        p->relay_dir = xstrdup(a->conf.relay_log_dir);
        p->local = a->conf.server.socket != NULL;
    }
    if (work_submit(a->probes, (WorkJob){in_worker, in_loop, p}, &err))
        return;
    log_warn("%s", err.text);
    a->probe = p;
    arm(a, a->conf.probe_interval_ms);
}

void probe_close(Agent *a)
{
    if (a->probe)
        probe_free(STEAL(a->probe));
}
