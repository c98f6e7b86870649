/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/db/binlog_query.h"
#include "replica-agent/core/ddl.h"
#include "replica-agent/core/le.h"
#include "replica-agent/core/source_event.h"

enum {
    HEADER_BYTES = 19,
    SIZE_AT = 9,
    BLOCK_BYTES = 1 << 16,
    FORMAT_BYTES_MAX = 4096,
    LOOSE_BYTES_MAX = 1 << 20,
    WAIT_MS = 10,
    FIRST_POS = 4,
};

typedef struct Ahead {
    GtidEntry gtid;
    int64_t bytes;
} Ahead;

typedef struct KeptSending {
    const RelayStream *r;
    SourceEvents events;
    GtidList sent; /* the receiver's position, as it moves on */
    GtidList met;  /* first transactions beyond r->from */
    Str format;    /* the description sent last */
    BinlogLoose *incidents;
    size_t n_incidents; /* since the last transaction, and not sent */
    Ahead *ahead;       /* sent and not known to be applied */
    size_t first_ahead, n_ahead, cap_ahead;
    int64_t ahead_bytes, beat_ms, since_rotate;
    uint64_t pos; /* as the receiver counts, or more */
    unsigned file_number;
    int fd; /* of the file read last, and bytes of it */
    size_t fd_file;
    Str block;
    int64_t block_at;
} KeptSending;

static void stream_done(KeptSending *s)
{
    gtid_list_done(&s->sent);
    gtid_list_done(&s->met);
    str_done(&s->format);
    str_done(&s->block);
    free(s->incidents);
    free(s->ahead);
    if (s->fd >= 0)
        close(s->fd);
}

/* ---- reading --------------------------------------------------------------------------------------- */

static bool open_file(KeptSending *s, size_t file, Err *err)
{
    const char *path = s->r->files->v[file];
    if (s->fd >= 0 && s->fd_file == file)
        return true;
    if (s->fd >= 0)
        close(s->fd);
    str_clear(&s->block);
    s->fd_file = file;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    return s->fd >= 0 ? true : err_errno(err, errno, "read %s", path);
}

/* Some of the bytes at `pos`, at least `least` (no more than a block). Valid until the next call. */
static bool look(KeptSending *s, size_t file, int64_t pos, size_t least, const char **ret, size_t *ret_n,
                 Err *err)
{
    if (!open_file(s, file, err))
        return false;
    int64_t offset = pos - s->block_at;
    if (!s->block.len || offset < 0 || offset + (int64_t)least > (int64_t)s->block.len) {
        str_clear(&s->block);
        str_reserve(&s->block, BLOCK_BYTES);
        ssize_t n = pread(s->fd, s->block.p, BLOCK_BYTES, pos);
        if (n < (ssize_t)least)
            return n < 0 ? err_errno(err, errno, "read %s", s->r->files->v[file])
                         : err_set(err, ERR_CORRUPT, 0, "%s ends at %lld, it was longer before",
                                   s->r->files->v[file], (long long)(pos + n));
        s->block.len = (size_t)n;
        s->block_at = pos;
        offset = 0;
    }
    *ret = s->block.p + offset;
    *ret_n = s->block.len - (size_t)offset;
    return true;
}

static bool event_size(KeptSending *s, size_t file, int64_t pos, int64_t end, int64_t *ret, Err *err)
{
    const char *p;
    size_t n;
    if (!look(s, file, pos, HEADER_BYTES, &p, &n, err))
        return false;
    *ret = (int64_t)le_get(p + SIZE_AT, 4);
    if (*ret >= HEADER_BYTES && pos + *ret <= end)
        return true;
    return err_set(err, ERR_CORRUPT, 0, "%s has changed at %lld", s->r->files->v[file], (long long)pos);
}

