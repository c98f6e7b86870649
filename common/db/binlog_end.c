/* SPDX-License-Identifier: Apache-2.0 */
#include "binlog_end.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binlog.h"
#include "common/base/bytes.h"
#include "common/file/fs.h"
#include "flavor.h"
#include "gtid.h"

enum {
    HEADER_BYTES = 19,
    MOST_BYTES = 16 << 20, /* of a list of positions */
    EVENT_GTID = 33,
    EVENT_ANONYMOUS_GTID = 34,
    EVENT_PREVIOUS_GTIDS = 35,
    EVENT_TRANSACTION_PAYLOAD = 40,
    EVENT_TAGGED_GTID = 42,
    UUID_BYTES = 16,
};

typedef struct BinlogFile {
    const char *path;
    int fd;
    int64_t size;
} BinlogFile;

/* *ret owned, `n` bytes of the file. */
static bool read_at(const BinlogFile *f, int64_t pos, size_t n, unsigned char **ret, Err *err)
{
    unsigned char *bytes = xcalloc(n, 1);
    if (pread(f->fd, bytes, n, pos) == (ssize_t)n) {
        *ret = bytes;
        return true;
    }
    free(bytes);
    return err_set(err, ERR_CORRUPT, 0, "%s: an event at %" PRId64 " cannot be read whole", f->path, pos);
}

/* ---- MariaDB: a list of each domain's last, then whole groups ----------------------------------------- */

typedef struct End {
    const StrList *files;
    DbFlavor flavor;
    char *position; /* NULL: no list was seen */
} End;

/* A domain may be there with several servers; the last of them is where it stands. */
static bool take_list(void *arg, const BinlogLoose *e, Err *err)
{
    enum { ENTRY_BYTES = 16, COUNT_MASK = 0x0fffffff };
    End *end = arg;
    if (e->kind != BINLOG_GTID_LIST)
        return true;
    AUTOFREE unsigned char *bytes = NULL;
    int64_t n = e->part.to - e->part.from;
    if (n < HEADER_BYTES + 4 || n > MOST_BYTES)
        return err_set(err, ERR_CORRUPT, 0, "%s: a list of positions of %" PRId64 " bytes",
                       end->files->v[e->part.file], n);
    BinlogFile f = {.path = end->files->v[e->part.file]};
    AUTOFD int fd = f.fd = open(f.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "read %s", f.path);
    if (!read_at(&f, e->part.from, (size_t)n, &bytes, err))
        return false;
    size_t count = bytes_u32(bytes + HEADER_BYTES) & COUNT_MASK;
    char *all = end->position ? end->position : xstrdup("");
    end->position = all;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *p = bytes + HEADER_BYTES + 4 + i * ENTRY_BYTES;
        if (p + ENTRY_BYTES > bytes + n)
            return err_set(err, ERR_CORRUPT, 0, "%s: a list of positions is cut off",
                           end->files->v[e->part.file]);
        AUTOFREE char *entry =
            xasprintf("%" PRIu32 "-%" PRIu32 "-%" PRIu64, bytes_u32(p), bytes_u32(p + 4), bytes_u64(p + 8));
        char *more = gtid_max_text(end->flavor, end->position, entry);
        if (!more)
            return err_set(err, ERR_CORRUPT, 0, "%s: a list of positions is not understood",
                           end->files->v[e->part.file]);
        free(end->position);
        end->position = more;
    }
    return true;
}

static bool mariadb_end(DbFlavor flavor, const StrList *files, char **ret, Err *err)
{
    /* The newest may have been cut off before its list was written. */
    for (size_t back = 1; back <= files->n; back++) {
        StrList last = {files->v + files->n - back, back};
        AUTO(binlog_scan_done) BinlogScan scan = {0};
        End end = {&last, flavor, NULL};
        bool ok = binlog_walk_all(&last, NULL, take_list, &end, &scan, err);
        AUTOFREE char *listed = end.position;
        if (!ok)
            return false;
        if (!listed)
            continue;
        *ret = gtid_max_text(flavor, listed, scan.last ? scan.last : "");
        return *ret || err_set(err, ERR_CORRUPT, 0, "%s: its positions are not understood", last.v[0]);
    }
    return err_set(err, ERR_CORRUPT, 0, "no file of the binary log says what stands before it");
}

