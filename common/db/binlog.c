/* SPDX-License-Identifier: Apache-2.0 */
#include "binlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/file/fs.h"
#include "gtid.h"

enum {
    MAGIC_BYTES = 4, /* before the first event */
    HEADER_BYTES = 19,
    TYPE_AT = 4,
    SERVER_AT = 5,
    LENGTH_AT = 9,
    QUERY_POST_HEADER = 13,
    PEEK_BYTES = 512, /* enough of an event's start for a GTID, or for "COMMIT" behind status variables */
    EVENT_QUERY = 2,
    EVENT_ROTATE = 4,
    EVENT_XID = 16,
    EVENT_HEARTBEAT = 27,
    EVENT_FORMAT_DESCRIPTION = 15,
    EVENT_INCIDENT = 26,
    EVENT_XA_PREPARE = 38,
    EVENT_MARIADB_CHECKPOINT = 161,
    EVENT_MARIADB_GTID = 162,
    EVENT_MARIADB_GTID_LIST = 163,
    EVENT_MARIADB_START_ENCRYPTION = 164,
    EVENT_QUERY_COMPRESSED = 165,
    MARIADB_FL_STANDALONE = 1,
    CHECKSUM_BYTES = 4,
};

typedef struct Event {
    int type;
    uint32_t server_id;
    int64_t pos, size;
    unsigned char body[PEEK_BYTES];
    size_t body_len;
} Event;

typedef struct Domain {
    uint32_t domain, server_id;
    uint64_t seq;
} Domain;

typedef struct Scan {
    const StrList *files;
    BinlogVisit visit;
    BinlogVisitLoose loose;
    void *arg;
    Domain *domains;
    size_t n_domains;
    Domain open; /* the group being read */
    bool in_group, standalone;
    bool cut; /* a file ended inside an event: what follows must go on where the whole groups ended */
    BinlogPart format, *parts;
    size_t n_parts;
    int64_t gtid_to;
    int64_t transactions;
    bool incident;   /* since the last whole group */
    size_t tail;     /* bytes of checksum at an event's end */
    char *next_file; /* as the last event of the file before names it; NULL: it does not */
} Scan;

void binlog_scan_done(BinlogScan *s)
{
    free(s->last);
    free(s->torn_file);
    *s = (BinlogScan){0};
}

/* 1: an event; 0: the file ends here, whole; -1: it ends inside an event (or was never written out). */
static int read_event(int fd, int64_t pos, int64_t file_size, Event *ret)
{
    if (pos == file_size)
        return 0;
    unsigned char header[HEADER_BYTES];
    if (pread(fd, header, sizeof header, pos) != (ssize_t)sizeof header)
        return -1;
    int64_t size = bytes_u32(header + LENGTH_AT);
    if (size < HEADER_BYTES || pos + size > file_size)
        return -1;
    ret->type = header[TYPE_AT];
    ret->server_id = bytes_u32(header + SERVER_AT);
    ret->pos = pos;
    ret->size = size;
    int64_t want = size - HEADER_BYTES;
    if (want > (int64_t)sizeof ret->body)
        want = sizeof ret->body;
    ssize_t n = pread(fd, ret->body, (size_t)want, pos + HEADER_BYTES);
    if (n != want)
        return -1;
    ret->body_len = (size_t)n;
    return 1;
}

/* A Query event's statement begins behind the status variables and the schema name. */
static bool query_ends_group(const Event *e)
{
    if (e->body_len < QUERY_POST_HEADER)
        return false;
    size_t schema = e->body[8], vars = (size_t)e->body[11] | (size_t)e->body[12] << 8;
    size_t at = QUERY_POST_HEADER + vars + schema + 1;
    static const char *const words[] = {"COMMIT", "ROLLBACK"}, *const begins[] = {"XA COMMIT ",
                                                                                  "XA ROLLBACK "};
    for (size_t i = 0; i < COUNT(begins); i++) {
        size_t n = strlen(begins[i]);
        if (at + n <= e->body_len && memcmp(e->body + at, begins[i], n) == 0)
            return true;
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t n = strlen(words[i]);
        int64_t tail = e->size - HEADER_BYTES - (int64_t)(at + n);
        if (at + n <= e->body_len && memcmp(e->body + at, words[i], n) == 0 &&
            (tail == 0 || tail == CHECKSUM_BYTES))
            return true;
    }
    return false;
}

