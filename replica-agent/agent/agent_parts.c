/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "reload.h"
#include "replica-agent/agent/do/copies.h"
#include "replica-agent/agent/do/operation.h"
#include "replica-agent/agent/do/spool.h"
#include "replica-agent/agent/do/watcher.h"

enum { WORKERS = 4, MAX_QUEUED = 16 };

static bool make_folders(Agent *a, Err *err)
{
    AUTOFREE char *runs = store_path(a, "runs");
    return fs_mkdirs(a->conf.state_dir, 0700, err) && fs_mkdirs(runs, 0700, err) &&
           fs_mkdirs(a->conf.spool_dir, 0700, err);
}

static bool lock_state(Agent *a, Err *err)
{
    AUTOFREE char *path = store_path(a, "lock");
    a->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (a->lock_fd < 0)
        return err_errno(err, errno, "open %s", path);
    if (flock(a->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, 0, "another agent works with %s", a->conf.state_dir);
    return true;
}

bool agent_take_folders(Agent *a, Err *err)
{
    return make_folders(a, err) && lock_state(a, err);
}

static void on_probe_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    probe_begin(arg);
}

bool agent_open(Agent *a, event_callback_fn tick, Err *err)
{
    if (!agent_take_folders(a, err))
        return false;
    db_library_begin();
    a->base = event_base_new();
    (void)event_base_priority_init(a->base, HTTP_PRIORITIES);
    a->probes = work_new(a->base, "probe", 1, 2);
    a->work = work_new(a->base, "work", WORKERS, MAX_QUEUED);
    spool_sweep(a);
    a->seq = clock_wall_ms();
    a->s.known.spool_free = a->s.known.state_free = a->s.known.relay_free = -1;
    a->s.known.boot_id = clock_boot_id();
    lag_done(&a->s.known.lag);
    a->tick = event_new(a->base, -1, EV_PERSIST, tick, a);
    a->probe_timer = evtimer_new(a->base, on_probe_timer, a);
    job_list_load(&a->conf, &a->jobs);
    for (size_t i = 0; i < a->jobs.warnings.n; i++)
        log_warn("%s", a->jobs.warnings.v[i]);
    reload_rules(a);
    loop_open(a);
    vault_open(a);
    disk_watch_open(a);
    if (!store_open(a, err))
        return false;
    Input *boot = queue_input(IN_BOOT, NULL);
    boot->flag = vault_is_empty(&a->vault.place); /* before this agent keeps anything */
    queue_post(a, boot);
    return a->release.wanted || api_open(a, err);
}

void agent_tick(Agent *a)
{
    log_tick();
    vault_tick(a);
    rescue_tick(a);
    fill_look(a);
    watcher_tick(a);
    programs_tick(a);
    splits_tick(a);
    sampler_tick(a);
    source_look_tick(a);
    disk_watch_tick(a);
    purge_tick(a);
    if (!a->loop.held_since_ms)
        queue_post(a, queue_input(IN_TICK, NULL));
    api_tick(a);
    release_tick(a);
    tell_tick(a);
    if (cert_watch(&a->certificate, &a->conf.tls))
        tell_event(a, "warn", "certificate", NULL, "%s", a->certificate.warning);
}

static void free_events(Agent *a)
{
    struct event *const all[] = {a->tick,       a->probe_timer, a->news,
                                 a->signals[0], a->signals[1],  a->signals[2]};
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i])
            event_free(all[i]);
    if (a->base)
        event_base_free(a->base);
}

void agent_close(Agent *a)
{
    a->stopping = true;
    if (a->http)
        api_close(a);
    operation_cancel_all();
    if (a->probes)
        work_free(a->probes);
    if (a->work)
        work_free(a->work);
    vault_close(a);
    probe_close(a);
    contact_close(a);
    rescue_close(a);
    fill_close(a);
    programs_close(a);
    splits_close(a);
    sql_drop_held(a);
    copies_close(a);
    sampler_close(a);
    source_look_close(a);
    disk_watch_close(a);
    tell_close(a);
    store_close(a);
    purge_close(a);
    loop_close(a);
    agent_state_done(&a->s);
    job_list_done(&a->jobs);
    free(a->certificate.warning);
    free(a->reload_trouble);
    free(a->release.said);
    free(a->release.position);
    free(a->data_dir);
    free_events(a);
    if (a->lock_fd >= 0)
        close(a->lock_fd);
    a->lock_fd = -1;
}
