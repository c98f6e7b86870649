/* SPDX-License-Identifier: Apache-2.0 */
#include "binlog_query.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/file/fs.h"

enum {
    HEADER_BYTES = 19,
    SIZE_AT = 9,
    TYPE_AT = 4,
    POST_HEADER = 13,
    SCHEMA_LENGTH_AT = HEADER_BYTES + 8,
    VARIABLES_LENGTH_AT = HEADER_BYTES + 11,
    EVENT_QUERY = 2,
    CHECKSUM_BYTES = 4,
    CHECKSUM_CRC32 = 1,
    EVENT_BYTES_MAX = 64 << 20,
};

void binlog_query_done(BinlogQuery *q)
{
    free(q->schema);
    free(q->sql);
    free(q->event);
    *q = (BinlogQuery){0};
}

static bool read_at(int fd, const char *path, int64_t pos, void *to, size_t n, Err *err)
{
    ssize_t got = pread(fd, to, n, pos);
    if (got == (ssize_t)n)
        return true;
    return got < 0 ? err_errno(err, errno, "read %s", path)
                   : err_set(err, ERR_CORRUPT, 0, "%s ends at %lld", path, (long long)(pos + got));
}

/* The algorithm stands in the byte before the checksum of the format description. */
static bool read_tail(const StrList *files, const BinlogPart *format, size_t *ret, Err *err)
{
    const char *path = files->v[format->file];
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char algorithm;
    if (fd < 0)
        return err_errno(err, errno, "read %s", path);
    if (!read_at(fd, path, format->to - CHECKSUM_BYTES - 1, &algorithm, 1, err))
        return false;
    *ret = algorithm == CHECKSUM_CRC32 ? CHECKSUM_BYTES : 0;
    return true;
}

static bool parse(BinlogQuery *q)
{
    size_t size = (size_t)(q->to - q->from);
    if (size < HEADER_BYTES + POST_HEADER + q->tail)
        return false;
    const unsigned char *e = (const unsigned char *)q->event;
    size_t schema = e[SCHEMA_LENGTH_AT];
    size_t variables = (size_t)e[VARIABLES_LENGTH_AT] | (size_t)e[VARIABLES_LENGTH_AT + 1] << 8;
    size_t schema_at = HEADER_BYTES + POST_HEADER + variables;
    q->sql_at = schema_at + schema + 1;
    if (q->sql_at + q->tail > size)
        return false;
    q->schema = xstrndup(q->event + schema_at, schema);
    q->sql = xstrndup(q->event + q->sql_at, size - q->tail - q->sql_at);
    return true;
}

/* false: not this event, look at the next. */
static bool take(BinlogQuery *q)
{
    if (!parse(q))
        return false;
    if (!str_eq(q->sql, "BEGIN"))
        return true;
    free(q->sql);
    free(q->schema);
    q->sql = q->schema = NULL;
    return false;
}

static bool search(int fd, const char *path, const BinlogPart *part, BinlogQuery *q, bool *ret_end, Err *err)
{
    uint32_t size;
    for (int64_t pos = part->from; pos < part->to; pos += size) {
        char header[HEADER_BYTES];
        if (!read_at(fd, path, pos, header, sizeof header, err))
            return false;
        memcpy(&size, header + SIZE_AT, sizeof size);
        size = le32toh(size);
        if (size < HEADER_BYTES || size > EVENT_BYTES_MAX) {
            *ret_end = true; /* rows, too large for a statement */
            return true;
        }
        if (header[TYPE_AT] != EVENT_QUERY)
            continue;
        q->file = part->file;
        q->from = pos;
        q->to = pos + size;
        free(q->event);
        q->event = xcalloc(1, size);
        if (!read_at(fd, path, pos, q->event, size, err))
            return false;
        if ((*ret_end = take(q)))
            return true;
    }
    return true;
}

bool binlog_query_read(const StrList *files, const BinlogGroup *g, BinlogQuery *ret, Err *err)
{
    AUTO(binlog_query_done) BinlogQuery q = {0};
    bool end = false;
    if (!read_tail(files, &g->format, &q.tail, err))
        return false;
    for (size_t i = 0; i < g->n_parts && !end; i++) {
        const char *path = files->v[g->parts[i].file];
        AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(err, errno, "read %s", path);
        if (!search(fd, path, &g->parts[i], &q, &end, err))
            return false;
    }
    binlog_query_done(ret);
    *ret = q;
    q = (BinlogQuery){0};
    return true;
}

char *binlog_query_replaced(const BinlogQuery *q, const char *sql, size_t *ret_bytes)
{
    size_t n = strlen(sql), size = q->sql_at + n + q->tail;
    char *event = xcalloc(1, size + 1);
    memcpy(event, q->event, q->sql_at);
    memcpy(event + q->sql_at, sql, n);
    uint32_t stored = htole32((uint32_t)size);
    memcpy(event + SIZE_AT, &stored, sizeof stored);
    *ret_bytes = size;
    return event;
}
