/* SPDX-License-Identifier: Apache-2.0 */
#include "clean_end.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "replica-agent/core/le.h"

enum {
    MAGIC = 4,
    HEADER = 19, /* of an event: time 4, type 1, server 4, length 4, end 4, flags 2 */
    CREATED = MAGIC + HEADER + 2 + 50,
    FORMAT_DESCRIPTION = 15,
    STOP = 3,
    ROTATE = 4,
    CHECKSUM = 4,
    ENCRYPTION_HEADER = 512, /* of MySQL, before the first byte of an encrypted file */
    NO_EVENT_THERE = 1220    /* ER_ERROR_WHEN_EXECUTING_COMMAND */
};

typedef enum LastEvent { LAST_OTHER, LAST_STOP, LAST_ROTATE } LastEvent;

typedef struct EndedLog {
    const char *path;
    int64_t size;
    bool encrypted; /* by MySQL: a header of its own, then every event where it would be without */
    int64_t opened_ms;
    bool first; /* of its process; not known of an encrypted one */
} EndedLog;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* When the file was made, which is when the server began it. */
static bool born(const char *path, int64_t *ret_ms, char **ret_why)
{
    struct statx x;
    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &x) == 0 && (x.stx_mask & STATX_BTIME)) {
        *ret_ms = x.stx_btime.tv_sec * 1000 + x.stx_btime.tv_nsec / 1000000;
        return true;
    }
    *ret_why = xasprintf("%s is encrypted, and its file system does not say when it was made", path);
    return false;
}

static bool read_begin(const char *path, EndedLog *ret, char **ret_why)
{
    struct stat st;
    unsigned char head[CREATED + 4];
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        *ret_why = xasprintf("%s: %s", path, strerror(errno));
        return false;
    }
    *ret = (EndedLog){.path = path, .size = st.st_size};
    bool whole = pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head;
    ret->encrypted = whole && memcmp(head,
                                     "\xfd"
                                     "bin",
                                     MAGIC) == 0;
    if (ret->encrypted)
        return born(path, &ret->opened_ms, ret_why);
    if (!whole ||
        memcmp(head,
               "\xfe"
               "bin",
               MAGIC) != 0 ||
        head[MAGIC + 4] != FORMAT_DESCRIPTION) {
        *ret_why = xasprintf("%s is no binary log that can be read here", path);
        return false;
    }
    ret->opened_ms = (int64_t)le_get((const char *)head + MAGIC, 4) * 1000;
    ret->first = le_get((const char *)head + CREATED, 4) != 0;
    return true;
}

static bool is_event(const unsigned char *e, int type, size_t length, int64_t end)
{
    return e[4] == type && le_get((const char *)e + 9, 4) == length &&
           (int64_t)le_get((const char *)e + 13, 4) == (end & 0xffffffff);
}

/* Does the file end with this event, whose body has so many bytes? */
static bool file_ends_with(const EndedLog *f, int type, size_t body)
{
    unsigned char e[HEADER];
    AUTOFD int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    for (size_t checksum = 0; fd >= 0 && checksum <= CHECKSUM; checksum += CHECKSUM) {
        size_t length = HEADER + body + checksum;
        if (pread(fd, e, sizeof e, f->size - (off_t)length) == (ssize_t)sizeof e &&
            is_event(e, type, length, f->size))
            return true;
    }
    return false;
}

static bool is_no_event_there(const Err *err)
{
    return err->kind == ERR_DB && err->code == NO_EVENT_THERE;
}

/* The same of a file that only the server can read. Where no event begins at the place it answers with an
 * error of its own. */
static bool server_finds(Db *db, const EndedLog *f, const char *type, size_t body, bool *ret, Err *err)
{
    *ret = false;
    for (size_t checksum = 0; !*ret && checksum <= CHECKSUM; checksum += CHECKSUM) {
        DbRows *r;
        bool more, ok;
        int64_t at = f->size - ENCRYPTION_HEADER - (int64_t)(HEADER + body + checksum);
        ok = db_query(db, &r, err, "SHOW BINLOG EVENTS IN ? FROM ? LIMIT 1", "si", base_name(f->path), at);
        if (ok) {
            ok = db_next(r, &more, err);
            *ret = ok && more && str_eq(db_text(r, "Event_type"), type);
            db_rows_free(r);
        }
        if (!ok && !is_no_event_there(err))
            return false;
    }
    return true;
}

static bool ends_with(Db *db, const EndedLog *f, LastEvent last, size_t body, bool *ret, Err *err)
{
    bool stop = last == LAST_STOP;
    if (f->encrypted)
        return db ? server_finds(db, f, stop ? "Stop" : "Rotate", body, ret, err)
                  : err_set(err, ERR_REFUSED, 0, "no connection");
    *ret = file_ends_with(f, stop ? STOP : ROTATE, body);
    return true;
}

/* How the file before `next` ends. */
static bool read_end(Db *db, const EndedLog *f, const EndedLog *next, LastEvent *ret, char **ret_why)
{
    enum { POSITION = 8 };
    bool stopped, rotated = false;
    Err err;
    if (!ends_with(db, f, LAST_STOP, 0, &stopped, &err) ||
        (!stopped &&
         !ends_with(db, f, LAST_ROTATE, POSITION + strlen(base_name(next->path)), &rotated, &err))) {
        *ret_why = xasprintf("how %s ends only the server can read: %s", f->path, err.text);
        return false;
    }
    *ret = stopped ? LAST_STOP : rotated ? LAST_ROTATE : LAST_OTHER;
    return true;
}

bool clean_end_since(Db *db, const StrList *binlogs, int64_t since_ms, char **ret_why)
{
    size_t ends = 0;
    EndedLog next = {0};
    for (size_t i = binlogs->n; i-- > 0;) {
        EndedLog f;
        LastEvent last = LAST_OTHER;
        if (!read_begin(binlogs->v[i], &f, ret_why) ||
            (next.path && !read_end(db, &f, &next, &last, ret_why)))
            return false;
        /* the file after this one is the first of its process */
        bool newer_began = next.path && (next.encrypted ? last != LAST_ROTATE : next.first);
        if (newer_began && last != LAST_STOP) {
            *ret_why = xasprintf("%s does not end in order", f.path);
            return false;
        }
        ends += newer_began;
        /* Logs are dated by the second. A process has begun since, or nobody would ask: where it is no newer
         * one, it is that of this second. */
        bool this_second = !ends && !newer_began && since_ms - f.opened_ms < 1000;
        if (f.opened_ms <= since_ms && !this_second) {
            *ret_why = ends ? NULL : xstrdup("no server process has begun since");
            return ends > 0;
        }
        next = f;
    }
    *ret_why = xstrdup("the binary logs do not reach back to before");
    return false;
}
