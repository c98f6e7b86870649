/* SPDX-License-Identifier: Apache-2.0 */
#include "filelist.h"

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/file/sha256.h"

static bool check_there(const Folder *f, const json_t *listed, Err *err)
{
    const char *name = json_str(listed, "name");
    AUTOFREE char *path = xasprintf("%s/%s", f->path, name);
    int64_t want = json_int(listed, "compressed_bytes"), is = fs_size(path);
    if (is == want)
        return true;
    return is < 0 ? err_set(err, ERR_CORRUPT, 0, "%s is missing: the dump's list has it", path)
                  : err_set(err, ERR_CORRUPT, 0, "%s has %lld bytes, the dump's list says %lld", path,
                            (long long)is, (long long)want);
}

static json_t *by_name(const Folder *f)
{
    json_t *names = json_object(), *file;
    size_t i;
    json_array_foreach(json_object_get(f->about, "files"), i, file)
        json_object_set(names, json_str(file, "name"), file);
    return names;
}

bool filelist_check(const Folder *f, Err *err)
{
    size_t i;
    json_t *file;
    AUTOJSON json_t *names = by_name(f);
    if (!json_object_size(names))
        return err_set(err, ERR_CORRUPT, 0, "the list of files of %s is empty", f->path);
    json_array_foreach(json_object_get(f->about, "files"), i,
                       file) if (!check_there(f, file, err)) return false;
    for (size_t n = 0; n < f->n_files; n++)
        if (!json_object_get(names, f->files[n].name))
            return err_set(err, ERR_CORRUPT, 0,
                           "%s/%s is a file of a dump that the list of this one does not have: whose is it?",
                           f->path, f->files[n].name);
    return true;
}

static const json_t *entry(const Folder *f, const char *name)
{
    size_t i;
    json_t *file;
    json_array_foreach(json_object_get(f->about, "files"), i,
                       file) if (str_eq(json_str(file, "name"), name)) return file;
    return NULL;
}

bool filelist_check_bytes(const Folder *f, const char *name, Err *err)
{
    const char *want = json_str(entry(f, name), "sha256");
    AUTOFREE char *path = xasprintf("%s/%s", f->path, name);
    char is[65];
    if (!*want)
        return true;
    if (!sha256_file(path, is, err))
        return false;
    return str_eq(is, want) ||
           err_set(err, ERR_CORRUPT, 0, "its bytes are damaged: their SHA-256 is %s, the dump's list says %s",
                   is, want);
}
