/* SPDX-License-Identifier: Apache-2.0
 * Rows off the wire, dumped text read back, lists of hits, text that becomes words.
 */
#include <string.h>

#include "fuzz.h"
#include "replica-agent/core/source_session.h"
#include "replica-agent/dump/reader.h"
#include "replica-agent/dump/reread.h"
#include "replica-agent/index/hitlist.h"
#include "replica-agent/index/tokenize.h"

/* ---- rows of a server ------------------------------------------------------------------------------ */

static bool big_row(RowReader *r, Err *err)
{
    for (size_t i = 0; i < r->n_values; i++) {
        bool null;
        size_t n;
        Value v = {NULL, 1};
        if (!reader_value(r, &null, &n, err))
            return false;
        for (; v.n; n -= v.n)
            if (!reader_bytes(r, &v, err))
                return false;
            else
                MUST(v.n <= n);
    }
    return true;
}

/* The first byte says how many columns there are. The connection ends behind the last byte. */
static void packets(const char *bytes, size_t n)
{
    enum { MOST = 4, MOST_BYTES = 1 << 17 };
    static RowReader r;
    Err err;
    RowKind kind = ROW_WHOLE;
    if (!r.buffer)
        reader_init(&r, MOST);
    if (!n || n > MOST_BYTES)
        return;
    r.n_values = 1 + (size_t)(unsigned char)*bytes % MOST;
    r.wire = true;
    r.fd = -1;
    r.pos = r.column = r.value_left = r.packet_left = 0;
    r.packet_goes_on = r.whole = false;
    r.end = n - 1;
    memcpy(r.buffer, bytes + 1, n - 1);
    while (kind != ROW_END && reader_next(&r, &kind, &err)) {
        if (kind == ROW_BIG && !big_row(&r, &err))
            break;
        for (size_t i = 0; kind == ROW_WHOLE && i < r.n_values; i++)
            MUST(!r.values[i].n || (r.values[i].p >= (const char *)r.buffer &&
                                    r.values[i].p + r.values[i].n <= (const char *)r.buffer + n));
    }
}

static void make_packets(FuzzAdd add, void *arg)
{
    static const char rows[] = "\1\6\0\0\0\3abc\1x\2\0\0\1\xfb\0\5\0\0\2\xfe\0\0\2\0",
                      big[] = "\1\0\0\5\0\3abc\xfc\4\0wxyz\3\0\0\1\xff\1\2",
                      error[] = "\0\x0f\0\0\0\xff\x28\x04#HY000wrong";
    add(arg, rows, sizeof rows - 1);
    add(arg, big, sizeof big - 1);
    add(arg, error, sizeof error - 1);
}

/* ---- dumped text ----------------------------------------------------------------------------------- */

static bool read_back(FormatKind kind, const char *p, size_t n, size_t piece, RowSum *ret)
{
    static char type[] = "text";
    static Column columns[] = {{.type = type, .nullable = true}, {.type = type}, {.type = type}};
    const DumpTable t = {.columns = columns, .n_columns = COUNT(columns)};
    static RowCheck check;
    Reread r;
    bool ok = true;
    rowcheck_init(&check, &t);
    reread_init(&r, kind, &check);
    for (size_t at = 0; ok && at < n; at += piece)
        ok = reread_feed(&r, p + at, piece < n - at ? piece : n - at);
    *ret = check.sum;
    rowcheck_done(&check);
    return ok && reread_ended(&r);
}

/* In one piece or byte by byte: the same rows. */
static void reread(const char *text, size_t n)
{
    RowSum whole, bytes;
    for (int kind = FORMAT_SQL; kind <= FORMAT_TSV; kind++) {
        bool ok = read_back((FormatKind)kind, text, n, n + 1, &whole);
        MUST(ok == read_back((FormatKind)kind, text, n, 1, &bytes));
        MUST(!ok || (whole.rows == bytes.rows && whole.sum == bytes.sum));
    }
}

static const char *const reread_examples[] = {
    "/*!40101 SET NAMES binary*/;\nINSERT INTO `t` (`a`,`b\n`) "
    "VALUES\n(1,'a\\nb',0x00FF3B0A),\n(NULL,_utf8mb4'{}',-0e0);\n",
    "INSERT INTO `t` VALUES\n('a long text that is plain',-12.50,'x');\n", "1\ta\\tb\t\\N\n\\N\t\\\\\t\n", "",
    NULL};

/* ---- indexes --------------------------------------------------------------------------------------- */

static bool any_hit(void *arg, const Entry *e, Err *err)
{
    (void)arg, (void)err;
    MUST(e->field > 0 && e->field < 256 && e->frequency > 0 && e->n_positions <= e->frequency);
    return true;
}

