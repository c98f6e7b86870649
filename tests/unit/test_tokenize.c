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
        {"foo_bar __ _ _a", "foo_bar|__|_a"},               /* WB13a; one low line alone has no status */
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

/* What a word is, ICU's status says (UBRK_WORD_*), not the general category of its characters: letters of
 * numerals, circled and squared ones are words too. Then NFKC_Casefold. */
static void icus_status_makes_a_word(void **state)
{
    (void)state;
    static const struct {
        const char *text, *terms;
    } cases[] = {
        /* tsroten/zhon#17: the ideographic zero is no Unified Ideograph and no letter, and stands in years */
        {"\u4e8c\u3007\u3007\u516b\u5e74 \u3007", "\u4e8c|\u3007\u3007|\u516b\u5e74|\u3007"},
        {"\u3021\u3022 \u3038", "\u3021|\u3022|\u5341"}, /* Suzhou numerals: Nl, ideographic */
        {"\u2163 \u2173 \u2163.", "iv|iv|iv"},           /* Roman numerals: Nl, ALetter */
        {"Henry\u00a0\u2167 \u2160\u2161", "henry|viii|iii"},
        {"\u24b6\u24b7c \U0001F130", "abc|a"},                /* circled and squared letters: So, ALetter */
        {"\u3300 \u32d0", "\u30a2\u30d1\u30fc\u30c8|\u30a2"}, /* squared and circled katakana: So */
        {"\u2f00\u4e8c", "\u4e00\u4e8c"},                     /* a radical, folded */
        {"\u16ee \U00010140 \U00012400", "\u16ee|\U00010140|\U00012400"}, /* runes, acrophonic, cuneiform */
        {"\u2460 \u00bd \u00b2 \u3231 \u2116 \u20ac \u2122", ""}, /* no status: circled digits, signs */
        {"- -- \u2014 \u3001 \u3002 \u00b7 \u0301 \u200d \u00ad \ufe0f", ""},
        {"\u0661\u0662\u066b\u0663 \u0967\u0968",
         "\u0661\u0662\u066b\u0663|\u0967\u0968"}, /* native digits */
        {"\uff11\uff12\uff0c\uff13\uff14 12,34 \U0001D7CF\U0001D7D0", "12,34|12,34|12"},
        {"1\ufe0f\u20e3 \u2764\ufe0f \U0001F468\u200d\U0001F4BB \U0001F44D\U0001F3FD",
         "1"}, /* a keycap is its digit */
        {"http://ex\u00e4mple.org:80/a_b?c=d%20e#f", "http|example.org|80|a_b|c|d|20e|f"},
        {"\u00fcser.n\u00e4me+tag@ex\u00e4mple.co.uk", "user.name|tag|example.co.uk"},
        {"\u2026a\u2025b\u2024c", "a|b.c"}, /* the one dot leader is MidNumLet */
    };
    Tokenizer *t = tokenizer("none", 1, "");
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_terms(t, cases[i].text, cases[i].terms);
    tokenizer_free(t);
}

/* One word however it is encoded: composed, decomposed, full-width, with what is not seen (UAX #15, NFKC; the
 * default ignorables go: jameslittle230/stork, typesense#1288, mark.js#69). */
static void one_word_one_term(void **state)
{
    (void)state;
    static const struct {
        const char *text, *term;
    } cases[] = {
        {"caf\u00e9 cafe\u0301 CAFE\u0301 ca\u00adfe\u0301 \uff43\uff41\uff46\u00e9 ca\u2060f\u00e9", "cafe"},
        {"office o\ufb03ce OF\ufb01CE\u200b", "office"},
        {"stra\u00dfe STRASSE STRA\u1e9eE", "strasse"},
        {"\u03bb\u03cc\u03b3\u03bf\u03c2 \u039b\u039f\u0393\u039f\u03a3 \u03bb\u03bf\u03b3\u03bf\u03c3",
         "\u03bb\u03bf\u03b3\u03bf\u03c3"},
        {"\u1112\u1161\u11ab \ud55c", "\ud55c"},             /* Hangul as macOS names files */
        {"\uff76\uff9e\uff7d \u30ac\u30b9", "\u30ac\u30b9"}, /* half-width, with its voicing mark */
        {"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0645\u06cc\u062e\u0648\u0627\u0647\u0645",
         "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645"},
        {"\u0643\u0650\u062a\u0627\u0628 \u0643\u0640\u062a\u0627\u0628 \ufedb\ufe98\ufe8e\ufe90",
         "\u0643\u062a\u0627\u0628"},
        {"\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \ufb2a\u05b8\u05dc\u05d5\u05b9\u05dd "
         "\u05e9\u05dc\u05d5\u05dd",
         "\u05e9\u05dc\u05d5\u05dd"},
        {"\u0915\u094d\u200d\u0937 \u0915\u094d\u0937",
         "\u0915\u094d\u0937"}, /* a half form is the same word */
    };
    Tokenizer *t = tokenizer("none", 1, "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        StrList words = STRLIST_INIT;
        AUTOFREE char *got = terms_of(t, cases[i].text, strlen(cases[i].text));
        strlist_split(&words, got, '|');
        assert_true(words.n > 1 || strstr(cases[i].text, " ") == NULL);
        for (size_t k = 0; k < words.n; k++)
            assert_string_equal(words.v[k], cases[i].term);
        strlist_done(&words);
    }
    tokenizer_free(t);
}