static Domain *find_domain(const Scan *s, uint32_t domain)
{
    for (size_t i = 0; i < s->n_domains; i++)
        if (s->domains[i].domain == domain)
            return &s->domains[i];
    return NULL;
}

/* After a cut only what the cut took, or what was there before, may come: anything later would be applied
 * over a gap. */
static bool goes_on(const Scan *s, const Domain *next)
{
    const Domain *last = find_domain(s, next->domain);
    bool same = s->open.domain == next->domain && next->seq <= s->open.seq;
    return same || !last || next->seq <= last->seq + 1;
}

static void add_part(Scan *s, size_t file, const Event *e)
{
    BinlogPart *last = s->n_parts ? &s->parts[s->n_parts - 1] : NULL;
    if (last && last->file == file && last->to == e->pos) {
        last->to += e->size;
        return;
    }
    s->parts = xrealloc(s->parts, (s->n_parts + 1) * sizeof *s->parts);
    s->parts[s->n_parts++] = (BinlogPart){file, e->pos, e->pos + e->size};
}

static bool begin_group(Scan *s, size_t file, const Event *e, Err *err)
{
    Domain next = {bytes_u32(e->body + 8), e->server_id, bytes_u64(e->body)};
    if (s->cut && !goes_on(s, &next))
        return err_set(err, ERR_CORRUPT, 0,
                       "%s: transactions before %" PRIu32 "-%" PRIu32 "-%" PRIu64
                       " are missing, a file before it is damaged",
                       s->files->v[file], next.domain, next.server_id, next.seq);
    s->cut = false;
    s->open = next;
    s->standalone = e->body[12] & MARIADB_FL_STANDALONE;
    s->in_group = true;
    s->n_parts = 0;
    s->gtid_to = e->pos + e->size;
    add_part(s, file, e);
    return true;
}

/* The same transaction may be there twice: in a file that was kept, and fetched again. */
static bool end_group(Scan *s, Err *err)
{
    s->in_group = false;
    Domain *d = find_domain(s, s->open.domain);
    if (d && s->open.seq <= d->seq)
        return true;
    if (!d) {
        s->domains = xrealloc(s->domains, (s->n_domains + 1) * sizeof *s->domains);
        d = &s->domains[s->n_domains++];
    }
    *d = s->open;
    s->transactions++;
    s->incident = false;
    BinlogGroup g = {d->domain, d->server_id, d->seq,     s->standalone,
                     s->format, s->parts,     s->n_parts, s->gtid_to};
    return !s->visit || s->visit(s->arg, &g, err);
}

static bool ends_group(const Scan *s, const Event *e)
{
    bool query = e->type == EVENT_QUERY || e->type == EVENT_QUERY_COMPRESSED;
    if (s->standalone)
        return query || e->type == EVENT_INCIDENT;
    return e->type == EVENT_XID || e->type == EVENT_XA_PREPARE ||
           (e->type == EVENT_QUERY && query_ends_group(e));
}

static bool belongs_to_group(const Event *e)
{
    return e->type != EVENT_ROTATE && e->type != EVENT_FORMAT_DESCRIPTION && e->type != EVENT_HEARTBEAT &&
           e->type != EVENT_MARIADB_CHECKPOINT && e->type != EVENT_MARIADB_GTID_LIST;
}

/* The last event of a file that was not cut off names the next. */
static void note_rotate(Scan *s, const Event *e)
{
    enum { NAME_AT = 8 };
    free(STEAL(s->next_file));
    if (e->type != EVENT_ROTATE || e->body_len <= NAME_AT + s->tail)
        return;
    AUTOFREE char *text = xstrndup((const char *)e->body + NAME_AT, e->body_len - NAME_AT - s->tail);
    const char *slash = strrchr(text, '/');
    s->next_file = xstrdup(slash ? slash + 1 : text);
}