/* A whole event in memory, none that holds rows. */
static bool read_event(KeptSending *s, const BinlogPart *part, int64_t max, Str *ret, Err *err)
{
    if (part->to - part->from > max)
        return err_set(err, ERR_CORRUPT, 0, "%s holds an event of %lld bytes at %lld",
                       s->r->files->v[part->file], (long long)(part->to - part->from), (long long)part->from);
    str_clear(ret);
    for (int64_t at = part->from; at < part->to;) {
        const char *p;
        size_t n;
        if (!look(s, part->file, at, 1, &p, &n, err))
            return false;
        if ((int64_t)n > part->to - at)
            n = (size_t)(part->to - at);
        str_add(ret, p, n);
        at += (int64_t)n;
    }
    return true;
}

/* ---- sending --------------------------------------------------------------------------------------- */

static void begin_packet(KeptSending *s, int64_t event_bytes)
{
    static const char plain[] = "\0", semi_sync[] = "\0\xef\0"; /* no acknowledgement is asked for */
    size_t n = s->r->session->semi_sync ? 3 : 1;
    packet_begin(&s->r->link->out, n + (uint64_t)event_bytes);
    packet_add(&s->r->link->out, n == 3 ? semi_sync : plain, n);
    s->pos += (uint64_t)event_bytes;
    s->since_rotate += event_bytes;
}

static bool send_bytes(KeptSending *s, const char *event, size_t n, Err *err)
{
    begin_packet(s, (int64_t)n);
    packet_add(&s->r->link->out, event, n);
    return relay_link_pass(s->r->link, err);
}

static bool send_event(KeptSending *s, size_t file, int64_t pos, int64_t size, Err *err)
{
    begin_packet(s, size);
    for (int64_t end = pos + size; pos < end;) {
        const char *p;
        size_t n;
        if (!look(s, file, pos, 1, &p, &n, err))
            return false;
        if ((int64_t)n > end - pos)
            n = (size_t)(end - pos);
        packet_add(&s->r->link->out, p, n);
        pos += (int64_t)n;
        if (!relay_link_pass(s->r->link, err))
            return false;
    }
    return true;
}

static char *file_name(const KeptSending *s)
{
    return xasprintf("siding-rescue.%06u", s->file_number);
}

static bool rotate(KeptSending *s, Err *err)
{
    AUTO(str_done) Str event = STR_INIT;
    s->file_number++;
    AUTOFREE char *name = file_name(s);
    source_event_rotate(&event, &s->events, name);
    if (!send_bytes(s, event.p, event.len, err))
        return false;
    s->pos = FIRST_POS;
    s->since_rotate = 0;
    str_clear(&s->format);
    return true;
}

/* The receiver knows by it that its source lives. */
static bool beat(KeptSending *s, Err *err)
{
    int64_t now = clock_mono_ms();
    if (!s->r->session->heartbeat_ms || now - s->beat_ms < s->r->session->heartbeat_ms)
        return true;
    AUTO(str_done) Str event = STR_INIT;
    AUTOFREE char *name = file_name(s);
    s->beat_ms = now;
    source_event_heartbeat(&event, &s->events, name, s->pos);
    uint64_t pos = s->pos;
    if (!send_bytes(s, event.p, event.len, err) || !relay_link_flush(s->r->link, err))
        return false;
    s->pos = pos;
    return true;
}

static bool send_format(KeptSending *s, const BinlogPart *part, Err *err)
{
    AUTO(str_done) Str event = STR_INIT;
    bool checksums;
    if (!read_event(s, part, FORMAT_BYTES_MAX, &event, err))
        return false;
    if (!source_event_format(&event, &checksums))
        return err_set(err, ERR_CORRUPT, 0, "%s: the format description at %lld is not one of MariaDB",
                       s->r->files->v[part->file], (long long)part->from);
    if (event.len == s->format.len && memcmp(event.p, s->format.p, event.len) == 0)
        return true;
    s->events.checksums = checksums;
    str_clear(&s->format);
    str_add(&s->format, event.p, event.len);
    return send_bytes(s, event.p, event.len, err);
}

/* ---- the window ------------------------------------------------------------------------------------ */

