/* SPDX-License-Identifier: Apache-2.0
 * Words and folding: fixed examples, and the ASCII fast path against ICU.
 */
#include "test.h"

#include "replica-agent/index/tokenize.h"

static void collect(void *arg, const char *term, size_t n, uint32_t word)
{
    (void)word;
    Str *s = arg;
    str_adds(s, s->len ? "|" : "");
    str_add(s, term, n);
}

static void collect_numbered(void *arg, const char *term, size_t n, uint32_t word)
{
    str_addf(arg, "%u:%.*s ", (unsigned)word, (int)n, term);
}

static char *terms_of(Tokenizer *t, const char *text, size_t n)
{
    Str s = STR_INIT;
    str_adds(&s, "");
    tokenizer_run(t, text, n, collect, &s);
    return s.p ? str_take(&s) : xstrdup("");
}

static Tokenizer *tokenizer(const char *language, int64_t min_length, const char *stop_words)
{
    Err err;
    Tokenizer *t;
    StrList stop = STRLIST_INIT;
    strlist_split(&stop, stop_words, ',');
    assert_ok(tokenizer_new(language, min_length, &stop, &t, &err), err);
    strlist_done(&stop);
    return t;
}

static void assert_terms(Tokenizer *t, const char *text, const char *expected)
{
    AUTOFREE char *got = terms_of(t, text, strlen(text));
    assert_string_equal(got, expected);
}

static void words_by_unicode_boundaries(void **state)
{
    (void)state;
    static const struct {
        const char *text, *terms;
    } cases[] = {
        {"", ""},
        {" \t\n.,;", ""},
        {"The quick (\"brown\") fox can't jump 32.3 feet, right?",
         "the|quick|brown|fox|can't|jump|32.3|feet|right"}, /* the example of UAX #29 */
        {"foo_bar __ _a", "foo_bar|_a"},
        {"3,456.789 1,2;3 3.a a.3 a,b", "3,456.789|1,2;3|3|a|a|3|a|b"},
        {"x.y. libc6:amd64 c++ .net me@home.org", "x.y|libc6|amd64|c|net|me|home.org"},
        {"1.2-3~rc1+b4", "1.2|3|rc1|b4"},
        {"don't don\u2019t 'quoted'", "don't|don't|quoted"},
        {"\u00c9mile CAF\u00c9 cafe\u0301 na\u00efve", "emile|cafe|cafe|naive"},
        {"Stra\u00dfe STRASSE \u00d8resund \u0141\u00f3d\u017a \u00c6on",
         "strasse|strasse|oresund|lodz|aeon"},
        {"\u0130stanbul \u0131s\u0131", "istanbul|isi"},
        {"\u039f\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2 \u041c\u043e\u0441\u043a\u0432\u0430",
         "\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c3|\u043c\u043e\u0441\u043a\u0432\u0430"},
        {"\uff26\uff55\uff4c\uff4c \ufb01le \u00b2", "full|file"},
        {"so\u00adft", "soft"},
        {"\U0001F600 smile \U0001F469\u200d\U0001F469\u200d\U0001F467 \U0001F1E9\U0001F1EA end", "smile|end"},
        {"\u4e2d\u6587\u5b57\u5178", "\u4e2d\u6587|\u5b57\u5178"},
        {"\u30ab\u30bf\u30ab\u30ca\u306e\u30c6\u30b9\u30c8",
         "\u30ab\u30bf\u30ab\u30ca|\u306e|\u30c6\u30b9\u30c8"},
        {"\u304b\u3099", "\u304c"}, /* the voicing mark is no accent */
        {"\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22", "\u0e20\u0e32\u0e29\u0e32|\u0e44\u0e17\u0e22"},
        {"\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05dc\u05d5\u05dd"},
        {"\ufdfa",
         "\u0635\u0644\u0649\u0627\u0644\u0644\u0647\u0639\u0644\u064a\u0647\u0648\u0633\u0644\u0645"},
    };
    Tokenizer *t = tokenizer("none", 1, "");
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_terms(t, cases[i].text, cases[i].terms);
    tokenizer_free(t);
}

static void bad_utf8_separates_words(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer("none", 1, "");
    assert_terms(t,
                 "ab\xff"
                 "cd \xc3 \xe2\x82 ef\xed\xa0\x80gh",
                 "ab|cd|ef|gh");
    assert_terms(t, "caf\xe9 latin1", "caf|latin1");
    static const char nul[] = "a\0b";
    AUTOFREE char *got = terms_of(t, nul, 3);
    assert_string_equal(got, "a|b");
    tokenizer_free(t);
}

