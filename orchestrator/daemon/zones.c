/* SPDX-License-Identifier: Apache-2.0 */
#include "zones.h"

#include <string.h>
#include <sys/stat.h>

#include "common/file/fs.h"
#include "orchestrator/core/recur.h"

#define DATABASE "/usr/share/zoneinfo"
#define HERE "/etc/localtime"

enum { FILE_BYTES = 1 << 17, CACHED = 32 };

typedef struct CachedZone {
    char *path;
    Zone *zone;
    struct timespec changed;
    ino_t file;
} CachedZone;

struct Zones {
    CachedZone v[CACHED];
    size_t next; /* to be given up */
};

static void give_up(CachedZone *z)
{
    free(z->path);
    zone_free(z->zone);
    *z = (CachedZone){0};
}

static bool is_current(const CachedZone *z, const struct stat *st)
{
    return z->zone && z->file == st->st_ino && z->changed.tv_sec == st->st_mtim.tv_sec &&
           z->changed.tv_nsec == st->st_mtim.tv_nsec;
}

static CachedZone *slot_for(struct Zones *all, const char *path)
{
    for (size_t i = 0; i < CACHED; i++)
        if (str_eq(all->v[i].path, path))
            return &all->v[i];
    CachedZone *z = &all->v[all->next++ % CACHED];
    give_up(z);
    return z;
}

static bool read_zone(const char *path, const struct stat *st, CachedZone *to, Err *err)
{
    AUTO(str_done) Str bytes = STR_INIT;
    Zone *z;
    if (!fs_read(path, FILE_BYTES, &bytes, err) || !zone_parse(str_z(&bytes), bytes.len, &z, err))
        return false;
    give_up(to);
    *to = (CachedZone){xstrdup(path), z, st->st_mtim, st->st_ino};
    return true;
}

bool zones_find(const Coord *c, const char *name, const Zone **ret, Err *err)
{
    struct stat st;
    if (name && !zone_name_is_plain(name))
        return err_set(err, ERR_USAGE, 0,
                       "\"%.64s\" is no name of a time zone; write for instance Europe/Zurich", name);
    AUTOFREE char *path = name ? xasprintf(DATABASE "/%s", name) : xstrdup(HERE);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_USAGE, 0, "there is no time zone \"%s\" here: %s is missing%s",
                       name ? name : "", path,
                       name ? "; install tzdata, or name another" : "; name one by --zone");
    CachedZone *z = slot_for(c->zones, path);
    if (!is_current(z, &st) && !read_zone(path, &st, z, err)) {
        err->kind = ERR_USAGE;
        return err_prefix(err, "%s", path);
    }
    *ret = z->zone;
    return true;
}

const Zone *zones_of_task(const Coord *c, const Task *t)
{
    const Zone *z = NULL;
    Err ignored;
    return recur_has_cron(t) && zones_find(c, recur_zone(t), &z, &ignored) ? z : NULL;
}

void zones_open(Coord *c)
{
    c->zones = NEW(struct Zones);
}

void zones_free(Coord *c)
{
    for (size_t i = 0; c->zones && i < CACHED; i++)
        give_up(&c->zones->v[i]);
    free(c->zones);
    c->zones = NULL;
}