static void note_sent(KeptSending *s, const GtidEntry *e, int64_t bytes)
{
    if (s->n_ahead == s->cap_ahead && s->first_ahead) {
        s->n_ahead -= s->first_ahead;
        memmove(s->ahead, s->ahead + s->first_ahead, s->n_ahead * sizeof *s->ahead);
        s->first_ahead = 0;
    }
    if (s->n_ahead == s->cap_ahead) {
        s->cap_ahead = s->cap_ahead ? 2 * s->cap_ahead : 1024;
        s->ahead = xrealloc(s->ahead, s->cap_ahead * sizeof *s->ahead);
    }
    s->ahead[s->n_ahead++] = (Ahead){*e, bytes};
    s->ahead_bytes += bytes;
}

static void take_applied(KeptSending *s)
{
    AUTO(gtid_list_done) GtidList applied = {0};
    s->r->applied(s->r->arg, &applied);
    while (s->first_ahead < s->n_ahead && gtid_list_has(&applied, &s->ahead[s->first_ahead].gtid))
        s->ahead_bytes -= s->ahead[s->first_ahead++].bytes;
}

/* What is sent and not applied lies on the server's disk a second time. */
static bool make_room(KeptSending *s, Err *err)
{
    while (s->ahead_bytes > s->r->window_bytes) {
        take_applied(s);
        if (s->ahead_bytes <= s->r->window_bytes)
            break;
        if (!relay_link_flush(s->r->link, err) || !beat(s, err))
            return false;
        if (relay_link_is_gone(s->r->link))
            return err_set(err, ERR_LOST, 0, "the receiver has closed the connection");
        if (atomic_load(s->r->link->stop))
            return err_set(err, ERR_CANCELLED, 0, "the source is closed");
        poll(NULL, 0, WAIT_MS);
    }
    return true;
}

/* ---- what the files hold --------------------------------------------------------------------------- */

static bool is_first(KeptSending *s, const GtidEntry *e)
{
    if (gtid_list_has(s->r->from, e) || gtid_list_find(&s->met, e->domain))
        return false;
    gtid_list_set(&s->met, e);
    return true;
}

static bool send_incidents(KeptSending *s, Err *err)
{
    for (size_t i = 0; i < s->n_incidents; i++) {
        const BinlogLoose *l = &s->incidents[i];
        if (!send_format(s, &l->format, err) ||
            !send_event(s, l->part.file, l->part.from, l->part.to - l->part.from, err))
            return false;
    }
    s->n_incidents = 0;
    return true;
}

