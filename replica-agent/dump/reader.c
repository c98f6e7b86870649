/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BUFFER = 1 << 18, HEADER = 4, LONGEST_PACKET = 0xffffff, PIECE = 1 << 17, ERROR_TEXT = 512 };

void reader_init(RowReader *r, size_t most_columns)
{
    *r = (RowReader){.buffer = xcalloc(1, BUFFER), .values = xcalloc(most_columns + 1, sizeof(Value))};
}

void reader_done(RowReader *r)
{
    free(r->buffer);
    free(r->values);
}

bool reader_open(RowReader *r, Db *db, const char *sql, Err *err)
{
    DbWire wire;
    if (!db_stream(db, &r->rows, err, sql))
        return false;
    r->n_values = db_columns(r->rows);
    r->whole = false;
    r->pos = r->end = 0;
    r->wire = db_wire_begin(r->rows, &wire);
    if (r->wire) {
        r->fd = wire.fd;
        memcpy(r->buffer, wire.head, wire.head_n);
        r->end = wire.head_n;
    }
    return rate_limit_take(r->rate_limit, r->end, err);
}

void reader_close(RowReader *r)
{
    if (!r->rows)
        return;
    if (r->wire)
        db_wire_end(r->rows, r->whole);
    db_rows_free(r->rows);
    r->rows = NULL;
}

/* ---- bytes ---------------------------------------------------------------------------------------- */

static bool lost(const char *what, Err *err)
{
    return err_set(err, ERR_LOST, 0, "the connection was lost while rows were read (%s)", what);
}

static bool receive(RowReader *r, Err *err)
{
    size_t room = BUFFER - r->end;
    for (;;) {
        ssize_t n = recv(r->fd, r->buffer + r->end,
                         r->rate_limit && room > RATE_LIMIT_PIECE ? RATE_LIMIT_PIECE : room, 0);
        if (n > 0) {
            r->end += (size_t)n;
            return rate_limit_take(r->rate_limit, (size_t)n, err);
        }
        if (n < 0 && errno == EAGAIN)
            (void)!poll(&(struct pollfd){.fd = r->fd, .events = POLLIN}, 1, -1);
        else if (n == 0 || errno != EINTR)
            return lost(n ? strerror(errno) : "the server closed it", err);
    }
}

/* At least `n` bytes at pos, `n` up to BUFFER. */
static bool need(RowReader *r, size_t n, Err *err)
{
    if (r->pos == r->end)
        r->pos = r->end = 0;
    if (r->pos + n > BUFFER) {
        memmove(r->buffer, r->buffer + r->pos, r->end - r->pos);
        r->end -= r->pos;
        r->pos = 0;
    }
    while (r->end - r->pos < n)
        if (!receive(r, err))
            return false;
    return true;
}

static size_t little_endian(const unsigned char *p, size_t n)
{
    size_t v = 0;
    while (n--)
        v = v << 8 | p[n];
    return v;
}

/* How many bytes of length follow a value's first byte. */
static size_t length_bytes(unsigned char first)
{
    return first == 0xfc ? 2 : first == 0xfd ? 3 : first == 0xfe ? 8 : 0;
}

enum { NULL_VALUE = 0xfb, END_PACKET = 0xfe, ERROR_PACKET = 0xff };

/* ---- whole rows ----------------------------------------------------------------------------------- */

static bool server_error(const unsigned char *p, size_t n, Err *err)
{
    char text[ERROR_TEXT];
    size_t skip = n > 3 && p[3] == '#' ? 9 : 3; /* "#" and the SQLSTATE */
    snprintf(text, sizeof text, "%.*s", (int)(n > skip ? n - skip : 0), (const char *)p + skip);
    return db_wire_error(n >= 3 ? (unsigned)little_endian(p + 1, 2) : 0, text, err);
}

static bool parse_row(RowReader *r, const unsigned char *p, size_t n, Err *err)
{
    const unsigned char *end = p + n;
    for (size_t i = 0; i < r->n_values; i++) {
        if (p >= end)
            return lost("a row is too short", err);
        unsigned char first = *p++;
        if (first == NULL_VALUE) {
            r->values[i] = (Value){NULL, 0};
            continue;
        }
        size_t bytes = length_bytes(first);
        if (bytes > (size_t)(end - p))
            return lost("a row is too short", err);
        size_t len = bytes ? little_endian(p, bytes) : first;
        p += bytes;
        if (len > (size_t)(end - p))
            return lost("a row is too short", err);
        r->values[i] = (Value){(const char *)p, len};
        p += len;
    }
    return true;
}

