/* SPDX-License-Identifier: Apache-2.0 */
#include "binlog.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 19,
    QUERY_POST_HEADER = 13,
    PEEK_BYTES = 512, /* enough of an event's start for a GTID, or for "COMMIT" behind status variables */
    EVENT_QUERY = 2,
    EVENT_XID = 16,
    EVENT_FORMAT_DESCRIPTION = 15,
    EVENT_XA_PREPARE = 38,
    EVENT_MARIADB_GTID = 162,
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
    Domain *domains;
    size_t n_domains;
    Domain open; /* the group being read */
    bool in_group, standalone;
    const char *group_file;
    int64_t group_pos;
    int64_t transactions;
} Scan;

void binlog_scan_done(BinlogScan *s)
{
    free(s->last);
    free(s->torn_file);
    *s = (BinlogScan){0};
}

static uint32_t u32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

static uint64_t u64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* 1: an event; 0: the file ends here, whole; -1: it ends inside an event (or was never written out). */
static int read_event(int fd, int64_t pos, int64_t file_size, Event *ret)
{
    if (pos == file_size)
        return 0;
    unsigned char header[HEADER_BYTES];
    if (pread(fd, header, sizeof header, pos) != (ssize_t)sizeof header)
        return -1;
    int64_t size = u32(header + 9);
    if (size < HEADER_BYTES || pos + size > file_size)
        return -1;
    ret->type = header[4];
    ret->server_id = u32(header + 5);
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
    static const char *const words[] = {"COMMIT", "ROLLBACK"};
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t n = strlen(words[i]);
        int64_t tail = e->size - HEADER_BYTES - (int64_t)(at + n);
        if (at + n <= e->body_len && memcmp(e->body + at, words[i], n) == 0 &&
            (tail == 0 || tail == CHECKSUM_BYTES))
            return true;
    }
    return false;
}

static void begin_group(Scan *s, const char *file, const Event *e)
{
    s->open = (Domain){u32(e->body + 8), e->server_id, u64(e->body)};
    s->standalone = e->body[12] & MARIADB_FL_STANDALONE;
    s->in_group = true;
    s->group_file = file;
    s->group_pos = e->pos;
}

static void end_group(Scan *s)
{
    s->in_group = false;
    s->transactions++;
    for (size_t i = 0; i < s->n_domains; i++)
        if (s->domains[i].domain == s->open.domain) {
            s->domains[i] = s->open;
            return;
        }
    s->domains = xrealloc(s->domains, (s->n_domains + 1) * sizeof *s->domains);
    s->domains[s->n_domains++] = s->open;
}

static bool ends_group(const Scan *s, const Event *e)
{
    bool query = e->type == EVENT_QUERY || e->type == EVENT_QUERY_COMPRESSED;
    if (s->standalone)
        return query;
    return e->type == EVENT_XID || e->type == EVENT_XA_PREPARE ||
           (e->type == EVENT_QUERY && query_ends_group(e));
}

/* *ret_end: where the readable part of the file ends. */
static bool scan_file(Scan *s, const char *path, int64_t *ret_end, bool *ret_torn, Err *err)
{
    __attribute__((cleanup(close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "read %s", path);
    unsigned char magic[4];
    if (pread(fd, magic, 4, 0) != 4 || memcmp(magic, "\xfe\x62\x69\x6e", 4) != 0) {
        *ret_torn = st.st_size < 4;
        *ret_end = 0;
        return *ret_torn ? true : err_set(err, ERR_CORRUPT, 0, "%s is not a binary log", path);
    }
    int64_t pos = 4;
    for (;;) {
        Event e;
        int got = read_event(fd, pos, st.st_size, &e);
        if (got <= 0) {
            *ret_torn = got < 0;
            *ret_end = pos;
            return true;
        }
        if (e.type == EVENT_MARIADB_START_ENCRYPTION)
            return err_set(err, ERR_REFUSED, 0, "%s is encrypted: Siding cannot read it", path);
        if (e.type == EVENT_MARIADB_GTID && e.body_len >= 13)
            begin_group(s, path, &e);
        else if (s->in_group && ends_group(s, &e))
            end_group(s);
        pos += e.size;
    }
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

static bool scan_files(Scan *s, const StrList *files, BinlogScan *out, Err *err)
{
    for (size_t i = 0; i < files->n; i++) {
        int64_t end = 0;
        if (!scan_file(s, files->v[i], &end, &out->torn, err))
            return false;
        out->bytes += end;
        out->torn_pos = end;
        if (out->torn && i + 1 < files->n)
            return err_set(err, ERR_CORRUPT, 0, "%s is damaged at byte %lld", files->v[i], (long long)end);
    }
    return true;
}

bool binlog_scan(const StrList *files, BinlogScan *ret, Err *err)
{
    Scan s = {0};
    BinlogScan out = {0};
    bool ok = scan_files(&s, files, &out, err);
    if (ok) {
        const char *torn_file = out.torn ? files->v[files->n - 1] : NULL;
        if (s.in_group) {
            torn_file = s.group_file;
            out.torn_pos = s.group_pos;
        }
        out.torn = torn_file != NULL;
        out.torn_file = xstrdup(torn_file);
        out.torn_pos = out.torn ? out.torn_pos : 0;
        out.transactions = s.transactions;
        out.last = domains_text(&s);
        binlog_scan_done(ret);
        *ret = out;
    }
    free(s.domains);
    return ok;
}
