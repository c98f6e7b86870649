/* SPDX-License-Identifier: Apache-2.0
 * Files: whole-file reads, durable replacement, folders, free space. Every path in an error text.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "common/base/str.h"

/* `AUTOFD int fd = open(…);` closes it at scope end. */
void fs_close_fd(int *fd);
#define AUTOFD AUTO(fs_close_fd)

MUST_CHECK bool fs_read(const char *path, size_t max_bytes, Str *ret, Err *err); /* ERR_NOT_FOUND if absent */
/* Writes path.tmp, which it makes anew, fsyncs it, renames it over path, fsyncs the folder: after a crash
 * path is old or new. */
MUST_CHECK bool fs_replace(const char *path, const void *bytes, size_t n, mode_t mode, Err *err);
typedef struct FsBytes {
    const void *bytes;
    size_t n;
    mode_t mode;
} FsBytes;
/* The same, and gives it to an account; -1: to nobody else. */
MUST_CHECK bool fs_replace_for(const char *path, const FsBytes *b, uid_t uid, gid_t gid, Err *err);
MUST_CHECK bool fs_mkdirs(const char *path, mode_t mode, Err *err); /* parents too; existing is fine */
MUST_CHECK bool fs_sync_dir(const char *path, Err *err);
MUST_CHECK bool fs_sync_file(const char *path, Err *err);
MUST_CHECK bool fs_remove(const char *path, Err *err);            /* a file; absent is fine */
MUST_CHECK bool fs_remove_tree(const char *path, Err *err);       /* never follows links; absent is fine */
MUST_CHECK bool fs_list(const char *dir, StrList *ret, Err *err); /* names, sorted, without . and .. */
MUST_CHECK bool fs_free_bytes(const char *path, int64_t *ret, Err *err);
/* Opens what stands below a folder; symbolic links and ways out of it are refused by the kernel. A file
 * descriptor, -1 on failure. */
int fs_open_beneath(int folder, const char *name, int flags, mode_t mode, Err *err);
bool fs_exists(const char *path);
int64_t fs_size(const char *path);      /* -1 if absent */
int64_t fs_tree_bytes(const char *dir); /* sizes of all files below, as far as they can be read */
/* Refuses a file that others than its owner can read (secrets), naming the chmod that mends it. */
MUST_CHECK bool fs_check_private(const char *path, Err *err);
char *fs_dirname(const char *path); /* owned */
/* The folder of the running executable (/proc/self/exe), where the sibling programs are. Owned. */
char *fs_program_dir(void);