/* ---- MySQL: a set of what stands before, then transactions that say how long they are ----------------- */

static void add_uuid(Str *out, const unsigned char *p)
{
    for (int i = 0; i < UUID_BYTES; i++)
        str_addf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", p[i]);
}

static bool take_set(const char *path, const unsigned char *p, size_t n, Str *out, Err *err)
{
    size_t at = 8;
    uint64_t sources = n >= 8 ? bytes_u64(p) : 0;
    /* Where there are tags, the number's first byte tells, and what follows is laid out in another way. */
    if (n < 8 || sources >> 32)
        return err_set(err, ERR_REFUSED, 0, "%s: its set of GTIDs has tags, which Siding cannot read", path);
    for (uint64_t i = 0; i < sources; i++) {
        if (at + UUID_BYTES + 8 > n)
            return err_set(err, ERR_CORRUPT, 0, "%s: its set of GTIDs is cut off", path);
        str_adds(out, out->len ? "," : "");
        add_uuid(out, p + at);
        uint64_t intervals = bytes_u64(p + at + UUID_BYTES);
        at += UUID_BYTES + 8;
        for (uint64_t k = 0; k < intervals; k++, at += 16) {
            if (at + 16 > n)
                return err_set(err, ERR_CORRUPT, 0, "%s: its set of GTIDs is cut off", path);
            str_addf(out, ":%" PRIu64 "-%" PRIu64, bytes_u64(p + at), bytes_u64(p + at + 8) - 1);
        }
    }
    return true;
}

/* A number as MySQL's protocol packs it; 0 where it does not fit. */
static uint64_t packed(const unsigned char *p, size_t n)
{
    static const size_t sizes[] = {2, 3, 8};
    if (!n)
        return 0;
    if (p[0] < 251)
        return p[0];
    size_t more = p[0] >= 252 && p[0] <= 254 ? sizes[p[0] - 252] : 0;
    uint64_t v = 0;
    for (size_t i = 0; more && more < n && i < more; i++)
        v |= (uint64_t)p[1 + i] << (8 * i);
    return v;
}

/* Flags, UUID, number, two times a logical clock with its letter before, then when it was committed: here
 * and, if the highest bit says so, where it came from. */
static uint64_t transaction_bytes(const unsigned char *p, size_t n)
{
    enum { TIMES_AT = 1 + UUID_BYTES + 8 + 1 + 16, TIME_BYTES = 7 };
    if (n < TIMES_AT + TIME_BYTES)
        return 0;
    size_t at = TIMES_AT + TIME_BYTES * (p[TIMES_AT + TIME_BYTES - 1] & 0x80 ? 2 : 1);
    return at < n ? packed(p + at, n - at) : 0;
}

static bool take_transaction(const BinlogFile *f, int64_t pos, const unsigned char *p, size_t n, Str *out,
                             Err *err)
{
    uint64_t whole = transaction_bytes(p, n);
    if (!whole)
        return err_set(err, ERR_REFUSED, 0, "%s: the transaction at %" PRId64 " does not say how long it is",
                       f->path, pos);
    if ((uint64_t)pos + whole > (uint64_t)f->size)
        return true; /* cut off */
    str_adds(out, out->len ? "," : "");
    add_uuid(out, p + 1);
    str_addf(out, ":%" PRIu64, bytes_u64(p + 1 + UUID_BYTES));
    return true;
}

/* Sets are united now and then, so that a file of many transactions does not become a text of their number.
 */
