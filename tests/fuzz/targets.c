/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "fuzz.h"

const FuzzTarget *fuzz_target(size_t i)
{
    static const FuzzTarget *const groups[] = {fuzz_lines, fuzz_json,     fuzz_files, fuzz_bytes,
                                               fuzz_doors, fuzz_handlers, fuzz_agent};
    for (size_t g = 0; g < COUNT(groups); g++)
        for (const FuzzTarget *t = groups[g]; t->name; t++)
            if (i-- == 0)
                return t;
    return NULL;
}

void fuzz_examples(const FuzzTarget *t, FuzzAdd add, void *arg)
{
    for (const char *const *e = t->examples; e && *e; e++)
        add(arg, *e, strlen(*e));
    if (t->make)
        t->make(add, arg);
}

/* libconfig forgets an unfinished string of a file that it refuses. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

/* ---- files --------------------------------------------------------------------------------------- */

static char folder[300];

static void remove_folder(void)
{
    Err ignored;
    (void)!fs_remove_tree(folder, &ignored);
}

/* In memory, if it can be: most of what is written is synced. */
const char *fuzz_folder(void)
{
    if (!*folder) {
        const char *tmp = getenv("TMPDIR"), *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(folder, sizeof folder, "%s/siding-fuzz-XXXXXX", tmp ? tmp : memory);
        MUST(mkdtemp(folder));
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file(const char *name, const char *bytes, size_t n)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    AUTOFD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    return path;
}
