/* SPDX-License-Identifier: Apache-2.0
 * Preloaded into a program, this kills it (SIGKILL) before its call number SIDING_TEST_KILL_AT of those that
 * change what a crash leaves: fsync, rename, unlinkat, mkdir, chown. From 1 on.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void count(void)
{
    static int calls;
    const char *at = getenv("SIDING_TEST_KILL_AT");
    if (at && ++calls == atoi(at))
        raise(SIGKILL);
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int fsync(int fd)
{
    int (*f)(int);
    *(void **)&f = real("fsync");
    count();
    return f(fd);
}

int rename(const char *from, const char *to)
{
    int (*f)(const char *, const char *);
    *(void **)&f = real("rename");
    count();
    return f(from, to);
}

int unlinkat(int dir, const char *name, int flags)
{
    int (*f)(int, const char *, int);
    *(void **)&f = real("unlinkat");
    count();
    return f(dir, name, flags);
}

int mkdir(const char *path, mode_t mode)
{
    int (*f)(const char *, mode_t);
    *(void **)&f = real("mkdir");
    count();
    return f(path, mode);
}

int chown(const char *path, uid_t uid, gid_t gid)
{
    int (*f)(const char *, uid_t, gid_t);
    *(void **)&f = real("chown");
    count();
    return f(path, uid, gid);
}
