/* SPDX-License-Identifier: Apache-2.0
 * Tables: aligned by what is seen, no wider than the terminal.
 */
#include "test.h"

#include "common/base/text.h"
#include "orchestrator/cli/table.h"

static const char *const head[] = {"NAME", "SIZE", "REMARK", NULL};

static void expect(const Table *t, size_t width, const char *wanted)
{
    AUTO(str_done) Str out = STR_INIT;
    table_write(t, width, &out);
    assert_string_equal(str_z(&out), wanted);
}

static void columns_are_aligned(void **state)
{
    (void)state;
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "lr", head);
    table_row(&t, (const char *[]){"é", "1", "a\nb\033[2J", NULL});
    table_row(&t, (const char *[]){"表の名前", "22", "e\xCC\x81", NULL});
    table_row(&t, (const char *[]){"longer", "1234567", NULL});
    assert_int_equal(table_rows(&t), 3);
    expect(&t, 0,
           "NAME         SIZE  REMARK\n"
           "é               1  a b\\x1b[2J\n"
           "表の名前       22  e\xCC\x81\n"
           "longer    1234567\n");
    AUTO(table_done) Table empty = TABLE_INIT;
    expect(&empty, 10, "");
}

static void a_wrapping_column_goes_on_below(void **state)
{
    (void)state;
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "xrw", head);
    table_row(&t, (const char *[]){"a", "1", "no replica is free: db1 is paused by hand", NULL});
    table_row(&t, (const char *[]){"b", "2", "表の名前表の名前表の名前 x", NULL});
    table_row(&t, (const char *[]){"c", "3", "aWordThatIsLongerThanItsColumn", NULL});
    expect(&t, 32,
           "NAME  SIZE  REMARK\n"
           "a        1  no replica is free:\n"
           "            db1 is paused by\n"
           "            hand\n"
           "b        2  表の名前表の名前表の\n"
           "            名前 x\n"
           "c        3  aWordThatIsLongerTha\n"
           "            nItsColumn\n");
}

static void other_columns_are_cut_the_widest_first(void **state)
{
    (void)state;
    AUTO(table_done) Table t = {.align = "llr"};
    table_row(&t, (const char *[]){"short", "a name of some length", "123456789", NULL});
    expect(&t, 30, "short  a name of s…  123456789\n");
    expect(&t, 0, "short  a name of some length  123456789\n");
    AUTO(table_done) Table last = TABLE_INIT;
    table_row(&last, (const char *[]){"12", "éàü waits for db1", NULL});
    expect(&last, 10, "12  éàü w…\n");
}

/* Whatever is in it: no line is wider than the terminal, and no number is shown with its end cut off in the
 * middle of a row that still fits. */
static void no_line_is_wider(void **state)
{
    (void)state;
    static const char *const cells[] = {"",
                                        "x",
                                        "表の名前表の名前",
                                        "a b c d e f g h",
                                        "\xF0\x9F\x90\xAC\xF0\x9F\x90\xAC",
                                        "thirty-characters-in-one-word!",
                                        "e\xCC\x81 e\xCC\x81"};
    static const char *const aligns[] = {"", "lll", "xxx", "rwl", "www", "xrw"};
    for (size_t a = 0; a < COUNT(aligns); a++)
        for (size_t width = 1; width < 60; width++) {
            AUTO(table_done) Table t = {.align = aligns[a]};
            AUTO(str_done) Str out = STR_INIT;
            AUTO(strlist_done) StrList lines = STRLIST_INIT;
            for (size_t i = 0; i + 2 < COUNT(cells); i++)
                table_row(&t, (const char *[]){cells[i], cells[i + 1], cells[i + 2], NULL});
            table_write(&t, width, &out);
            strlist_split(&lines, str_z(&out), '\n');
            for (size_t i = 0; i < lines.n; i++)
                if (text_width(lines.v[i], strlen(lines.v[i])) > width)
                    fail_msg("\"%s\" is wider than %zu (%s)", lines.v[i], width, aligns[a]);
        }
}

static void states_are_marked_by_what_they_mean(void **state)
{
    static const char *const states[] = {"NAME", "STATE", NULL};
    (void)state;
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "ls", states);
    table_row(&t, (const char *[]){"a", "error", NULL});
    table_row(&t, (const char *[]){"error", "waiting", NULL});
    table_row(&t, (const char *[]){"c", "\001g", NULL});
    table_mark_states();
    expect(&t, 20,
           "NAME   STATE\n"
           "a      \001eerror\001.\n"
           "error  waiting\n"
           "c      \\x01g\n");
    expect(&t, 9, "NAME   S…\na      e…\nerror  w…\nc      \\…\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(a_wrapping_column_goes_on_below),
        cmocka_unit_test(other_columns_are_cut_the_widest_first),
        cmocka_unit_test(no_line_is_wider),
        /* last: what it sets stays */
        cmocka_unit_test(states_are_marked_by_what_they_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
