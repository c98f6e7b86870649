/* SPDX-License-Identifier: Apache-2.0 */
#include "source_event.h"

#include <string.h>

#include "common/file/crc.h"
#include "le.h"

enum {
    HEADER_BYTES = 19,
    SIZE_AT = 9,
    POS_AT = 13,
    FLAGS_AT = 17,
    CHECKSUM_BYTES = 4,
    FLAG_IN_USE = 0x1,
    FLAG_ARTIFICIAL = 0x20,
    EVENT_ROTATE = 4,
    EVENT_FORMAT_DESCRIPTION = 15,
    EVENT_HEARTBEAT = 27,
    EVENT_GTID_LIST = 163,
    FIRST_EVENT_AT = 4,
    FORMAT_VERSION = 4,
    FORMAT_CREATED_AT = HEADER_BYTES + 2 + 50,
    FORMAT_BYTES_MIN = FORMAT_CREATED_AT + 4 + 1 + 1 + CHECKSUM_BYTES,
    LIST_UNTIL_REACHED = 1 << 28,
    LIST_IGNORED = 1 << 29,
    LIST_COUNT = (1 << 28) - 1,
    LIST_ENTRY_BYTES = 16,
};

/* By the tables alone: events that are made here are short. */
static uint32_t crc(const char *p, size_t n)
{
    uint32_t sum = 0;
    for (unsigned some; n; p += some, n -= some) {
        some = n < 8 ? (unsigned)n : 8;
        sum = crc_add_word(sum, le_get(p, (int)some), some);
    }
    return sum;
}

void source_event_seal(char *event, size_t n)
{
    if (n > CHECKSUM_BYTES)
        le_set(event + n - CHECKSUM_BYTES, crc(event, n - CHECKSUM_BYTES), CHECKSUM_BYTES);
}

static void make(Str *to, const SourceEvents *e, int type, uint64_t pos, const Str *body)
{
    size_t at = to->len, n = HEADER_BYTES + body->len + (e->checksums ? CHECKSUM_BYTES : 0);
    le_put(to, 0, 4); /* a time would be taken for that of a transaction */
    le_put(to, (uint64_t)type, 1);
    le_put(to, e->server_id, 4);
    le_put(to, n, 4);
    le_put(to, pos, 4);
    le_put(to, FLAG_ARTIFICIAL, 2);
    str_add(to, str_z(body), body->len);
    if (e->checksums) {
        le_put(to, 0, CHECKSUM_BYTES);
        source_event_seal(to->p + at, n);
    }
}

void source_event_rotate(Str *to, const SourceEvents *e, const char *file)
{
    AUTO(str_done) Str body = STR_INIT;
    le_put(&body, FIRST_EVENT_AT, 8);
    str_adds(&body, file);
    make(to, e, EVENT_ROTATE, 0, &body);
}

void source_event_heartbeat(Str *to, const SourceEvents *e, const char *file, uint64_t pos)
{
    AUTO(str_done) Str body = STR_INIT;
    str_adds(&body, file);
    make(to, e, EVENT_HEARTBEAT, pos > UINT32_MAX ? UINT32_MAX : pos, &body);
}

void source_event_until(Str *to, const SourceEvents *e, const GtidList *sent, uint64_t pos)
{
    AUTO(str_done) Str body = STR_INIT;
    le_put(&body, (uint32_t)sent->n | LIST_UNTIL_REACHED, 4);
    for (size_t i = 0; i < sent->n; i++) {
        le_put(&body, sent->v[i].domain, 4);
        le_put(&body, sent->v[i].server_id, 4);
        le_put(&body, sent->v[i].seq, 8);
    }
    make(to, e, EVENT_GTID_LIST, pos > UINT32_MAX ? UINT32_MAX : pos, &body);
}

bool source_event_format(Str *event, bool *ret_checksums)
{
    if (event->len < FORMAT_BYTES_MIN || event->p[4] != EVENT_FORMAT_DESCRIPTION ||
        le_get(event->p + SIZE_AT, 4) != event->len || le_get(event->p + HEADER_BYTES, 2) != FORMAT_VERSION)
        return false;
    uint64_t flags = le_get(event->p + FLAGS_AT, 2);
    le_set(event->p + POS_AT, 0, 4);
    le_set(event->p + FLAGS_AT, (flags | FLAG_ARTIFICIAL) & ~(uint64_t)FLAG_IN_USE, 2);
    le_set(event->p + FORMAT_CREATED_AT, 0, 4);
    *ret_checksums = event->p[event->len - CHECKSUM_BYTES - 1] == 1;
    source_event_seal(event->p, event->len); /* this one has a checksum in any case */
    return true;
}

bool source_event_tells_ignored(const Str *event, const GtidList *have)
{
    if (event->len < HEADER_BYTES + 4)
        return false;
    uint32_t head = (uint32_t)le_get(event->p + HEADER_BYTES, 4);
    size_t n = head & LIST_COUNT, fit = (event->len - HEADER_BYTES - 4) / LIST_ENTRY_BYTES;
    if (!(head & LIST_IGNORED))
        return false;
    for (size_t i = 0; i < n && i < fit; i++) {
        const char *p = event->p + HEADER_BYTES + 4 + i * LIST_ENTRY_BYTES;
        GtidEntry e = {(uint32_t)le_get(p, 4), (uint32_t)le_get(p + 4, 4), le_get(p + 8, 8)};
        if (!gtid_list_has(have, &e))
            return true;
    }
    return false;
}
