/* SPDX-License-Identifier: Apache-2.0
 * A result folder as whoever ran the job may have left it. Every file is opened below the folder, never
 * through a link, and looked at before a byte of it is read.
 */
#pragma once

#include "common/base/str.h"

typedef struct SealFolder {
    const char *path;
    int fd;
} SealFolder;

/* `path` is borrowed. */
MUST_CHECK bool seal_folder_open(const char *path, SealFolder *ret, Err *err);
void seal_folder_done(SealFolder *f);

/* The names of all its files, sorted. ERR_REFUSED names what a result does not hold: links, devices, files
 * with more than one name or with setuid, folders too deep, files that are mostly holes. */
MUST_CHECK bool seal_folder_list(const SealFolder *f, StrList *ret, Err *err);

/* A file that is there, for reading; -1 on failure. */
int seal_folder_read(const SealFolder *f, const char *name, Err *err);
/* A file that is made anew in place of whatever had the name; -1 on failure. */
int seal_folder_create(const SealFolder *f, const char *name, Err *err);
bool seal_folder_has(const SealFolder *f, const char *name);
MUST_CHECK bool seal_folder_rename(const SealFolder *f, const char *from, const char *to, Err *err);
MUST_CHECK bool seal_folder_remove(const SealFolder *f, const char *name, Err *err); /* absent is fine */
/* All of its folders on the disk, open to their owner alone. */
MUST_CHECK bool seal_folder_sync(const SealFolder *f, Err *err);

/* What names the open file to those who take paths. Owned. */
char *seal_fd_path(int fd);
