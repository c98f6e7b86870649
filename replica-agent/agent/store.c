/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "common/base/log.h"
#include "common/file/fs.h"

enum { RESERVE_BYTES = 256 << 10 };

char *store_path(Agent *a, const char *name)
{
    return xasprintf("%s/%s", a->conf.state_dir, name);
}

void store_keep_reserve(Agent *a)
{
    AUTOFREE char *path = store_path(a, "reserve");
    if (fs_size(path) >= RESERVE_BYTES)
        return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
    if (fd >= 0)
        close(fd);
    if (rc && !a->store_trouble)
        log_warn("cannot keep %d bytes in reserve at %s: %s", RESERVE_BYTES, path, strerror(rc));
    a->store_trouble = rc != 0;
}

bool store_write(Agent *a, const char *name, const WireField *fields, const void *s, Err *err)
{
    AUTOFREE char *path = store_path(a, name);
    AUTOJSON json_t *j = wire_write(fields, s);
    if (json_replace_file(path, j, 0600, err))
        return true;
    AUTOFREE char *reserve = store_path(a, "reserve");
    if (err->kind != ERR_NO_SPACE || unlink(reserve) < 0)
        return false;
    log_warn("%s: writing it with the space kept in reserve", err->text);
    return json_replace_file(path, j, 0600, err);
}

bool store_read(Agent *a, const char *name, const WireField *fields, void *ret, Err *err)
{
    AUTOFREE char *path = store_path(a, name);
    AUTOJSON json_t *j = NULL;
    if (!json_read_file(path, &j, err))
        return false;
    return wire_read(fields, j, ret, err) ? true : err_prefix(err, "%s", path);
}

bool store_remove(Agent *a, const char *name, Err *err)
{
    AUTOFREE char *path = store_path(a, name);
    return fs_remove(path, err) && fs_sync_dir(a->conf.state_dir, err);
}
