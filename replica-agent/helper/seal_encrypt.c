/* SPDX-License-Identifier: Apache-2.0 */
#include "seal_encrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/subprocess.h"
#include "common/file/fs.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"

/* The clear file goes only when the other is on the disk. */
static bool encrypt(const Encryptor *e, const char *from, const char *to, Err *err)
{
    AUTOFREE char *tmp = xasprintf("%s.siding-tmp", to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_errno(err, errno, "read %s", from);
    int out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = out >= 0 || err_errno(err, errno, "write %s", tmp);
    Subprocess program = {.program = e->program, .args = e->args, .kept = true, .in = in, .out = out};
    ok = ok && (subprocess_do(&program, err) || err_prefix(err, "%s", from));
    struct stat clear, secret;
    if (ok && fstat(in, &clear) == 0 && fstat(out, &secret) == 0 && clear.st_size && !secret.st_size)
        ok = err_set(err, ERR_IO, 0, "%s: %s gave nothing for %lld bytes", from, e->program,
                     (long long)clear.st_size);
    if (ok && fsync(out) < 0)
        ok = err_errno(err, errno, "write %s", tmp);
    close(in);
    if (out >= 0)
        close(out);
    if (ok && rename(tmp, to) < 0)
        ok = err_errno(err, errno, "rename %s", tmp);
    return ok && fs_remove(from, err);
}

static bool encrypt_one(const Encryptor *e, const char *dir, json_t *file, Err *err)
{
    AUTOFREE char *from = xasprintf("%s/%s", dir, json_str(file, "name"));
    AUTOFREE char *name = xasprintf("%s%s", json_str(file, "name"), e->suffix);
    AUTOFREE char *to = xasprintf("%s/%s", dir, name);
    char sha256[65];
    if ((fs_exists(from) && !encrypt(e, from, to, err)) || !sha256_file(to, sha256, err))
        return false;
    json_set_str(file, "name", name);
    json_set_int(file, "compressed_bytes", fs_size(to));
    json_set_str(file, "sha256", sha256);
    return true;
}

bool seal_encrypt(const Encryptor *e, const char *dir, json_t *files, Err *err)
{
    AUTOFREE char *facts = xasprintf("%s/" SEAL_FACTS_FILE, dir);
    size_t i, n = json_array_size(files);
    json_t *file;
    if (!fs_exists(facts) && !json_replace_file(facts, files, 0600, err))
        return false;
    json_array_foreach(files, i, file)
    {
        progress_set((int64_t)i, (int64_t)n, json_str(file, "name"));
        if (!encrypt_one(e, dir, file, err))
            return false;
    }
    return true;
}
