/* SPDX-License-Identifier: Apache-2.0
 * A source of kept relay files without a server: packets, the handshake, what a receiver asks, the events
 * that are made, and whether files follow one another.
 */
#include "test.h"

#include <string.h>

#include "common/file/crc.h"
#include "replica-agent/core/follows.h"
#include "replica-agent/core/le.h"
#include "replica-agent/core/source_event.h"
#include "replica-agent/core/source_session.h"

/* ---- packets --------------------------------------------------------------------------------------- */

static void put_packet(Str *to, uint8_t seq, const char *body, size_t n)
{
    le_put(to, n, 3);
    le_put(to, seq, 1);
    str_add(to, body, n);
}

static void short_packets_have_one_frame(void **state)
{
    (void)state;
    AUTO(str_done) Str want = STR_INIT;
    PacketOut o = {.seq = 255};
    packet_put(&o, "abc", 3);
    packet_put(&o, "", 0);
    put_packet(&want, 255, "abc", 3);
    put_packet(&want, 0, "", 0);
    assert_int_equal(o.bytes.len, want.len);
    assert_memory_equal(o.bytes.p, want.p, want.len);
    str_done(&o.bytes);
}

/* 16 MB less one byte are the most of a frame; a full one is followed by another, an empty one if need be. */
static void long_packets_go_on_in_further_frames(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        size_t frames[3], n;
    } cases[] = {
        {PACKET_FRAME_MAX - 1, {PACKET_FRAME_MAX - 1}, 1},
        {PACKET_FRAME_MAX, {PACKET_FRAME_MAX, 0}, 2},
        {PACKET_FRAME_MAX + 1, {PACKET_FRAME_MAX, 1}, 2},
        {2 * (size_t)PACKET_FRAME_MAX, {PACKET_FRAME_MAX, PACKET_FRAME_MAX, 0}, 3},
    };
    AUTOFREE char *zeros = xcalloc(1 << 20, 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        PacketOut o = {0};
        packet_begin(&o, cases[i].bytes);
        for (size_t left = cases[i].bytes; left;) {
            size_t n = left < 999983 ? left : 999983;
            packet_add(&o, zeros, n);
            left -= n;
        }
        size_t at = 0;
        for (size_t f = 0; f < cases[i].n; f++) {
            assert_int_equal(le_get(o.bytes.p + at, 3), cases[i].frames[f]);
            assert_int_equal(o.bytes.p[at + 3], f);
            at += 4 + cases[i].frames[f];
        }
        assert_int_equal(at, o.bytes.len);
        str_done(&o.bytes);
    }
}

static void requests_come_in_pieces(void **state)
{
    (void)state;
    Err err;
    AUTO(str_done) Str all = STR_INIT, in = STR_INIT, got = STR_INIT;
    uint8_t seq;
    bool there;
    put_packet(&all, 3, "hello", 5);
    for (size_t i = 0; i < all.len; i++) {
        assert_ok(packet_take(&in, &got, &seq, &there, &err), err);
        assert_false(there);
        str_add(&in, all.p + i, 1);
    }
    put_packet(&in, 4, "", 0);
    assert_ok(packet_take(&in, &got, &seq, &there, &err), err);
    assert_true(there && got.len == 5 && memcmp(got.p, "hello", 5) == 0 && seq == 3);
    assert_ok(packet_take(&in, &got, &seq, &there, &err), err);
    assert_true(there && got.len == 0 && seq == 4 && in.len == 0);
    le_put(&in, PACKET_REQUEST_MAX + 1, 3);
    le_put(&in, 0, 1);
    assert_false(packet_take(&in, &got, &seq, &there, &err));
    assert_int_equal(err.kind, ERR_PROTOCOL);
}

/* ---- handshake ------------------------------------------------------------------------------------- */

static void login(Str *to, uint32_t caps, const char *user, const char *token, size_t n, const char *plugin)
{
    str_clear(to);
    le_put(to, caps, 4);
    for (int i = 0; i < 28; i++)
        le_put(to, 0, 1);
    str_add(to, user, strlen(user) + 1);
    le_put(to, n, 1);
    str_add(to, token, n);
    if (caps & 0x8)
        str_add(to, "mysql", 6);
    if (plugin)
        str_add(to, plugin, strlen(plugin) + 1);
}

enum { CAPS = 0x200 | 0x8000 | 0x80000 };