/* snowballstem/snowball#187: its stemmers know U+0027 alone; writers have others. */
static void apostrophes_are_one(void **state)
{
    (void)state;
    static const char *const signs[] = {"'", "\u2019", "\u2018", "\uff07", "\u02bc"};
    Tokenizer *english = tokenizer("english", 1, ""), *plain = tokenizer("none", 1, ""),
              *stopped = tokenizer("none", 1, "don't");
    for (size_t i = 0; i < COUNT(signs); i++) {
        AUTOFREE char *dogs = xasprintf("dog%ss DOG%sS o%sreilly%ss", signs[i], signs[i], signs[i], signs[i]);
        assert_terms(english, dogs, "dog|dog|o'reilli");
        assert_terms(plain, dogs, "dog's|dog's|o'reilly's");
        AUTOFREE char *quoted =
            xasprintf("%sdogs%s %s l%s\u00e9t\u00e9", signs[i], signs[i], signs[i], signs[i]);
        assert_terms(plain, quoted, "dogs|l'ete");
        AUTOFREE char *dont = xasprintf("don%st do", signs[i]);
        assert_terms(stopped, dont, "do");
    }
    /* UAX #29, WB7a to WB7c: in Hebrew the signs of the keyboard stand for geresh and gershayim. */
    assert_terms(plain, "\u05e6\u05d4\"\u05dc \u05e6\u05d4\u05f4\u05dc",
                 "\u05e6\u05d4\"\u05dc|\u05e6\u05d4\"\u05dc");
    assert_terms(plain, "\u05d2' \u05d2\u05f3", "\u05d2'|\u05d2'");
    tokenizer_free(english);
    tokenizer_free(plain);
    tokenizer_free(stopped);
}

static void stemmers_get_what_they_know(void **state)
{
    (void)state;
    /* The lower case of I in Turkish (Unicode, SpecialCasing.txt; Lucene's TurkishLowerCaseFilter). */
    Tokenizer *t = tokenizer("turkish", 1, "");
    AUTOFREE char *lower = terms_of(t, "k\u0131zlar\u0131 \u0131\u015f\u0131klar istanbul",
                                    strlen("k\u0131zlar\u0131 \u0131\u015f\u0131klar istanbul"));
    assert_terms(t, "KIZLARI I\u015eIKLAR \u0130STANBUL", lower);
    assert_terms(t, "KIZLARI I\u015eIKLAR I\u0307STANBUL", lower);
    assert_string_equal(lower, "kiz|isik|istanbul");
    tokenizer_free(t);
    /* snowballstem/snowball#177: the Romanian stemmer before 3.0 knew s and t with cedilla only. */
    t = tokenizer("romanian", 1, "");
    AUTOFREE char *cedilla = terms_of(t, "na\u0163iunilor ora\u015fului \u015fti\u0163i",
                                      strlen("na\u0163iunilor ora\u015fului \u015fti\u0163i"));
    assert_terms(t, "na\u021biunilor ora\u0219ului \u0219ti\u021bi", cedilla);
    assert_terms(t, "NA\u021aIUNILOR ORA\u0218ULUI s\u0326tit\u0326i", cedilla);
    tokenizer_free(t);
    /* Full-width and decomposed words are stemmed as the plain ones. */
    t = tokenizer("english", 1, "");
    assert_terms(t, "\uff32\uff35\uff2e\uff2e\uff29\uff2e\uff27 run\u00adning", "run|run");
    tokenizer_free(t);
    t = tokenizer("french", 1, "");
    assert_terms(t, "e\u0301te\u0301s e\u0301couteront", "ete|ecout");
    tokenizer_free(t);
}

static void words_of_marks_keep_their_letters(void **state)
{
    (void)state;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(str_done) Str ligatures = STR_INIT;
    for (int i = 0; i < 70; i++) {
        str_adds(&text, "x");
        for (int k = 0; k < 8; k++)
            str_adds(&text, "\u0301");
    }
    for (int i = 0; i < 500; i++)
        str_adds(&ligatures, "\ufdfa");
    Tokenizer *t = tokenizer("none", 1, "");
    AUTOFREE char *got = terms_of(t, str_z(&text), text.len);
    assert_int_equal(strlen(got), 64);
    AUTOFREE char *unfolded = terms_of(t, str_z(&ligatures), ligatures.len);
    assert_int_equal(strlen(unfolded), 2 * 64);
    tokenizer_free(t);
}

static void the_version_names_libraries_and_rules(void **state)
{
    (void)state;
    const char *version = tokenizer_version();
    assert_int_equal(strncmp(version, "icu ", 4), 0);
    assert_non_null(strstr(version, ", unicode "));
    assert_non_null(strstr(version, ", word rules "));
    assert_null(strstr(version, "word rules 00000000"));
    assert_non_null(strstr(version, ", folding 2"));
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
        cmocka_unit_test(icus_status_makes_a_word),
        cmocka_unit_test(one_word_one_term),
        cmocka_unit_test(apostrophes_are_one),
        cmocka_unit_test(stemmers_get_what_they_know),
        cmocka_unit_test(words_of_marks_keep_their_letters),
        cmocka_unit_test(the_version_names_libraries_and_rules),
        cmocka_unit_test(bad_utf8_separates_words),
        cmocka_unit_test(short_and_stop_words_are_left_out),
        cmocka_unit_test(long_words_are_cut_at_64_characters),
        cmocka_unit_test(stems_by_language),
        cmocka_unit_test(fast_path_equals_icu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
