/* SPDX-License-Identifier: Apache-2.0 */
#include "seal_encrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/subprocess.h"
#include "common/file/fs.h"
#include "common/file/resultname.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"

static bool pass_through(const Encryptor *e, const char *name, int in, int out, Err *err)
{
    Subprocess program = {.program = e->program, .args = e->args, .kept = true, .in = in, .out = out};
    struct stat clear, secret;
    if (!subprocess_do(&program, err))
        return err_prefix(err, "%s", name);
    if (fstat(in, &clear) == 0 && fstat(out, &secret) == 0 && clear.st_size && !secret.st_size)
        return err_set(err, ERR_IO, 0, "%s: %s gave nothing for %lld bytes", name, e->program,
                       (long long)clear.st_size);
    return fsync(out) == 0 || err_errno(err, errno, "write what %s gave for %s", e->program, name);
}

/* The clear file goes only when the other is on the disk. */
static bool encrypt(const Encryptor *e, const SealFolder *f, const char *from, const char *to, Err *err)
{
    AUTOFREE char *tmp = xasprintf("%s" RESULTNAME_TMP, to);
    AUTOFD int in = seal_folder_read(f, from, err);
    if (in < 0)
        return false;
    AUTOFD int out = seal_folder_create(f, tmp, err);
    return out >= 0 && pass_through(e, from, in, out, err) && seal_folder_rename(f, tmp, to, err) &&
           seal_folder_remove(f, from, err);
}

static bool measure(const SealFolder *f, const char *name, json_t *file, Err *err)
{
    char sha256[65];
    AUTOFD int fd = seal_folder_read(f, name, err);
    if (fd < 0)
        return false;
    AUTOFREE char *path = seal_fd_path(fd);
    if (!sha256_file(path, sha256, err))
        return false;
    json_set_str(file, "name", name);
    json_set_int(file, "compressed_bytes", fs_size(path));
    json_set_str(file, "sha256", sha256);
    return true;
}

static bool encrypt_one(const Encryptor *e, const SealFolder *f, json_t *file, Err *err)
{
    const char *from = json_str(file, "name");
    AUTOFREE char *to = xasprintf("%s%s", from, e->suffix);
    return (!seal_folder_has(f, from) || encrypt(e, f, from, to, err)) && measure(f, to, file, err);
}

bool seal_encrypt(const Encryptor *e, const SealFolder *folder, json_t *files, Err *err)
{
    size_t i, n = json_array_size(files);
    json_t *file;
    if (!fs_exists(e->facts) && !json_replace_file(e->facts, files, 0600, err))
        return false;
    json_array_foreach(files, i, file)
    {
        progress_set((int64_t)i, (int64_t)n, json_str(file, "name"));
        if (!encrypt_one(e, folder, file, err))
            return false;
    }
    return true;
}
