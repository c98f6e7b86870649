/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue_programs.h"

#include <unistd.h>

#include "common/base/str.h"

char *rescue_program(const char *name)
{
    static const char *const folders[] = {"/usr/bin", "/usr/local/bin", "/usr/sbin"};
    for (size_t i = 0; i < COUNT(folders); i++) {
        char *path = xasprintf("%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

bool rescue_check_programs(Err *err)
{
    static const char *const names[] = {"mariadb-binlog", "mariadb"};
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTOFREE char *path = rescue_program(names[i]);
        if (!path)
            return err_set(err, ERR_REFUSED, 0, "%s is not installed (Debian package mariadb-client)",
                           names[i]);
    }
    return true;
}
