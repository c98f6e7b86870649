/* SPDX-License-Identifier: Apache-2.0
 * Preloaded into a daemon, this lets tests set its clock and reboot its host: the folder named by
 * SIDING_TEST_HOST holds "clock" (two numbers of 64 bits: milliseconds added to the wall clock and to the
 * clock since boot, looked at on every call) and "boot_id", read in place of the kernel's.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;
static char boot_id[4000];

__attribute__((constructor)) static void look(void)
{
    char path[4096];
    const char *host = getenv("SIDING_TEST_HOST");
    if (!host)
        return;
    snprintf(boot_id, sizeof boot_id, "%s/boot_id", host);
    snprintf(path, sizeof path, "%s/clock", host);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 2 * sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        shift = p;
    if (fd >= 0)
        close(fd);
}

static void add(struct timespec *t, int64_t ms)
{
    t->tv_sec += ms / 1000;
    t->tv_nsec += ms % 1000 * 1000000;
    if (t->tv_nsec < 0) {
        t->tv_sec--;
        t->tv_nsec += 1000000000;
    } else if (t->tv_nsec >= 1000000000) {
        t->tv_sec++;
        t->tv_nsec -= 1000000000;
    }
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ret);
    if (rc == 0 && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        add(ret, shift[0]);
    if (rc == 0 && shift && id == CLOCK_BOOTTIME)
        add(ret, shift[1]);
    return rc;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return -1;
    *ret = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (ret)
        *ret = t.tv_sec;
    return t.tv_sec;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    static FILE *(*real)(const char *, const char *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    bool asks =
        *boot_id && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 && access(boot_id, R_OK) == 0;
    return real(asks ? boot_id : path, mode);
}
