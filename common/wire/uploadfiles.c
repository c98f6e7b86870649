/* SPDX-License-Identifier: Apache-2.0 */
#include "uploadfiles.h"

#include "common/file/resultname.h"

bool uploadfiles_check(const char *mode, const char *target, const json_t *files, Err *err)
{
    if (!*mode || str_eq(mode, "program"))
        return true;
    AUTOFREE char *stem = resultname_stem(target);
    size_t i;
    json_t *f;
    json_array_foreach((json_t *)(uintptr_t)files, i, f)
    {
        const char *name = json_str(f, "name");
        if (json_int(f, "bytes") && !resultname_is_rows_of(name, stem))
            return err_set(
                err, ERR_REFUSED, 0,
                "%.300s would not be loaded: files for upload \"%s\" into %s are named %s.*.tsv or "
                "%s.*.tsv.gz; name it so, or do not leave it in the result",
                name, mode, target, stem, stem);
    }
    return true;
}