/* The token was computed apart from this code. */
static void only_the_password_is_let_in(void **state)
{
    (void)state;
    static const unsigned char salt[SOURCE_SALT_BYTES] = "abcdefghijklmnopqrst";
    static const unsigned char token[SOURCE_TOKEN_BYTES] = {0x88, 0x17, 0xc5, 0x0f, 0xa7, 0x79, 0xda,
                                                            0xef, 0x01, 0x0e, 0xe7, 0x57, 0x78, 0x25,
                                                            0xb0, 0x84, 0x7d, 0xf9, 0x84, 0x2e};
    assert_true(source_token_is(token, sizeof token, salt, "secret"));
    assert_false(source_token_is(token, sizeof token, salt, "Secret"));
    assert_false(source_token_is(token, sizeof token - 1, salt, "secret"));
    assert_false(source_token_is(token, 0, salt, ""));
    for (size_t i = 0; i < sizeof token; i++) {
        unsigned char wrong[SOURCE_TOKEN_BYTES];
        memcpy(wrong, token, sizeof wrong);
        wrong[i] ^= 1;
        assert_false(source_token_is(wrong, sizeof wrong, salt, "secret"));
    }
}

static void logins_are_read(void **state)
{
    (void)state;
    Err err;
    SourceLogin l;
    AUTO(str_done) Str b = STR_INIT;
    login(&b, CAPS, "siding_rescue", "12345678901234567890", 20, "mysql_native_password");
    assert_ok(source_login_read(&b, &l, &err), err);
    assert_string_equal(l.user, "siding_rescue");
    assert_true(l.native && l.token_n == 20 && memcmp(l.token, "12345678901234567890", 20) == 0);
    login(&b, CAPS | 0x8, "u", "", 0, "client_ed25519");
    assert_ok(source_login_read(&b, &l, &err), err);
    assert_true(!l.native && l.token_n == 0);
    login(&b, 0x200, "u", "", 0, NULL);
    assert_false(source_login_read(&b, &l, &err));
    login(&b, CAPS, "u", "12345678901234567890", 20, "mysql_native_password");
    size_t whole = b.len, head = 32 + 2 + 21;
    for (size_t n = 0; n < whole; n++) {
        b.len = n;
        assert_int_equal(source_login_read(&b, &l, &err), n >= head);
    }
    AUTOFREE char *name = xcalloc(200, 1);
    memset(name, 'u', 199);
    login(&b, CAPS, name, "", 0, NULL);
    assert_false(source_login_read(&b, &l, &err));
}

/* ---- questions ------------------------------------------------------------------------------------- */

/* The value in the last row of an answer; "error" or "ok" for those. Owned. */
static char *answer(SourceSession *s, bool checksums, const char *sql)
{
    PacketOut o = {0};
    SourceFacts f = {4294967, checksums, 1700000000};
    source_answer(&f, s, sql, strlen(sql), &o);
    size_t at = 0, before = 0, last = 0;
    for (; at < o.bytes.len; at += 4 + (size_t)le_get(o.bytes.p + at, 3)) {
        before = last;
        last = at;
    }
    assert_int_equal(at, o.bytes.len);
    unsigned char first = (unsigned char)o.bytes.p[4];
    char *text = first == 0 ? xstrdup("ok") : first == 0xff ? xstrdup("error") : NULL;
    if (!text) {
        size_t n = (size_t)le_get(o.bytes.p + before, 3), value = before + 4;
        for (size_t next = value; next < before + 4 + n; next += 1 + (unsigned char)o.bytes.p[next])
            value = next;
        text = xstrndup(o.bytes.p + value + 1, (unsigned char)o.bytes.p[value]);
    }
    str_done(&o.bytes);
    return text;
}