static void short_and_stop_words_are_left_out(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer("none", 2, "the,\u00c9tat");
    assert_terms(t, "The a \u00e9 \u4e2d etat \u00e9tat THE of", "of");
    tokenizer_free(t);
}

static void long_words_are_cut_at_64_characters(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer("none", 1, "");
    char ascii[1001], unicode[2001];
    memset(ascii, 'x', 1000);
    ascii[1000] = '\0';
    AUTOFREE char *got = terms_of(t, ascii, 1000);
    assert_int_equal(strlen(got), 64);
    for (int i = 0; i < 1000; i++)
        memcpy(unicode + 2 * i, "\u0436", 2);
    AUTOFREE char *cut = terms_of(t, unicode, 2000);
    assert_int_equal(strlen(cut), 128);
    tokenizer_free(t);
}

static void stems_by_language(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer("english", 1, "the");
    assert_terms(t, "The libraries running library's", "librari|run|librari");
    tokenizer_free(t);
    t = tokenizer("french", 1, "");
    assert_terms(t, "\u00e9couteront \u00e9t\u00e9s", "ecout|ete"); /* the stemmer sees the accents */
    tokenizer_free(t);
    Err err;
    assert_false(tokenizer_new("englsh", 1, NULL, &t, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "did you mean \"english\""));
}

/* Pieces chosen so that every rule with a look ahead or behind meets every other. */
static const char *const pieces[] = {
    "a",      "B",      "7",      "_",      ".",      "'",      ",",      ";",      ":",      "\"",
    " ",      "  ",     "\n",     "\r\n",   "\t",     "\v",     "-",      "\\",     "\x01",   "word",
    "\u00e9", "\u0301", "\u200d", "\u00ad", "\u2019", "\u05d0", "\u4e2d", "\u30ab", "\u0e01", "\U0001F600",
    "\u00a0", "\u2028", "\u0660", "\u0430", "\xff",   "\xc3",   "@"};

static void fast_path_equals_icu(void **state)
{
    (void)state;
    Tokenizer *fast = tokenizer("english", 1, "word"), *slow = tokenizer("english", 1, "word");
    tokenizer_icu_only(slow);
    uint32_t seed = 20231;
    for (int round = 0; round < 60000; round++) {
        char text[200];
        size_t n = 0;
        size_t kinds = round % 3 ? COUNT(pieces) : 20; /* every third text is ASCII */
        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525u + 1013904223u;
            const char *piece = pieces[(seed >> 10) % kinds];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        text[n] = '\0';
        AUTOFREE char *a = terms_of(fast, text, n);
        AUTOFREE char *b = terms_of(slow, text, n);
        if (!str_eq(a, b))
            fail_msg("text \"%s\": fast \"%s\", ICU \"%s\"", text, a, b);
    }
    /* All pairs and triples of ASCII. */
    for (int c = 0; c < 128 * 128 * 128; c += 1 + (c & 1)) {
        char text[5] = {'a', (char)(c & 127), (char)(c >> 7 & 127), (char)(c >> 14 & 127), '1'};
        AUTOFREE char *a = terms_of(fast, text, 5);
        AUTOFREE char *b = terms_of(slow, text, 5);
        if (!str_eq(a, b))
            fail_msg("%x: fast \"%s\", ICU \"%s\"", (unsigned)c, a, b);
    }
    tokenizer_free(fast);
    tokenizer_free(slow);
}

static void words_left_out_are_counted(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer("none", 2, "the");
    AUTO(str_done) Str got = STR_INIT;
    const char *text = "The cat, a caf\u00e9 @ the HAT - 42";
    assert_int_equal(tokenizer_run(t, text, strlen(text), collect_numbered, &got), 7);
    assert_string_equal(str_z(&got), "2:cat 4:cafe 6:hat 7:42 ");
    str_clear(&got);
    assert_int_equal(tokenizer_run(t, "the", 3, collect_numbered, &got), 1);
    assert_string_equal(str_z(&got), "");
    tokenizer_icu_only(t);
    assert_int_equal(tokenizer_run(t, text, strlen(text), collect_numbered, &got), 7);
    assert_string_equal(str_z(&got), "2:cat 4:cafe 6:hat 7:42 ");
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_left_out_are_counted),
        cmocka_unit_test(words_by_unicode_boundaries),
        cmocka_unit_test(bad_utf8_separates_words),
        cmocka_unit_test(short_and_stop_words_are_left_out),
        cmocka_unit_test(long_words_are_cut_at_64_characters),
        cmocka_unit_test(stems_by_language),
        cmocka_unit_test(fast_path_equals_icu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