static void hits(const char *bytes, size_t n)
{
    Err err;
    for (int positions = 0; positions < 2; positions++)
        if (!hitlist_unpack(bytes, n, 3, positions, any_hit, NULL, &err))
            MUST(err.kind == ERR_CORRUPT);
}

static void make_hits(FuzzAdd add, void *arg)
{
    static const uint32_t places[] = {1, 5, 900};
    for (int positions = 0; positions < 2; positions++) {
        AUTO(str_done) Str packed = STR_INIT;
        Hitlist h = {.positions = positions};
        for (int i = 0; i < 30; i++) {
            Entry e = {.record = i * i, .field = 1, .frequency = 3, .positions = places, .n_positions = 3};
            hitlist_add(&h, &e);
        }
        hitlist_pack(&h, &packed);
        add(arg, packed.p, packed.len);
        hitlist_done(&h);
    }
}

static void add_term(void *arg, const char *term, size_t n, uint32_t word)
{
    MUST(n > 0 && n <= TERM_MAX_BYTES && word > 0);
    str_addf(arg, "%u:%.*s ", (unsigned)word, (int)n, term);
}

static Tokenizer *tokenizer(const char *language)
{
    Err err;
    Tokenizer *t;
    AUTO(strlist_done) StrList stop = STRLIST_INIT;
    strlist_add(&stop, "the");
    MUST(tokenizer_new(language, 2, &stop, &t, &err));
    return t;
}

/* The short way for ASCII gives what ICU gives. */
static void words(const char *text, size_t n)
{
    static const char *const languages[] = {"none", "english"};
    static Tokenizer *quick[COUNT(languages)], *icu[COUNT(languages)];
    for (size_t i = 0; i < COUNT(languages); i++) {
        AUTO(str_done) Str a = STR_INIT, b = STR_INIT;
        if (!quick[i]) {
            quick[i] = tokenizer(languages[i]);
            icu[i] = tokenizer(languages[i]);
            tokenizer_icu_only(icu[i]);
        }
        MUST(tokenizer_run(quick[i], text, n, add_term, &a) == tokenizer_run(icu[i], text, n, add_term, &b));
        MUST(str_eq(str_z(&a), str_z(&b)));
    }
}

static const char *const words_examples[] = {
    "The quick (\"brown\") fox can't jump 32.3 feet, right?",
    "foo_bar __ _a 3,456.789 1,2;3 3.a a.3 a,b 1.2-3~rc1+b4",
    "x.y. libc6:amd64 c++ .net me@home.org",
    "don't don\u2019t \u00c9mile cafe\u0301 Stra\u00dfe so\u00adft",
    "\uff26\uff55 \ufb01le \u4e2d\u6587 \u30ab\u30bf \u304b\u3099 a\xff\xfe\xc3"
    "b",
    "\U0001F469\u200d\U0001F469\u200d\U0001F467 \U0001F1E9\U0001F1EA",
    NULL};

/* ---- what a stranger says to a source of relay files ------------------------------------------------ */

static void requests(const char *bytes, size_t n)
{
    Err err;
    AUTO(str_done) Str in = STR_INIT, request = STR_INIT;
    SourceSession s = {0};
    SourceFacts f = {4294967, true, 1};
    uint8_t seq;
    bool there = true;
    str_add(&in, bytes, n);
    while (packet_take(&in, &request, &seq, &there, &err) && there) {
        PacketOut out = {0};
        SourceLogin l;
        SourceCommand c;
        if (source_login_read(&request, &l, &err))
            MUST(strlen(l.user) < sizeof l.user);
        source_command_read(&request, &c);
        if (c.kind == SOURCE_QUERY) {
            source_answer(&f, &s, c.text, c.text_n, &out);
            MUST(out.bytes.len > 4 && out.left == 0);
        }
        str_done(&out.bytes);
    }
    source_session_done(&s);
}

static void make_requests(FuzzAdd add, void *arg)
{
    static const char login[] = "\x4e\0\0\1\0\x82\x08\0\0\0\0\x40\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0u\0\x14"
                                "12345678901234567890mysql_native_password";
    static const char query[] = "\x1d\0\0\0\3SET @slave_until_gtid='0-1-5'";
    static const char show[] = "\x20\0\0\0\3SHOW VARIABLES LIKE 'SERVER_ID'\1\0\0\0\x12";
    add(arg, login, sizeof login);
    add(arg, query, sizeof query - 1);
    add(arg, show, sizeof show - 1);
}

const FuzzTarget fuzz_bytes[] = {
    {"packets", packets, NULL, make_packets},
    {"reread", reread, reread_examples, NULL},
    {"hits", hits, NULL, make_hits},
    {"words", words, words_examples, NULL},
    {"requests", requests, NULL, make_requests},
    {0},
};