/* In the order of MariaDB 10.11's get_master_version_and_clock and after it. */
static void a_receiver_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *answer;
    } cases[] = {
        {"SELECT UNIX_TIMESTAMP()", "1700000000"},
        {"SHOW VARIABLES LIKE 'SERVER_ID'", "4294967"},
        {"SET @master_heartbeat_period= 1000000000", "ok"},
        {"SET @master_binlog_checksum= @@global.binlog_checksum", "ok"},
        {"SELECT @master_binlog_checksum", "CRC32"},
        {"SET @mariadb_slave_capability=4", "ok"},
        {"SELECT @@GLOBAL.gtid_domain_id", "0"},
        {"SET @slave_connect_state='0-1-5,7-1-9'", "ok"},
        {"SET @slave_gtid_strict_mode=1", "ok"},
        {"SET @slave_gtid_ignore_duplicates=0", "ok"},
        {"SET @slave_until_gtid='0-1-8'", "ok"},
        {"SHOW VARIABLES LIKE 'rpl_semi_sync_master_enabled'", "OFF"},
        {"SET @rpl_semi_sync_slave= 1", "ok"},
        {"SET NAMES utf8mb4", "ok"},
        {"SELECT * FROM mysql.user", "error"},
        {"SHOW VARIABLES", "error"},
        {"DROP DATABASE shop", "error"},
        {"", "error"},
    };
    SourceSession s = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *got = answer(&s, true, cases[i].sql);
        assert_string_equal(got, cases[i].answer);
    }
    AUTOFREE char *none = answer(&s, false, "SELECT @master_binlog_checksum");
    assert_string_equal(none, "NONE");
    assert_string_equal(s.state, "0-1-5,7-1-9");
    assert_string_equal(s.until, "0-1-8");
    assert_true(s.semi_sync);
    assert_int_equal(s.heartbeat_ms, 1000);
    source_session_done(&s);
}

static void commands_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        SourceCommandKind kind;
    } cases[] = {
        {"", 0, SOURCE_OTHER},     {"\1", 1, SOURCE_QUIT},         {"\3SELECT 1", 9, SOURCE_QUERY},
        {"\x0e", 1, SOURCE_PING},  {"\x15zz", 3, SOURCE_REGISTER}, {"\x12zzzz", 5, SOURCE_DUMP},
        {"\x1e", 1, SOURCE_OTHER},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str b = STR_INIT;
        SourceCommand c;
        str_add(&b, cases[i].bytes, cases[i].n);
        source_command_read(&b, &c);
        assert_int_equal(c.kind, cases[i].kind);
    }
}

/* ---- events ---------------------------------------------------------------------------------------- */

static void assert_sealed(const Str *e)
{
    assert_int_equal(le_get(e->p + 9, 4), e->len);
    assert_int_equal(le_get(e->p + e->len - 4, 4), crc_of(0, e->p, e->len - 4));
}

static void made_events_are_whole(void **state)
{
    (void)state;
    AUTO(str_done) Str r = STR_INIT, h = STR_INIT, u = STR_INIT, plain = STR_INIT;
    AUTO(gtid_list_done) GtidList l = {0};
    SourceEvents with = {9, true}, without = {9, false};
    assert_true(gtid_list_read(&l, "0-1-5,7-2-9"));
    source_event_rotate(&r, &with, "siding.000001");
    source_event_heartbeat(&h, &with, "siding.000001", (uint64_t)UINT32_MAX + 7);
    source_event_until(&u, &with, &l, 4);
    source_event_rotate(&plain, &without, "siding.000001");
    assert_sealed(&r);
    assert_sealed(&h);
    assert_sealed(&u);
    assert_int_equal(r.p[4], 4);
    assert_int_equal(le_get(r.p + 19, 8), 4);
    assert_int_equal(plain.len, r.len - 4);
    assert_memory_equal(plain.p + 19, r.p + 19, 8 + 13);
    assert_int_equal(le_get(h.p + 13, 4), UINT32_MAX);
    assert_int_equal((unsigned char)u.p[4], 163);
    assert_int_equal(le_get(u.p + 19, 4), 2 | 1 << 28);
    assert_int_equal(le_get(u.p + 23 + 16, 4), 7);
    assert_int_equal(le_get(u.p + 23 + 24, 8), 9);
}

static void a_format_description_is_sent_in_between(void **state)
{
    (void)state;
    AUTO(str_done) Str e = STR_INIT;
    bool checksums;
    le_put(&e, 1700000000, 4);
    le_put(&e, 15, 1);
    le_put(&e, 1, 4);
    le_put(&e, 0, 4);
    le_put(&e, 256, 4);
    le_put(&e, 1, 2); /* in use */
    le_put(&e, 4, 2);
    for (int i = 0; i < 50; i++)
        str_addc(&e, 'v');
    le_put(&e, 1700000000, 4); /* created: temporary tables would be dropped */
    le_put(&e, 19, 1);
    str_adds(&e, "lengths");
    le_put(&e, 1, 1);
    le_put(&e, 0, 4);
    le_set(e.p + 9, e.len, 4);
    AUTO(str_done) Str other = STR_INIT;
    str_add(&other, e.p, e.len);
    assert_true(source_event_format(&e, &checksums));
    assert_true(checksums);
    assert_sealed(&e);
    assert_int_equal(le_get(e.p + 13, 4), 0);
    assert_int_equal(le_get(e.p + 17, 2), 0x20);
    assert_int_equal(le_get(e.p + 19 + 52, 4), 0);
    other.p[other.len - 5] = 0;
    assert_true(source_event_format(&other, &checksums));
    assert_false(checksums);
    other.p[4] = 16;
    assert_false(source_event_format(&other, &checksums));
    other.p[4] = 15;
    other.len--;
    assert_false(source_event_format(&other, &checksums));
}