static bool send_part(KeptSending *s, const BinlogPart *part, const BinlogQuery *q, const char *again,
                      Err *err)
{
    for (int64_t pos = part->from, size; pos < part->to; pos += size) {
        bool ok;
        if (!event_size(s, part->file, pos, part->to, &size, err))
            return false;
        if (again && q->file == part->file && q->from == pos) {
            size_t n;
            AUTOFREE char *event = binlog_query_replaced(q, again, &n);
            if (q->tail)
                source_event_seal(event, n);
            ok = send_bytes(s, event, n, err);
        } else {
            ok = send_event(s, part->file, pos, size, err);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool send_group(KeptSending *s, const BinlogGroup *g, const GtidEntry *e, bool first, Err *err)
{
    AUTO(binlog_query_done) BinlogQuery q = {0};
    int64_t bytes = 0;
    if (first && !binlog_query_read(s->r->files, g, &q, err))
        return false;
    AUTOFREE char *again = first ? ddl_again(q.sql) : NULL;
    for (size_t i = 0; i < g->n_parts; i++) {
        if (!send_part(s, &g->parts[i], &q, again, err))
            return false;
        bytes += g->parts[i].to - g->parts[i].from;
    }
    gtid_list_set(&s->sent, e);
    note_sent(s, e, bytes);
    s->beat_ms = clock_mono_ms();
    return true;
}

static bool on_group(void *arg, const BinlogGroup *g, Err *err)
{
    KeptSending *s = arg;
    GtidEntry e = {g->domain, g->server_id, g->seq};
    bool first = is_first(s, &e);
    if (gtid_list_has(&s->sent, &e)) {
        s->n_incidents = 0; /* the receiver is beyond them */
        return beat(s, err);
    }
    /* The server removes a file of its own only when all of it is applied and another is begun. */
    if (!make_room(s, err) || (s->since_rotate > s->r->window_bytes && !rotate(s, err)))
        return false;
    return send_incidents(s, err) && send_format(s, &g->format, err) && send_group(s, g, &e, first, err);
}

static bool pass_list_on(KeptSending *s, const BinlogLoose *l, Err *err)
{
    AUTO(str_done) Str event = STR_INIT;
    if (!read_event(s, &l->part, LOOSE_BYTES_MAX, &event, err))
        return false;
    if (!source_event_tells_ignored(&event, &s->sent))
        return true;
    return send_format(s, &l->format, err) && send_bytes(s, event.p, event.len, err);
}

static bool on_loose(void *arg, const BinlogLoose *l, Err *err)
{
    KeptSending *s = arg;
    if (l->kind == BINLOG_GTID_LIST)
        return pass_list_on(s, l, err);
    if (l->kind == BINLOG_INCIDENT) {
        s->incidents = xrealloc(s->incidents, (s->n_incidents + 1) * sizeof *s->incidents);
        s->incidents[s->n_incidents++] = *l;
    }
    return true;
}

static bool send_end(KeptSending *s, Err *err)
{
    AUTO(str_done) Str event = STR_INIT;
    if (!send_incidents(s, err))
        return false;
    source_event_until(&event, &s->events, &s->sent, s->pos);
    if (!send_bytes(s, event.p, event.len, err))
        return false;
    source_eof(&s->r->link->out);
    return relay_link_flush(s->r->link, err);
}

bool relay_stream(const RelayStream *r, Err *err)
{
    AUTO(stream_done)
    KeptSending s = {.r = r, .events = {r->server_id, r->checksums}, .fd = -1, .beat_ms = clock_mono_ms()};
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!r->session->until)
        return err_set(err, ERR_PROTOCOL, 0, "the receiver was started without UNTIL");
    if (!gtid_list_read(&s.sent, r->session->state))
        return err_set(err, ERR_PROTOCOL, 0, "the receiver's position \"%.200s\" cannot be understood",
                       r->session->state);
    return rotate(&s, err) && binlog_walk_all(r->files, on_group, on_loose, &s, &scan, err) &&
           send_end(&s, err);
}

/* ---- checksums ------------------------------------------------------------------------------------- */

typedef struct FirstFormat {
    const GtidList *from;
    BinlogPart format;
    bool found;
} FirstFormat;

static bool on_probe(void *arg, const BinlogGroup *g, Err *err)
{
    FirstFormat *p = arg;
    GtidEntry e = {g->domain, g->server_id, g->seq};
    if (gtid_list_has(p->from, &e))
        return true;
    p->format = g->format;
    p->found = true;
    return err_set(err, ERR_CANCELLED, 0, "found");
}

bool relay_stream_checksums(const StrList *files, const GtidList *from, bool *ret, Err *err)
{
    FirstFormat p = {.from = from};
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    AUTO(str_done) Str event = STR_INIT;
    RelayStream r = {.files = files};
    AUTO(stream_done) KeptSending s = {.r = &r, .fd = -1};
    if (!binlog_walk(files, on_probe, &p, &scan, err) && !p.found)
        return false;
    *ret = false;
    if (!p.found)
        return true;
    if (!read_event(&s, &p.format, FORMAT_BYTES_MAX, &event, err))
        return false;
    return source_event_format(&event, ret)
               ? true
               : err_set(err, ERR_CORRUPT, 0, "%s: the format description is not one of MariaDB",
                         files->v[p.format.file]);
}
