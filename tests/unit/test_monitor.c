/* SPDX-License-Identifier: Apache-2.0
 * What the monitor shows, and how its lines are found; what it asks by itself.
 */
#include "monitor_night.h"

static void each_view_at_three_sizes(void **state)
{
    static const struct {
        int width, height;
    } sizes[] = {{60, 16}, {80, 24}, {140, 30}};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        Night n = night(sizes[i].width, sizes[i].height);
        for (char view = '1'; view <= '7'; view++) {
            AUTOFREE char *name = xasprintf("view%c-%dx%d", view, sizes[i].width, sizes[i].height);
            press(&n, (const char[]){view, 0});
            pass(&n, 500);
            expect_screen(&n, name);
        }
        night_over(&n);
    }
}

static void without_utf8(void **state)
{
    (void)state;
    Night n = night_with(80, 24, false, false);
    press_key(&n, MONKEY_END);
    expect_screen(&n, "ascii-80x24");
    night_over(&n);
}

static void help_details_and_log(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "?");
    expect_screen(&n, "help-80x24");
    press(&n, "q");
    press(&n, "o");
    expect_screen(&n, "details-80x24");
    press(&n, "q");
    press(&n, "l");
    pass(&n, 1000);
    expect_screen(&n, "log-80x24");
    night_over(&n);
}

/* docs/monitor.md has a row for each line of the help. */
static void the_page_names_every_key(void **state)
{
    (void)state;
    Night n = night(140, 80);
    AUTO(str_done) Str seen = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/docs/monitor.md", getenv("SIDING_SOURCE_DIR"));
    AUTOFREE char *page = read_whole(path);
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    int rows = 0;
    press(&n, "?");
    write_screen(&n, &seen);
    strlist_split(&lines, str_z(&seen), '\n');
    for (size_t i = 1; i < lines.n && strstr(lines.v[i], "│ ") == lines.v[i]; i++) {
        const char *text = lines.v[i] + strlen("│ ");
        if (text[0] == ' ' || strncmp(text, "Letters", 7) == 0)
            continue;
        text += 11;
        const char *end = strstr(text, "  ");
        AUTOFREE char *row = xasprintf("` | %.*s |", (int)(end ? end - text : 0), text);
        if (!strstr(page, row))
            fail_msg("docs/monitor.md has no row \"%s\"", row);
        rows++;
    }
    assert_in_range(rows, 40, 60);
    night_over(&n);
}

static void a_small_terminal_is_told(void **state)
{
    (void)state;
    Night n = night(59, 16);
    expect_seen(&n, "59x16 is too small: 60x16", true);
    resize(&n, 5, 1);
    expect_seen(&n, "59x1", false); /* and nothing is written beside it */
    night_over(&n);
}

static void lines_are_filtered_sorted_and_found(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "&waiting !report\n");
    expect_seen(&n, "1 line, 3 hidden by &waiting !report", true);
    press(&n, "\033");
    expect_seen(&n, "4 lines", true);
    press(&n, ">!");
    expect_screen(&n, "sorted-80x24");
    press(&n, "/report\n");
    press(&n, "k");
    expect_seen(&n, "k kills what runs", true);
    press(&n, "/nowhere\n");
    expect_seen(&n, "no line here holds", true);
    night_over(&n);
}

static void the_cursor_begins_on_what_failed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "d");
    expect_seen(&n, "Delete task 11", true);
    night_over(&n);
}

static void the_cursor_stays_with_its_task(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":13\n");
    press(&n, ">");
    pass(&n, 5000);
    press(&n, "d");
    expect_seen(&n, "Delete task 13", true);
    night_over(&n);
}

/* It has ended, and stands in the next list a moment later: no key is meant for its neighbour meanwhile. */
static void no_neighbour_takes_the_place_of_a_line_that_is_away(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":12\n");
    pass(&n, 5000);
    n.no_active = true;
    pass(&n, 1500);
    press(&n, "r");
    expect_seen(&n, "no line for this is chosen", true);
    expect_posted(&n, "");
    n.no_active = false;
    pass(&n, 1000);
    press(&n, "t");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    n.waiting =
        "[{'id':12,'kind':'index','name':'catalogue','job':'catalogue','state':'waiting','user':'ann'}]";
    pass(&n, 4500); /* in two lists: it stands in one line, as the later says */
    expect_seen(&n, "2 lines", true);
    n.waiting = "[]"; /* also where no other line is left */
    press(&n, "4");
    press(&n, "&catalogue\n");
    n.no_active = true;
    pass(&n, 1500);
    n.no_active = false;
    pass(&n, 1000);
    press(&n, "t");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    n.waiting = NULL;
    press(&n, "2");
    pass(&n, 1000);
    n.no_active = true; /* and if it stays away the cursor goes on */
    pass(&n, 8000);
    press(&n, "d");
    expect_seen(&n, "Delete task 13", true);
    night_over(&n);
}