/* The algorithm stands before the checksum of the description itself. */
static void note_format(Scan *s, size_t file, const Event *e)
{
    enum { ALGORITHM_AT = CHECKSUM_BYTES + 1, CRC32 = 1 };
    s->format = (BinlogPart){file, e->pos, e->pos + e->size};
    if (e->body_len >= ALGORITHM_AT && (int64_t)e->body_len == e->size - HEADER_BYTES)
        s->tail = e->body[e->body_len - ALGORITHM_AT] == CRC32 ? CHECKSUM_BYTES : 0;
}

static bool show_loose(Scan *s, BinlogLooseKind kind, BinlogPart part, Err *err)
{
    if (kind == BINLOG_INCIDENT)
        s->incident = true;
    BinlogLoose l = {kind, part, s->format};
    return !s->loose || s->loose(s->arg, &l, err);
}

static bool take_loose(Scan *s, size_t file, const Event *e, Err *err)
{
    BinlogPart part = {file, e->pos, e->pos + e->size};
    if (e->type == EVENT_INCIDENT)
        return show_loose(s, BINLOG_INCIDENT, part, err);
    return e->type != EVENT_MARIADB_GTID_LIST || show_loose(s, BINLOG_GTID_LIST, part, err);
}

static bool take_event(Scan *s, size_t file, const Event *e, Err *err)
{
    note_rotate(s, e);
    if (e->type == EVENT_MARIADB_START_ENCRYPTION)
        return err_set(err, ERR_REFUSED, BINLOG_ENCRYPTED, "%s is encrypted: Siding cannot read it",
                       s->files->v[file]);
    if (e->type == EVENT_FORMAT_DESCRIPTION)
        note_format(s, file, e);
    if (e->type == EVENT_MARIADB_GTID && e->body_len >= 13)
        return begin_group(s, file, e, err);
    if (!s->in_group)
        return take_loose(s, file, e, err);
    if (!belongs_to_group(e))
        return true;
    add_part(s, file, e);
    return ends_group(s, e) ? end_group(s, err) : true;
}

/* The description of the format is in the clear; what comes next says how the rest is encrypted. */
bool binlog_is_encrypted(const char *path)
{
    unsigned char first[HEADER_BYTES], second[HEADER_BYTES];
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && pread(fd, first, HEADER_BYTES, MAGIC_BYTES) == HEADER_BYTES &&
           first[TYPE_AT] == EVENT_FORMAT_DESCRIPTION &&
           pread(fd, second, HEADER_BYTES, MAGIC_BYTES + (off_t)bytes_u32(first + LENGTH_AT)) ==
               HEADER_BYTES &&
           second[TYPE_AT] == EVENT_MARIADB_START_ENCRYPTION;
}

bool binlog_whole_events(const char *path, int64_t *ret, Err *err)
{
    struct stat st;
    unsigned char head[HEADER_BYTES];
    int64_t n = 0, at = MAGIC_BYTES;
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "read %s", path);
    for (; at + HEADER_BYTES <= st.st_size; n++) {
        if (pread(fd, head, HEADER_BYTES, at) != HEADER_BYTES)
            return err_errno(err, errno, "read %s", path);
        int64_t size = bytes_u32(head + LENGTH_AT);
        if (size < HEADER_BYTES)
            return err_set(err, ERR_CORRUPT, 0, "%s: the event at %lld has no length", path, (long long)at);
        if (at + size > st.st_size)
            break;
        at += size;
    }
    *ret = n;
    return true;
}

/* "relay.000007": *ret_stem bytes of "relay", and 7. False if it is not numbered. */
static bool numbered(const char *name, size_t *ret_stem, long long *ret_number)
{
    const char *dot = strrchr(name, '.');
    *ret_stem = dot ? (size_t)(dot - name) : 0;
    return dot && str_to_i64(dot + 1, 0, INT64_MAX, ret_number);
}

/* Names begin anew after a purge: only one further on than the file before it has said is missing something.
 */
static bool leaves_out(const char *expected, const char *path)
{
    size_t e_stem, stem;
    long long e_number, number;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!expected || !numbered(expected, &e_stem, &e_number) || !numbered(name, &stem, &number))
        return false;
    return number > e_number && stem >= e_stem && memcmp(name + stem - e_stem, expected, e_stem) == 0;
}