static bool fold(DbFlavor flavor, Str *part, char **all, const char *path, Err *err)
{
    char *more = gtid_max_text(flavor, *all, str_z(part));
    if (!more)
        return err_set(err, ERR_CORRUPT, 0, "%s: its GTIDs are not understood", path);
    free(*all);
    *all = more;
    part->len = 0;
    return true;
}

static bool mysql_event(const BinlogFile *f, int64_t pos, const unsigned char *header, bool *ret_set,
                        Str *part, Err *err)
{
    size_t n = bytes_u32(header + 9) - HEADER_BYTES;
    int type = header[4];
    if (type == EVENT_TAGGED_GTID)
        return err_set(err, ERR_REFUSED, 0, "%s: its transactions have tags, which Siding cannot read",
                       f->path);
    if (type != EVENT_GTID && type != EVENT_PREVIOUS_GTIDS)
        return true;
    AUTOFREE unsigned char *p = NULL;
    if (n > MOST_BYTES)
        return err_set(err, ERR_CORRUPT, 0, "%s: an event of %zu bytes at %" PRId64, f->path, n, pos);
    if (!read_at(f, pos + HEADER_BYTES, n, &p, err))
        return false;
    if (type == EVENT_GTID)
        return take_transaction(f, pos, p, n, part, err);
    *ret_set = true;
    return take_set(f->path, p, n, part, err);
}

/* *ret_set: the file says what stands before it. */
static bool mysql_file(DbFlavor flavor, const char *path, bool *ret_set, char **all, Err *err)
{
    enum { FOLD_BYTES = 64 << 10 };
    AUTO(str_done) Str part = STR_INIT;
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    unsigned char h[HEADER_BYTES];
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "read %s", path);
    if (pread(fd, h, 4, 0) != 4)
        return true; /* just begun */
    if (memcmp(h, "\xfe\x62\x69\x6e", 4) != 0)
        return err_set(err, ERR_REFUSED, BINLOG_ENCRYPTED,
                       "%s is encrypted, or no binary log: Siding cannot read it", path);
    BinlogFile f = {path, fd, st.st_size};
    for (int64_t pos = 4; pread(fd, h, sizeof h, pos) == (ssize_t)sizeof h; pos += bytes_u32(h + 9)) {
        int64_t n = bytes_u32(h + 9);
        if (n < HEADER_BYTES || pos + n > st.st_size)
            break; /* cut off */
        if (!mysql_event(&f, pos, h, ret_set, &part, err) ||
            (part.len > FOLD_BYTES && !fold(flavor, &part, all, path, err)))
            return false;
    }
    return fold(flavor, &part, all, path, err);
}

static bool mysql_end(DbFlavor flavor, const StrList *files, char **ret, Err *err)
{
    AUTOFREE char *all = xstrdup("");
    bool begun = false;
    for (size_t i = files->n; i-- > 0 && !begun;)
        if (!mysql_file(flavor, files->v[i], &begun, &all, err))
            return false;
    if (!begun)
        return err_set(err, ERR_CORRUPT, 0, "no file of the binary log says what stands before it");
    *ret = STEAL(all);
    return true;
}

/* A file begins with a description that names the server's version. */
static bool flavor_of_file(const char *path, DbFlavor *ret)
{
    enum { VERSION_AT = 4 + HEADER_BYTES + 2, VERSION_BYTES = 50 };
    char version[VERSION_BYTES + 1] = "";
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, version, VERSION_BYTES, VERSION_AT) != VERSION_BYTES || !*version)
        return false;
    *ret = flavor_of_text(version);
    return true;
}

bool binlog_end(const StrList *files, char **ret, Err *err)
{
    DbFlavor flavor = (DbFlavor)0;
    for (size_t i = files->n; i-- > 0;)
        if (flavor_of_file(files->v[i], &flavor))
            break;
    return flavor_of(flavor)->binlog_is_by_domain ? mariadb_end(flavor, files, ret, err)
                                                  : mysql_end(flavor, files, ret, err);
}