static void any_task_is_gone_to_by_its_number(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "5");
    press(&n, ":7\n");
    pass(&n, 1000);
    expect_seen(&n, "[2 live]", true);
    press(&n, "d");
    expect_seen(&n, "Delete task 7 (forgotten)", true);
    press(&n, "n");
    press(&n, ":6\n");
    pass(&n, 1000);
    expect_seen(&n, "[3 archive]", true);
    expect_seen(&n, "Task 6 ancient", true);
    press(&n, ":99\n");
    pass(&n, 500);
    expect_seen(&n, "there is no task 99", true);
    night_over(&n);
}

static void it_goes_on_when_the_coordinator_is_back(void **state)
{
    (void)state;
    Night n = night(80, 24);
    n.away = true;
    pass(&n, 6000);
    expect_screen(&n, "away-80x24");
    assert_true(monitor_take_bell(n.m));
    assert_false(monitor_take_bell(n.m));
    press(&n, "5");
    expect_seen(&n, "db3", true); /* what was known last */
    n.away = false;
    pass(&n, 2000);
    expect_seen(&n, "sidingd answers again", true);
    expect_seen(&n, "AWAY", false);
    night_over(&n);
}

/* Idle, few calls are made; none twice at a time. */
static void little_is_asked_while_nothing_happens(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "5");
    press(&n, "7");
    pass(&n, 3000);
    size_t calls = 0;
    for (int64_t until = now + 60000; now < until; now += 500) {
        MonitorCall call;
        monitor_tick(n.m, now);
        while (monitor_next_call(n.m, &call, now)) {
            calls++;
            answer_one(&n, &call);
        }
    }
    assert_in_range(calls, 10, 40);
    night_over(&n);
}

/* Any keys in any order: nothing is overrun, nothing leaks, nothing is posted that was not confirmed. */
static void any_keys(void **state)
{
    static const int special[] = {
        MONKEY_UP,     MONKEY_DOWN,     MONKEY_LEFT, MONKEY_RIGHT, MONKEY_PAGE_UP, MONKEY_PAGE_DOWN,
        MONKEY_HOME,   MONKEY_END,      MONKEY_TAB,  MONKEY_ENTER, MONKEY_ESCAPE,  MONKEY_BACKSPACE,
        MONKEY_DELETE, MONKEY_BACK_TAB, MONKEY_HELP, 0x8868,       0x1f600,        0x301};
    (void)state;
    unsigned seed = 20261128;
    Night n = night(80, 24);
    for (int i = 0; i < 6000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned r = seed >> 16;
        int key = r % 3 ? (int)(' ' + r % 95) : special[r / 3 % COUNT(special)];
        press_key(&n, key == 'q' || key == 'Q' ? 'j' : key);
        if (i % 16 == 0)
            resize(&n, 1 + (int)(r % 150), 1 + (int)(r / 7 % 50));
        n.away = r % 97 == 0;
        now += r % 2000;
        AUTO(str_done) Str seen = STR_INIT;
        write_screen(&n, &seen);
    }
    night_over(&n);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_view_at_three_sizes),
        cmocka_unit_test(without_utf8),
        cmocka_unit_test(help_details_and_log),
        cmocka_unit_test(the_page_names_every_key),
        cmocka_unit_test(a_small_terminal_is_told),
        cmocka_unit_test(lines_are_filtered_sorted_and_found),
        cmocka_unit_test(the_cursor_begins_on_what_failed),
        cmocka_unit_test(the_cursor_stays_with_its_task),
        cmocka_unit_test(no_neighbour_takes_the_place_of_a_line_that_is_away),
        cmocka_unit_test(any_task_is_gone_to_by_its_number),
        cmocka_unit_test(it_goes_on_when_the_coordinator_is_back),
        cmocka_unit_test(little_is_asked_while_nothing_happens),
        cmocka_unit_test(any_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
