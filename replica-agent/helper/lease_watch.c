/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/subprocess.h"
#include "common/file/fs.h"
#include "common/file/recordlog.h"
#include "replica-agent/core/lease.h"
#include "replica-agent/core/pause_machine.h"
#include "replica-agent/host/config.h"
#include "replica-agent/host/tools.h"

enum { LOOK_MS = 2000, AGAIN_MS = 60000, PATIENCE_MS = 20000 };

typedef struct WatchArgs {
    char *config;
} WatchArgs;

static const Opt options[] = {
    {"config", 0, OPT_STR, offsetof(WatchArgs, config), .arg = "FILE", .doc = "agent.conf."},
    {0},
};

typedef struct Watcher {
    const char *config;
    AgentConfig conf;
    int lock_fd;
    bool seen, gone; /* a lease has been seen; there is none any more */
    bool unreadable; /* the journal: what was read last counts */
    Lease lease;
    PauseState state;
    int64_t begun_ms, again_ms;
} Watcher;

/* ---- one at a time ---------------------------------------------------------------------------------- */

static int open_lock(const char *state_dir, const char *name)
{
    AUTOFREE char *path = xasprintf("%s/%s", state_dir, name);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static bool is_locked(const char *state_dir, const char *name)
{
    AUTOFD int fd = open_lock(state_dir, name);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

bool lease_watch_lives(const char *state_dir)
{
    return is_locked(state_dir, "watcher");
}

/* ---- the journal ------------------------------------------------------------------------------------ */

static void take_record(void *arg, const char *key, const json_t *value)
{
    Err err;
    Watcher *w = arg;
    Lease l = {0};
    if (!str_eq(key, "lease"))
        return;
    w->gone = false;
    w->seen = true;
    if (!wire_read(lease_fields, value, &l, &err)) {
        w->unreadable = true;
        return;
    }
    wire_free(lease_fields, &w->lease);
    w->lease = l;
    w->state = pause_state_of_lease(l.state);
}

static void read_journal(Watcher *w)
{
    Err err;
    RecordLog *log = NULL;
    AUTOFREE char *damage = NULL;
    w->unreadable = false;
    if (!recordlog_read(w->conf.state_dir, "journal", &log, &damage, &err)) {
        w->unreadable = true;
        w->gone = !fs_exists(w->conf.state_dir);
        return;
    }
    bool had = w->seen;
    w->gone = had;
    recordlog_each(log, take_record, w);
    recordlog_close(log);
    if (damage) { /* a record that is being written looks like that; the next look tells */
        w->unreadable = true;
        w->gone = false;
    }
}

/* ---- the release ------------------------------------------------------------------------------------- */

static void release(Watcher *w)
{
    Err err;
    char limit[CLOCK_TEXT];
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    AUTOFREE char *dir = fs_program_dir();
    AUTOFREE char *program = xasprintf("%s/siding-agent", dir);
    AUTOFREE char *log = xasprintf("%s/watcher.log", w->conf.state_dir);
    strlist_addf(&args, "--config=%s", w->config);
    strlist_add(&args, "--release");
    if (geteuid() == 0)
        strlist_add(&args, "--allow-root");
    clock_format_duration(w->lease.limit_ms, limit);
    log_error("the pause of %s (limit %s) is a minute over it, and nobody has ended it: it is released",
              w->lease.owner ? w->lease.owner : "nobody", limit);
    Subprocess p = {.program = program, .args = &args, .log = log};
    if (subprocess_do(&p, &err))
        log_info("released");
    else
        log_error("not released: %s; it is tried again in a minute", err.text);
    w->again_ms = clock_mono_ms() + AGAIN_MS;
}

static bool is_over(const Watcher *w)
{
    if (w->gone)
        return true;
    return !w->seen && clock_mono_ms() - w->begun_ms > PATIENCE_MS;
}

static void watch(Watcher *w)
{
    for (;;) {
        read_journal(w);
        if (is_over(w))
            return;
        LeaseWatch verdict = LEASE_WATCH_WAITS;
        if (w->seen)
            verdict = lease_watch(&w->lease, w->state < PAUSE_RESUMING, clock_boot_id(), clock_mono_ms(),
                                  clock_wall_ms());
        /* Who lives is asked only now: asking takes the agent's lock for a moment, if nobody has it. */
        bool due = verdict == LEASE_WATCH_RELEASE ||
                   (verdict == LEASE_WATCH_RELEASE_DEAD && !is_locked(w->conf.state_dir, "lock"));
        if (due && clock_mono_ms() >= w->again_ms)
            release(w);
        poll(NULL, 0, LOOK_MS);
    }
}

static bool run(Watcher *w, Err *err)
{
    if (!w->config)
        return err_set(err, ERR_USAGE, 0, "--config is needed");
    if (!agent_config_load(w->config, &w->conf, err))
        return false;
    w->lock_fd = open_lock(w->conf.state_dir, "watcher");
    if (w->lock_fd < 0)
        return err_errno(err, errno, "open %s/watcher", w->conf.state_dir);
    if (flock(w->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return true; /* another one watches */
    w->begun_ms = clock_mono_ms();
    watch(w);
    return true;
}

int lease_watch_main(int argc, char **argv)
{
    Err err;
    WatchArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("watch", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent watch --config FILE",
                         "Releases a pause a minute after its limit, whoever lives.", special);
    Watcher w = {.config = args.config, .lock_fd = -1};
    bool ok = run(&w, &err);
    if (w.lock_fd >= 0)
        close(w.lock_fd);
    wire_free(lease_fields, &w.lease);
    agent_config_free(&w.conf);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("watch", &err);
}