static void what_a_receiver_left_out_is_passed_on_once(void **state)
{
    (void)state;
    AUTO(gtid_list_done) GtidList have = {0}, told = {0};
    AUTO(str_done) Str e = STR_INIT;
    SourceEvents with = {9, true};
    assert_true(gtid_list_read(&told, "3-1-5"));
    assert_true(gtid_list_read(&have, "0-1-9"));
    source_event_until(&e, &with, &told, 4);
    assert_false(source_event_tells_ignored(&e, &have)); /* of another kind */
    le_set(e.p + 19, 1 | 1 << 29, 4);
    assert_true(source_event_tells_ignored(&e, &have));
    assert_true(gtid_list_read(&have, "3-1-5"));
    assert_false(source_event_tells_ignored(&e, &have));
    le_set(e.p + 19, ((1 << 28) - 1) | 1 << 29, 4); /* more than there are */
    assert_false(source_event_tells_ignored(&e, &have));
    e.len = 20;
    assert_false(source_event_tells_ignored(&e, &have));
}

/* ---- holes ----------------------------------------------------------------------------------------- */

static void files_that_leave_something_out_are_refused(void **state)
{
    (void)state;
    /* transactions in order, "|" for a missing file; "!" before the one that is refused */
    static const struct {
        const char *from, *files;
    } cases[] = {
        {"0-1-5", "0-1-6 0-1-7"},
        {"0-1-5", "0-1-3 0-1-4 0-1-5 0-1-6"},
        {"0-1-5", "0-1-4 0-1-9"}, /* the source skipped numbers */
        {"0-1-5", "!0-1-7"},
        {"", "0-1-7 0-1-8"},
        {"", "| !0-1-7"},
        {"", "| 0-1-1"},
        {"0-1-5", "0-1-4 0-1-5 | 0-1-6"},
        {"0-1-5", "0-1-4 0-1-5 | !0-1-7"},
        {"0-1-50", "0-1-4 0-1-5 | 0-1-51"}, /* left over from an earlier pause */
        {"0-1-50", "0-1-4 0-1-5 | !0-1-52"},
        {"0-1-50", "0-1-4 0-1-5 | 0-1-20 0-1-60"},
        {"0-1-5", "0-1-6 7-1-1 | 0-1-7 !7-1-3"},
        {"0-1-5", "0-1-6 | 0-1-7 !7-1-3"},
        {"0-1-5,7-1-2", "0-1-6 | 0-1-7 7-1-3"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        AUTO(follows_done) Follows f;
        AUTO(strlist_done) StrList words = STRLIST_INIT;
        assert_ok(follows_begin(&f, cases[i].from, &err), err);
        strlist_split(&words, cases[i].files, ' ');
        for (size_t w = 0; w < words.n; w++) {
            GtidEntry e;
            bool refused = words.v[w][0] == '!';
            if (str_eq(words.v[w], "|")) {
                follows_gap(&f);
                continue;
            }
            assert_true(gtid_entry_parse(words.v[w] + refused, &e));
            if (follows_take(&f, &e, &err) == refused)
                fail_msg("case %zu, %s", i, words.v[w]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_packets_have_one_frame),
        cmocka_unit_test(long_packets_go_on_in_further_frames),
        cmocka_unit_test(requests_come_in_pieces),
        cmocka_unit_test(only_the_password_is_let_in),
        cmocka_unit_test(logins_are_read),
        cmocka_unit_test(a_receiver_is_answered),
        cmocka_unit_test(commands_are_told_apart),
        cmocka_unit_test(made_events_are_whole),
        cmocka_unit_test(a_format_description_is_sent_in_between),
        cmocka_unit_test(what_a_receiver_left_out_is_passed_on_once),
        cmocka_unit_test(files_that_leave_something_out_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
