/* SPDX-License-Identifier: Apache-2.0
 * Texts as terminals show them. Widths are those of Unicode's East Asian Width (UAX 11) as glibc has them.
 */
#include "test.h"

#include "common/base/text.h"

static void widths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t width;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"éàü", 3},
        {"e\xCC\x81", 1},        /* e and a combining acute */
        {"表の名", 6},           /* wide */
        {"ｱ", 1},                /* half-width katakana */
        {"Ａ", 2},               /* full-width A */
        {"한글", 4},             /* Hangul */
        {"\xF0\x9F\x90\xAC", 2}, /* a dolphin */
        {"a\xE2\x80\x8B"
         "b",
         2}, /* zero width space */
        {"…", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (text_width(cases[i].text, strlen(cases[i].text)) != cases[i].width)
            fail_msg("%s is %zu wide, not %zu", cases[i].text,
                     text_width(cases[i].text, strlen(cases[i].text)), cases[i].width);
}

static void cuts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *cut;
    } cases[] = {
        {"abc", 3, "abc"},      {"abcd", 3, "ab…"},   {"abcd", 1, "…"},
        {"abcd", 0, ""},        {"", 0, ""},          {"表の名", 6, "表の名"},
        {"表の名", 5, "表の…"}, {"表の名", 4, "表…"}, {"ae\xCC\x81xyz", 3, "ae\xCC\x81…"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str out = STR_INIT;
        text_cut(&out, cases[i].text, cases[i].columns);
        assert_string_equal(str_z(&out), cases[i].cut);
        assert_true(text_width(str_z(&out), out.len) <= cases[i].columns);
    }
}

/* Names from a server may hold anything: escape sequences, C1's CSI, marks that turn the direction of writing
 * (CVE-2021-42574), broken UTF-8. */
static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"a\nb\tc\033[2J\177", "a b c\\x1b[2J\\x7f"},
        {"a\xC2\x9B"
         "2J",
         "a\\x9b2J"},
        {"a\xE2\x80\xAE"
         "b\xE2\x81\xA6"
         "c",
         "a\\u202eb\\u2066c"},
        {"a\xE2\x80\xA8"
         "b",
         "a\\u2028b"},
        {"\xC3", "\\xc3"},
        {"\xC3(", "\\xc3("},
        {"\xC0\xAF", "\\xc0\\xaf"},
        {"\xED\xA0\x80", "\\xed\\xa0\\x80"},
        {"\xF5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
        {"\xE8\xA1", "\\xe8\\xa1"},
        {"über 表 \xF0\x9F\x90\xAC", "über 表 \xF0\x9F\x90\xAC"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str out = STR_INIT;
        text_clean(&out, cases[i].text);
        assert_string_equal(str_z(&out), cases[i].clean);
    }
    AUTO(str_done) Str lines = STR_INIT;
    static const char text[] = "a\tb\r\n\033]0;x\007\n\xff";
    text_clean_lines(&lines, text, strlen(text));
    assert_string_equal(str_z(&lines), "a\tb\\x0d\n\\x1b]0;x\\x07\n\\xff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),
        cmocka_unit_test(cuts),
        cmocka_unit_test(nothing_steers_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
