/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/password.h"
#include "common/file/fs.h"
#include "common/file/json.h"

enum { OWNER_CHARS = 32 };

static char *path_of(const Coord *c, const char *file)
{
    return xasprintf("%s/%s", c->conf.state_dir, file);
}

bool coord_journal_lock(Coord *c, Err *err)
{
    if (!fs_mkdirs(c->conf.state_dir, 0750, err))
        return false;
    AUTOFREE char *path = path_of(c, "sidingd.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char pid[32] = "";
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
        close(fd);
        return err_set(
            err, ERR_CONFLICT, 0,
            "another sidingd (process %s) uses state_dir %s: one coordinator a folder and a cluster", pid,
            c->conf.state_dir);
    }
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size)
        c->alive_until = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    AUTOFREE char *text = xasprintf("%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, strlen(text), 0) < 0) {
        err_errno(err, errno, "write %s", path);
        close(fd);
        return false;
    }
    c->lock_fd = fd;
    return true;
}

void coord_journal_alive(const Coord *c)
{
    (void)!futimens(c->lock_fd, NULL);
}

static bool save(Coord *c, const CoordJournal *j, Err *err)
{
    AUTOJSON json_t *o = json_object();
    json_set_str(o, "cluster_name", c->conf.cluster_name);
    json_set_int(o, "term", j->term);
    json_set_str(o, "owner", j->owner);
    json_set_str(o, "primary", j->primary);
    json_set_str(o, "address", j->address);
    json_set_int(o, "port", j->port);
    json_object_set(o, "failover", j->failover ? j->failover : json_null());
    AUTOFREE char *path = path_of(c, "cluster.json");
    return json_replace_file(path, o, 0640, err);
}

bool coord_journal_open(Coord *c, Err *err)
{
    AUTOFREE char *path = path_of(c, "cluster.json");
    AUTOJSON json_t *o = NULL;
    if (!json_read_file(path, &o, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return err_prefix(err, "the cluster journal cannot be read; move it away to start afresh");
    } else {
        const char *name = json_str(o, "cluster_name");
        if (*name && !str_eq(name, c->conf.cluster_name))
            return err_set(err, ERR_CONFIG, 0, "%s belongs to cluster \"%s\", the configuration says \"%s\"",
                           path, name, c->conf.cluster_name);
        c->journal.term = json_int(o, "term");
        snprintf(c->journal.owner, sizeof c->journal.owner, "%s", json_str(o, "owner"));
        c->journal.primary = *json_str(o, "primary") ? xstrdup(json_str(o, "primary")) : NULL;
        c->journal.address = *json_str(o, "address") ? xstrdup(json_str(o, "address")) : NULL;
        c->journal.port = json_int(o, "port");
        json_t *failover = json_object_get(o, "failover");
        c->journal.failover = json_is_object(failover) ? json_incref(failover) : NULL;
    }
    if (!*c->journal.owner)
        random_password(c->journal.owner, OWNER_CHARS);
    return coord_journal_set_term(c, c->journal.term + 1, err);
}

bool coord_journal_set_term(Coord *c, int64_t term, Err *err)
{
    CoordJournal j = c->journal;
    j.term = term;
    if (!save(c, &j, err))
        return false;
    c->journal.term = term;
    return true;
}

bool coord_journal_set_primary(Coord *c, const char *name, const char *address, int64_t port, Err *err)
{
    CoordJournal j = c->journal;
    j.primary = (char *)name;
    j.address = (char *)address;
    j.port = port;
    if (!save(c, &j, err))
        return false;
    j.primary = xstrdup(name);
    j.address = xstrdup(address);
    free(c->journal.primary);
    free(c->journal.address);
    c->journal = j;
    return true;
}

bool coord_journal_set_failover(Coord *c, json_t *failover, Err *err)
{
    CoordJournal j = c->journal;
    j.failover = failover;
    if (!save(c, &j, err)) {
        json_decref(failover);
        return false;
    }
    json_decref(c->journal.failover);
    c->journal.failover = failover;
    return true;
}

void coord_journal_close(Coord *c)
{
    free(c->journal.primary);
    free(c->journal.address);
    json_decref(c->journal.failover);
    c->journal.primary = c->journal.address = NULL;
    c->journal.failover = NULL;
}
