/* SPDX-License-Identifier: Apache-2.0
 * Preloaded into a program, this changes the digit before the last three bytes of a file that gets the name
 * SIDING_TEST_DAMAGE, at once after the rename.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void damage(const char *path)
{
    char digit;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t at = lseek(fd, -4, SEEK_END);
    if (fd < 0 || pread(fd, &digit, 1, at) != 1)
        abort();
    digit ^= 1;
    if (pwrite(fd, &digit, 1, at) != 1)
        abort();
    close(fd);
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    const char *name = strrchr(to, '/'), *wanted = getenv("SIDING_TEST_DAMAGE");
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "rename");
    int done = real(from, to);
    if (done == 0 && name && wanted && strcmp(name + 1, wanted) == 0)
        damage(to);
    return done;
}
