/* SPDX-License-Identifier: Apache-2.0 */
#include "logs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"

static char *folder(const char *state_dir, const char *id)
{
    return xasprintf("%s/logs/%s", state_dir, id);
}

static void remove_old(const char *state_dir)
{
    Err err;
    struct stat st;
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    AUTOFREE char *logs = xasprintf("%s/logs", state_dir);
    int64_t oldest_s = clock_wall_ms() / 1000 - (int64_t)LOGS_KEEP_DAYS * 86400;
    if (!fs_list(logs, &ids, &err))
        return;
    for (size_t i = 0; i < ids.n; i++) {
        AUTOFREE char *dir = folder(state_dir, ids.v[i]);
        if (stat(dir, &st) == 0 && st.st_mtime < oldest_s && !fs_remove_tree(dir, &err))
            log_warn("old logs stay: %s", err.text);
    }
}

bool logs_keep(const char *state_dir, const char *id, const char *program_dir, Err *err)
{
    static const char *const names[] = {"log", "log.1", "log.start", "err", "err.1", "err.start"};
    AUTOFREE char *dir = folder(state_dir, id);
    if (!fs_mkdirs(dir, 0700, err))
        return false;
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTOFREE char *from = xasprintf("%s/%s", program_dir, names[i]);
        AUTOFREE char *to = xasprintf("%s/%s", dir, names[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return err_errno(err, errno, "move %s to %s", from, to);
    }
    remove_old(state_dir);
    return true;
}

char *logs_find(const char *state_dir, const char *id)
{
    AUTOFREE char *dir = folder(state_dir, id);
    return fs_exists(dir) ? STEAL(dir) : NULL;
}
