/* SPDX-License-Identifier: Apache-2.0
 * Binary and relay log files made event by event, as MariaDB writes them.
 */
#pragma once

#include "test.h"

#include "common/file/fs.h"

enum { QUERY = 2, ROTATE = 4, FORMAT = 15, XID = 16, INCIDENT = 26, ROWS = 30, GTID = 162, GTID_LIST = 163 };

static inline void bf_le(Str *s, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        str_addc(s, (char)(v >> (8 * i)));
}

static inline void bf_event(Str *file, int type, uint32_t server_id, const char *body, size_t n)
{
    bf_le(file, 1700000000, 4);
    bf_le(file, (uint64_t)type, 1);
    bf_le(file, server_id, 4);
    bf_le(file, 19 + n + 4, 4);
    bf_le(file, file->len, 4);
    bf_le(file, 0, 2);
    str_add(file, body, n);
    bf_le(file, 0xdeadbeef, 4);
}

static inline void bf_start(Str *file)
{
    str_add(file, "\xfe\x62\x69\x6e", 4);
    bf_event(file, FORMAT, 1, "fd\1", 3); /* the last byte: checksums are CRC32 */
}

static inline void bf_gtid(Str *file, uint32_t domain, uint32_t server, uint64_t seq, bool standalone)
{
    AUTO(str_done) Str body = STR_INIT;
    bf_le(&body, seq, 8);
    bf_le(&body, domain, 4);
    bf_le(&body, standalone ? 1 : 0, 1);
    bf_le(&body, 0, 6);
    bf_event(file, GTID, server, body.p, body.len);
}

static inline void bf_query(Str *file, const char *sql)
{
    AUTO(str_done) Str body = STR_INIT;
    bf_le(&body, 7, 4);
    bf_le(&body, 0, 4);
    bf_le(&body, 4, 1); /* schema length */
    bf_le(&body, 0, 2);
    bf_le(&body, 3, 2); /* status variables */
    str_add(&body, "\0\0\0", 3);
    str_add(&body, "shop", 5);
    str_adds(&body, sql);
    bf_event(file, QUERY, 1, body.p, body.len);
}

static inline void bf_trx(Str *file, uint32_t domain, uint32_t server, uint64_t seq)
{
    bf_gtid(file, domain, server, seq, false);
    bf_query(file, "BEGIN");
    bf_event(file, ROWS, server, "rows", 4);
    bf_event(file, XID, server, "12345678", 8);
}

typedef struct BinlogFiles {
    char dir[32];
    StrList paths;
} BinlogFiles;

static inline void bf_add(BinlogFiles *f, const Str *content)
{
    Err err;
    if (!f->dir[0]) {
        strcpy(f->dir, "/tmp/siding-binlog-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
    }
    strlist_addf(&f->paths, "%s/relay.%06zu", f->dir, f->paths.n + 1);
    assert_ok(fs_replace(f->paths.v[f->paths.n - 1], content->p, content->len, 0600, &err), err);
}

static inline void bf_done(BinlogFiles *f)
{
    Err err;
    assert_ok(fs_remove_tree(f->dir, &err), err);
    strlist_done(&f->paths);
}
