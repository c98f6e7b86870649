/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/hitlist.h"

#include "common/file/codec.h"

/* A row, and the record that has filled it: 255 fields with all their positions. */
enum { HEAD = 4, LONGEST_RAW = 1 << 25, ZLIB_BEST = 1032 /* bytes out of one, at most */ };

void hitlist_done(Hitlist *h)
{
    str_done(&h->raw);
}

bool hitlist_is_empty(const Hitlist *h)
{
    return h->raw.len == 0;
}

bool hitlist_is_full(const Hitlist *h, const Entry *e)
{
    return h->raw.len >= HITLIST_ROW_BYTES && e->record != h->last;
}

static void put_number(Str *s, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        str_addc(s, (char)((v & 127) | 128));
    str_addc(s, (char)v);
}

void hitlist_add(Hitlist *h, const Entry *e)
{
    if (hitlist_is_empty(h)) {
        h->first = h->last = e->record;
        h->records = 1;
    }
    h->records += e->record != h->last;
    put_number(&h->raw, (uint64_t)e->record - (uint64_t)h->last);
    put_number(&h->raw, e->field);
    put_number(&h->raw, e->frequency);
    h->last = e->record;
    uint32_t before = 0;
    for (size_t i = 0; h->positions && i < e->n_positions; i++) {
        put_number(&h->raw, e->positions[i] - before);
        before = e->positions[i];
    }
}

void hitlist_pack(Hitlist *h, Str *out)
{
    for (int shift = 0; shift < 32; shift += 8)
        str_addc(out, (char)(h->raw.len >> shift & 255));
    codec_zlib(str_z(&h->raw), h->raw.len, out);
    str_clear(&h->raw);
}

/* ---- reading ------------------------------------------------------------------------------------- */

typedef struct Numbers {
    const unsigned char *p, *end;
} Numbers;

static bool get_number(Numbers *in, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && in->p < in->end; shift += 7) {
        unsigned char c = *in->p++;
        v |= (uint64_t)(c & 127) << shift;
        if (!(c & 128)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool damaged(Err *err)
{
    return err_set(err, ERR_CORRUPT, 0, "a list of hits is damaged");
}

static bool get_positions(Numbers *in, Entry *e, uint32_t *positions)
{
    size_t n = e->frequency < ENTRY_MAX_POSITIONS ? e->frequency : ENTRY_MAX_POSITIONS;
    uint64_t position = 0, step;
    for (size_t i = 0; i < n; i++) {
        if (!get_number(in, &step) || (position += step) > POSTING_MAX_NUMBER)
            return false;
        positions[i] = (uint32_t)position;
    }
    e->positions = positions;
    e->n_positions = n;
    return true;
}

static bool read_entries(Numbers in, int64_t first, uint32_t *positions, HitSink sink, void *arg, Err *err)
{
    uint64_t record = (uint64_t)first, step, field, frequency;
    while (in.p < in.end) {
        if (!get_number(&in, &step) || !get_number(&in, &field) || !get_number(&in, &frequency) || !field ||
            field > 255 || !frequency || frequency > POSTING_MAX_NUMBER)
            return damaged(err);
        record += step;
        Entry e = {.record = (int64_t)record, .field = (unsigned)field, .frequency = (uint32_t)frequency};
        if (positions && !get_positions(&in, &e, positions))
            return damaged(err);
        if (!sink(arg, &e, err))
            return false;
    }
    return true;
}

bool hitlist_unpack(const char *p, size_t n, int64_t first, bool positions, HitSink sink, void *arg, Err *err)
{
    const unsigned char *bytes = (const unsigned char *)p;
    if (n < HEAD)
        return damaged(err);
    size_t length = 0;
    for (size_t i = HEAD; i-- > 0;)
        length = length << 8 | bytes[i];
    if (length > LONGEST_RAW || length / ZLIB_BEST > n)
        return damaged(err);
    AUTOFREE unsigned char *raw = xcalloc(1, length + 1);
    AUTOFREE uint32_t *places = positions ? xcalloc(ENTRY_MAX_POSITIONS, sizeof *places) : NULL;
    if (!codec_unzlib(p + HEAD, n - HEAD, raw, length))
        return damaged(err);
    return read_entries((Numbers){raw, raw + length}, first, places, sink, arg, err);
}
