/* SPDX-License-Identifier: Apache-2.0
 * What an agent finds at its start: the journal, or once the files of an older version; each part goes to its
 * owner.
 */
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"

/* ---- the files of an older version -----------------------------------------------------------------------
 */

static const struct {
    const char *file, *key;
} old_files[] = {{"lease.json", "lease"}, {"role.json", "role"},   {"server.json", "server"},
                 {"hook.json", "hook"},   {"rates.json", "rates"}, {"replay.json", "ways"},
                 {"purge.json", "purge"}, {"relay.json", "relay"}, {"events.json", "events"}};

static void add_old(Agent *a, const char *path, char *key)
{
    Err err;
    json_t *j = NULL;
    if (json_read_file(path, &j, &err)) {
        store_put(a, key, j);
        return;
    }
    if (err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
    /* One that cannot be read is one to be ended. */
    if (err.kind != ERR_NOT_FOUND && str_eq(key, "lease"))
        store_put(a, key, json_object());
    else
        free(key);
}

static void each_old(Agent *a, void (*each)(Agent *a, const char *path, char *key))
{
    Err err;
    AUTO(strlist_done) StrList runs = STRLIST_INIT;
    AUTOFREE char *dir = store_path(a, "runs");
    for (size_t i = 0; i < COUNT(old_files); i++) {
        AUTOFREE char *path = store_path(a, old_files[i].file);
        each(a, path, xstrdup(old_files[i].key));
    }
    if (!fs_list(dir, &runs, &err))
        return;
    for (size_t i = 0; i < runs.n; i++) {
        AUTOFREE char *path = xasprintf("%s/%s/run.json", dir, runs.v[i]);
        if (fs_exists(path))
            each(a, path, xasprintf("run/%s", runs.v[i]));
    }
}

static void remove_old(Agent *a, const char *path, char *key)
{
    Err err;
    (void)a;
    if (!fs_remove(path, &err))
        log_warn("%s", err.text);
    free(key);
}

static int64_t changed_at(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : -1;
}

/* An older agent that ran after this journal was written knows better. */
static bool is_newer(Agent *a, int64_t journal_ns)
{
    for (size_t i = 0; i < COUNT(old_files); i++) {
        AUTOFREE char *path = store_path(a, old_files[i].file);
        if (changed_at(path) > journal_ns)
            return true;
    }
    return false;
}

/* Once, and whole: the files go only when the journal has what they held. */
static bool take_over_old(Agent *a, int64_t journal_ns, Err *err)
{
    Store *s = &a->store;
    if (!recordlog_is_new(s->log) && !is_newer(a, journal_ns)) {
        each_old(a, remove_old);
        return true;
    }
    each_old(a, add_old);
    bool ok = s->n == 0 || recordlog_append(s->log, s->waiting, s->n, err);
    recordlog_free_records(s->waiting, s->n);
    s->waiting = NULL;
    s->n = 0;
    if (ok)
        each_old(a, remove_old);
    return ok;
}

/* ---- opening ---------------------------------------------------------------------------------------------
 */

static void restore(void *arg, const char *key, const json_t *value)
{
    Err err;
    Agent *a = arg;
    bool ok = str_eq(key, "purge")        ? purge_restore(a, value, &err)
              : str_eq(key, "relay")      ? vault_restore(a, value, &err)
              : str_eq(key, "events")     ? tell_restore_all(a, value, &err)
              : str_eq(key, "told")       ? tell_restore_told(a, value, &err)
              : str_starts(key, "event/") ? tell_restore(a, value, &err)
                                          : agent_restore(&a->s, key, value, clock_wall_ms(), &err);
    if (!ok)
        log_error("the journal: %s", err.text);
}

/* Where nothing could be read a pause may have been in force: it is taken for one that nobody wants any more.
 */
static void take_damage(Agent *a, const char *damage)
{
    Err err;
    tell_event(a, "error", "node", NULL, "the agent's journal in %s was damaged: %s", a->conf.state_dir,
               damage);
    agent_records_lost(&a->s);
    AUTOJSON json_t *unknown = json_object();
    if (a->s.durable.pause == PAUSE_NONE && !agent_restore(&a->s, "lease", unknown, clock_wall_ms(), &err))
        log_warn("a lease that may have been lost is taken for one to be ended");
}

bool store_open(Agent *a, Err *err)
{
    Store *s = &a->store;
    AUTOFREE char *damage = NULL, *one = store_path(a, "journal.1"), *two = store_path(a, "journal.2");
    int64_t at = changed_at(one) > changed_at(two) ? changed_at(one) : changed_at(two);
    if (!recordlog_open(a->conf.state_dir, "journal", &s->log, &damage, err) || !take_over_old(a, at, err))
        return false;
    s->writer = work_new(a->base, "journal", 1, 2);
    s->next = 1;
    recordlog_each(s->log, restore, a);
    if (damage)
        take_damage(a, damage);
    return true;
}
