/* SPDX-License-Identifier: Apache-2.0
 * Looks at the server every probe_interval from a worker and a connection of its own, with a deadline: a
 * statement that is stuck elsewhere, or here, never blinds the agent for longer than that.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/server/op.h"

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
    char *log_file; /* of a primary: where its binary log ends, looked at as often */
    int64_t log_pos;
    LeaseServer id;
    LeaseSettings settings; /* as they were when `db` was opened */
    char *relay_dir;        /* configured, or as the server says; NULL: not known */
    char *data_dir;         /* NULL: not known */
    char *vault_folder;     /* as configured */
    VaultPlace place;       /* index NULL: not read yet from this server process */
    bool local;             /* the server's files are on this host */
    uint64_t unanswered;    /* a connection whose look at the server got no answer; 0: none */
    bool hangs, foreign;
    int lock_fd; /* see claim(); -1: not taken yet */
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

static void find_data_dir(Probe *p)
{
    Err ignored;
    if (!p->data_dir && p->local && !db_value(p->db, &p->data_dir, &ignored, "SELECT @@GLOBAL.datadir", ""))
        log_debug("%s", ignored.text);
}

/* Known while the server is up, for when it is not: where its binary log ends can be read then, too. */
static void find_place(Probe *p)
{
    Err ignored;
    if (!p->place.index && p->local && !vault_place_read(p->db, p->vault_folder, &p->place, &ignored))
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

/* A connection is of one server process: what that had of its own is known before anything is set there. */
static bool connect_anew(Probe *p)
{
    Err ignored;
    ReplSettings r = {0};
    if (!db_connect(&p->target, PROBE_TIMEOUT_MS, &p->db, &p->err))
        return false;
    wire_free(lease_settings_fields, &p->settings);
    if (repl_settings_read(p->db, &r, &ignored))
        p->settings = (LeaseSettings){r.sync_binlog,   r.flush_log,  r.workers,
                                      r.parallel_mode, r.sync_relay, r.queue_bytes};
    else
        log_debug("%s", ignored.text);
    return true;
}

static bool look(Probe *p)
{
    if (!p->db && !connect_anew(p))
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
    ReplSemiSync seen;
    int64_t now = clock_mono_ms();
    if (p->semi_sync_ms && now - p->semi_sync_ms < SEMI_SYNC_MS)
        return;
    if (repl_semi_sync_read(p->db, &seen, &ignored) && repl_semi_sync_read_set(p->db, &seen, &ignored)) {
        p->semi_sync = seen;
        p->semi_sync_ms = now;
    } else {
        log_debug("%s", ignored.text);
    }
    if (!p->status.is_replica && !repl_log_end(p->db, &p->log_file, &p->log_pos, &ignored))
        log_debug("%s", ignored.text);
}

/* One agent a server, whatever state folders they have: the folder of its relay logs is locked, which nobody
 * but the server and its agent can reach. A server that is reached over TCP has none here. */
static bool claim(Probe *p)
{
    if (p->lock_fd >= 0 || !p->local || !p->relay_dir)
        return true;
    int fd = open(p->relay_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) /* the preflight says so too */
        return true;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        p->lock_fd = fd;
        return true;
    }
    close(fd);
    p->foreign = true;
    return err_set(
        &p->err, ERR_CONFLICT, 0,
        "another agent works with this server (it has locked %s): nothing is done here until it has ended",
        p->relay_dir);
}

static void in_worker(void *arg)
{
    Probe *p = arg;
    p->begun_ms = clock_mono_ms();
    p->foreign = false;
    read_disk(p);
    p->ok = look(p);
    p->hangs = !p->ok && p->err.kind == ERR_TIMEOUT;
    if (p->ok) {
        find_relay_dir(p);
        find_data_dir(p);
        find_place(p);
        p->ok = claim(p);
    }
    if (p->ok) {
        look_at_semi_sync(p);
        p->version = *db_version(p->db);
        server_identify(p->db, &p->status, &p->id);
    } else if (p->db) {
        db_close(STEAL(p->db));
        wire_free(vault_place_fields, &p->place);
        p->semi_sync_ms = 0;
    }
}

static void probe_free(Probe *p)
{
    if (p->db)
        db_close(p->db);
    if (p->lock_fd >= 0)
        close(p->lock_fd);
    db_target_done(&p->target);
    repl_status_done(&p->status);
    wire_free(lease_server_fields, &p->id);
    wire_free(lease_settings_fields, &p->settings);
    free(p->log_file);
    free(p->relay_dir);
    free(p->data_dir);
    free(p->vault_folder);
    wire_free(vault_place_fields, &p->place);
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
                   .foreign = p->foreign,
                   .version = p->version,
                   .status = p->status,
                   .semi_sync = p->semi_sync,
                   .id = p->id,
                   .log_file = p->status.is_replica ? NULL : xstrdup(p->log_file),
                   .log_pos = p->log_pos,
                   .begun_ms = p->begun_ms,
                   .spool_free = p->spool_free,
                   .state_free = p->state_free,
                   .relay_free = p->relay_free,
                   .relay_dir = xstrdup(p->relay_dir)};
    p->status = (ReplStatus){0};
    p->id = (LeaseServer){0};
    wire_copy(lease_settings_fields, &r->settings, &p->settings);
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
    if (!a->data_dir)
        a->data_dir = xstrdup(p->data_dir);
    vault_learn(a, &p->place);
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
        p->lock_fd = -1;
        DbTarget t = agent_config_target(&a->conf);
        db_target_copy(&p->target, &t);
        p->spool_dir = xstrdup(a->conf.spool_dir);
        p->state_dir = xstrdup(a->conf.state_dir);
        p->spool_limit = a->conf.result.spool_limit_bytes;
        p->relay_dir = xstrdup(a->conf.relay_log_dir);
        p->vault_folder = xstrdup(a->conf.server.vault_dir);
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