static bool begin_file(Scan *s, size_t file, Err *err)
{
    AUTOFREE char *expected = STEAL(s->next_file);
    if (!leaves_out(expected, s->files->v[file]))
        return true;
    return show_loose(s, BINLOG_GAP, (BinlogPart){.file = file}, err);
}

/* *ret_end: where the readable part of the file ends. */
static bool scan_file(Scan *s, size_t file, int64_t *ret_end, bool *ret_torn, Err *err)
{
    const char *path = s->files->v[file];
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOENT) /* the server purges files, whoever lists them */
        return err_set(err, ERR_NOT_FOUND, errno, "no such file: %s", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "read %s", path);
    unsigned char magic[4];
    if (pread(fd, magic, 4, 0) != 4 || memcmp(magic, "\xfe\x62\x69\x6e", 4) != 0) {
        *ret_torn = st.st_size < 4;
        *ret_end = 0;
        return *ret_torn ? true : err_set(err, ERR_CORRUPT, 0, "%s is not a binary log", path);
    }
    int64_t pos = 4;
    if (!begin_file(s, file, err))
        return false;
    for (;;) {
        Event e;
        int got = read_event(fd, pos, st.st_size, &e);
        if (got <= 0) {
            *ret_torn = got < 0;
            *ret_end = pos;
            return true;
        }
        if (!take_event(s, file, &e, err))
            return false;
        pos += e.size;
    }
}

char *binlog_group_gtid(const BinlogGroup *g)
{
    return gtid_entry_text(&(GtidEntry){g->domain, g->server_id, g->seq});
}

static int by_domain(const void *a, const void *b)
{
    const Domain *x = a, *y = b;
    return x->domain < y->domain ? -1 : x->domain > y->domain;
}

static char *domains_text(const Scan *s)
{
    Str out = STR_INIT;
    if (s->n_domains)
        qsort(s->domains, s->n_domains, sizeof *s->domains, by_domain);
    for (size_t i = 0; i < s->n_domains; i++)
        str_addf(&out, "%s%" PRIu32 "-%" PRIu32 "-%" PRIu64, i ? "," : "", s->domains[i].domain,
                 s->domains[i].server_id, s->domains[i].seq);
    return str_take(&out);
}

static bool scan_files(Scan *s, BinlogScan *out, Err *err)
{
    for (size_t i = 0; i < s->files->n; i++) {
        int64_t end = 0;
        if (!scan_file(s, i, &end, &out->torn, err))
            return false;
        out->bytes += end;
        out->torn_pos = end;
        if (out->torn && i + 1 < s->files->n) {
            s->cut = true; /* by a kill, after which the server began another file */
            s->in_group = false;
        }
    }
    return true;
}

static void tell(Scan *s, BinlogScan *out)
{
    const char *torn_file = out->torn ? s->files->v[s->files->n - 1] : NULL;
    if (s->in_group) {
        torn_file = s->files->v[s->parts[0].file];
        out->torn_pos = s->parts[0].from;
    }
    out->torn = torn_file != NULL;
    out->torn_file = xstrdup(torn_file);
    out->torn_pos = out->torn ? out->torn_pos : 0;
    out->transactions = s->transactions;
    out->incident = s->incident;
    out->last = domains_text(s);
}

bool binlog_walk_all(const StrList *files, BinlogVisit visit, BinlogVisitLoose loose, void *arg,
                     BinlogScan *ret, Err *err)
{
    Scan s = {.files = files, .visit = visit, .loose = loose, .arg = arg};
    BinlogScan out = {0};
    bool ok = scan_files(&s, &out, err);
    if (ok) {
        tell(&s, &out);
        binlog_scan_done(ret);
        *ret = out;
    }
    free(s.domains);
    free(s.parts);
    free(s.next_file);
    return ok;
}

bool binlog_walk(const StrList *files, BinlogVisit visit, void *arg, BinlogScan *ret, Err *err)
{
    return binlog_walk_all(files, visit, NULL, arg, ret, err);
}

bool binlog_scan(const StrList *files, BinlogScan *ret, Err *err)
{
    return binlog_walk(files, NULL, NULL, ret, err);
}