static bool next_on_wire(RowReader *r, RowKind *ret, Err *err)
{
    if (!need(r, HEADER, err))
        return false;
    size_t len = little_endian(r->buffer + r->pos, 3);
    if (len + HEADER > BUFFER) {
        r->pos += HEADER;
        r->packet_left = len;
        r->packet_goes_on = len == LONGEST_PACKET;
        r->column = r->value_left = 0;
        *ret = ROW_BIG;
        return true;
    }
    if (!need(r, HEADER + len, err))
        return false;
    const unsigned char *p = r->buffer + r->pos + HEADER;
    r->pos += HEADER + len;
    if (len && *p == ERROR_PACKET) {
        r->whole = true; /* nothing follows */
        return server_error(p, len, err);
    }
    *ret = len && *p == END_PACKET ? ROW_END : ROW_WHOLE;
    r->whole = *ret == ROW_END;
    return r->whole || parse_row(r, p, len, err);
}

static bool next_by_library(RowReader *r, RowKind *ret, Err *err)
{
    bool more;
    if (!db_next(r->rows, &more, err))
        return false;
    r->whole = !more;
    *ret = ROW_END;
    if (!more)
        return true;
    const unsigned long *lengths;
    const char *const *fields = db_row(r->rows, &lengths);
    size_t bytes = 0;
    for (size_t i = 0; i < r->n_values; i++) {
        r->values[i] = (Value){fields[i], lengths[i]};
        bytes += lengths[i] + HEADER;
    }
    *ret = bytes > BUFFER ? ROW_BIG : ROW_WHOLE;
    r->column = r->value_left = 0;
    return rate_limit_take(r->rate_limit, bytes, err);
}

/* ---- big rows ------------------------------------------------------------------------------------- */

/* At least one byte of the row at pos. */
static bool more_of_row(RowReader *r, Err *err)
{
    while (!r->packet_left) {
        if (!r->packet_goes_on)
            return lost("a row is too short", err);
        if (!need(r, HEADER, err))
            return false;
        r->packet_left = little_endian(r->buffer + r->pos, 3);
        r->packet_goes_on = r->packet_left == LONGEST_PACKET;
        r->pos += HEADER;
    }
    return need(r, 1, err);
}

static bool take_byte(RowReader *r, unsigned char *ret, Err *err)
{
    if (!more_of_row(r, err))
        return false;
    *ret = r->buffer[r->pos++];
    r->packet_left--;
    return true;
}

static bool value_on_wire(RowReader *r, bool *ret_null, size_t *ret_n, Err *err)
{
    unsigned char first, raw[8];
    if (!take_byte(r, &first, err))
        return false;
    *ret_null = first == NULL_VALUE;
    size_t bytes = length_bytes(first);
    for (size_t i = 0; i < bytes; i++)
        if (!take_byte(r, &raw[i], err))
            return false;
    *ret_n = *ret_null ? 0 : bytes ? little_endian(raw, bytes) : first;
    return true;
}

bool reader_value(RowReader *r, bool *ret_null, size_t *ret_n, Err *err)
{
    if (r->wire) {
        if (!value_on_wire(r, ret_null, ret_n, err))
            return false;
    } else {
        *ret_null = !r->values[r->column].p;
        *ret_n = r->values[r->column].n;
    }
    r->value_left = *ret_n;
    r->column++;
    return true;
}

bool reader_bytes(RowReader *r, Value *ret, Err *err)
{
    size_t n = r->value_left < PIECE ? r->value_left : PIECE;
    *ret = (Value){"", 0};
    if (!n)
        return true;
    if (!r->wire) {
        const Value *v = &r->values[r->column - 1];
        *ret = (Value){v->p + v->n - r->value_left, n};
    } else {
        if (!more_of_row(r, err))
            return false;
        size_t here = r->end - r->pos < r->packet_left ? r->end - r->pos : r->packet_left;
        n = n < here ? n : here;
        *ret = (Value){(const char *)r->buffer + r->pos, n};
        r->pos += n;
        r->packet_left -= n;
    }
    r->value_left -= n;
    return true;
}

static bool pass_over(RowReader *r, Err *err)
{
    bool null;
    size_t n;
    Value piece = {NULL, 1};
    bool ok = reader_value(r, &null, &n, err);
    while (ok && piece.n)
        ok = reader_bytes(r, &piece, err);
    return ok;
}

/* A row of exactly so many longest packets ends with an empty one. */
static bool end_big(RowReader *r, Err *err)
{
    while ((r->packet_left || r->packet_goes_on) && r->column < r->n_values)
        if (!pass_over(r, err))
            return false;
    if (r->packet_goes_on && !r->packet_left) {
        if (!need(r, HEADER, err))
            return false;
        r->packet_left = little_endian(r->buffer + r->pos, 3);
        r->packet_goes_on = false;
        r->pos += HEADER;
    }
    return !r->packet_left || lost("a row is too long", err);
}

bool reader_next(RowReader *r, RowKind *ret, Err *err)
{
    if (!r->wire)
        return next_by_library(r, ret, err);
    return end_big(r, err) && next_on_wire(r, ret, err);
}
