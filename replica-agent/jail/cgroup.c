/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/file/fs.h"

enum { LOOK_MS = 10, TEXT_MAX = 1 << 20 };

static bool write_file(const char *dir, const char *name, const char *text)
{
    AUTOFREE char *path = xasprintf("%s/%s", dir, name);
    AUTOFD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Where the hierarchy of version 2 is mounted, on hosts with both versions beside the others. */
static const char *mount_point(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < COUNT(places); i++) {
        AUTOFREE char *path = xasprintf("%s/cgroup.procs", places[i]);
        AUTOFREE char *two = xasprintf("%s/cgroup.subtree_control", places[i]);
        if (fs_exists(path) && fs_exists(two))
            return places[i];
    }
    return NULL;
}

/* "0::/system.slice/…" of /proc/self/cgroup. Owned. */
static char *own_group(void)
{
    Err ignored;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    const char *mounted = mount_point();
    if (!mounted || !fs_read("/proc/self/cgroup", TEXT_MAX, &text, &ignored))
        return NULL;
    strlist_split(&lines, str_z(&text), '\n');
    for (size_t i = 0; i < lines.n; i++)
        if (str_starts(lines.v[i], "0::/"))
            return xasprintf("%s%s", mounted, str_eq(lines.v[i], "0::/") ? "" : lines.v[i] + 3);
    return NULL;
}

static void limit(const char *path, const char *file, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld\n", (long long)value);
    if (value > 0)
        (void)write_file(path, file, text);
}

char *cgroup_make(const char *name, int64_t memory_bytes, int64_t tasks)
{
    AUTOFREE char *own = own_group();
    if (!own)
        return NULL;
    AUTOFREE char *path = xasprintf("%s/%s", own, name);
    AUTOFREE char *kill_file = xasprintf("%s/cgroup.kill", path);
    if (mkdir(path, 0755) < 0)
        return NULL;
    if (!fs_exists(kill_file)) { /* an old kernel: nothing that it would be good for */
        rmdir(path);
        return NULL;
    }
    limit(path, "memory.max", memory_bytes);
    limit(path, "pids.max", tasks);
    return STEAL(path);
}

bool cgroup_enter(const char *path, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%d\n", (int)pid);
    return write_file(path, "cgroup.procs", text);
}

static bool is_empty(const char *path)
{
    Err ignored;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *events = xasprintf("%s/cgroup.events", path);
    return !fs_read(events, 4096, &text, &ignored) || strstr(str_z(&text), "populated 0");
}

bool cgroup_end(const char *path, int64_t wait_ms)
{
    int64_t until = clock_mono_ms() + wait_ms;
    do {
        (void)write_file(path, "cgroup.kill", "1\n");
        if (is_empty(path)) {
            rmdir(path);
            return true;
        }
        clock_sleep_ms(LOOK_MS);
    } while (clock_mono_ms() < until);
    return false;
}
