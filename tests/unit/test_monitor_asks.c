/* SPDX-License-Identifier: Apache-2.0
 * What the keys of the monitor ask of a sidingd, after what questions.
 */
#include "monitor_night.h"

#include "common/base/clock.h"

/* Its last run failed, and it waits for the next. */
static const char turn_text[] =
    "[{'id':15,'kind':'dump','name':'weekly','job':'dump','state':'waiting','user':'cron',"
    "'submitted_at':'2026-11-01T00:00:00.000Z','run_at':'2026-11-29T01:00:00.000Z',"
    "'plan':{'cron':'0 1 * * 0'},'error':'job ended with status 3: orders: page 7 cannot be read',"
    "'why':'it is due at 2026-11-29T01:00:00Z'}]";

static void what_destroys_is_asked_about(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":12\nk");
    expect_screen(&n, "confirm-80x24");
    press(&n, "x");
    press(&n, "n");
    expect_posted(&n, "");
    press(&n, "ky");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"kill\",\"by\":\"ann\"}");
    expect_seen(&n, "kill task 12: taken", true);
    press(&n, "d");
    expect_seen(&n, "what runs cannot be deleted", true);
    press(&n, ":14\ndy");
    expect_posted(&n, "/v1/tasks/14/request {\"action\":\"delete\",\"by\":\"ann\"}");
    night_over(&n);
}

static void k_acknowledges_what_failed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":11\nK");
    expect_seen(&n, "It was held", true);
    press(&n, "Y");
    expect_posted(&n, "/v1/tasks/11/request {\"action\":\"ack\",\"by\":\"ann\"}");
    press(&n, "i");
    expect_posted(&n, "/v1/tasks/11/request {\"action\":\"retry\",\"by\":\"ann\"}");
    night_over(&n);
}

static void a_turn_that_failed_waits_for_somebody(void **state)
{
    (void)state;
    Night n = night(80, 24);
    n.queue = "{'mode':'automatic','errors':0,'turns_failed':1,'failed_turns':[{'task':15,'name':'weekly'}]}";
    n.waiting = turn_text;
    pass(&n, 5000);
    expect_seen(&n, "weekly failed in its", true);
    press(&n, ":15\n");
    pass(&n, 1000);
    expect_screen(&n, "turn-80x24");
    press(&n, "i");
    press(&n, "k");
    expect_seen(&n, "It is periodic", true);
    press(&n, "y");
    expect_posted(&n, "/v1/tasks/15/request {\"action\":\"retry\",\"by\":\"ann\"}\n"
                      "/v1/tasks/15/request {\"action\":\"ack\",\"by\":\"ann\"}");
    press(&n, "e");
    expect_seen(&n, "task 15 weekly, in its last turn", true);
    night_over(&n);
}

static void requests_of_a_running_task(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":12\ns");
    press(&n, "t");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"sleep\",\"by\":\"ann\"}\n"
                      "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    press(&n, "w");
    expect_seen(&n, "it does not sleep", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void r_starts_what_waits(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":14\nR");
    expect_posted(&n, "/v1/tasks/14/request {\"action\":\"run\",\"by\":\"ann\"}");
    press(&n, ":12\nr");
    expect_seen(&n, "r runs what waits", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void q_ends_it(void **state)
{
    (void)state;
    for (const char *key = "qQ"; *key; key++) {
        Night n = night(80, 24);
        press(&n, "?");
        press(&n, (const char[]){*key, 0});
        assert_false(monitor_is_over(n.m)); /* a box first */
        press(&n, (const char[]){*key, 0});
        assert_true(monitor_is_over(n.m));
        night_over(&n);
    }
}

static void tagged_lines_are_asked_together(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, ":13\n");
    press(&n, " :14\n d");
    expect_seen(&n, "Delete 2 tasks: 13, 14?", true);
    press(&n, "y");
    expect_posted(&n, "/v1/tasks/13/request {\"action\":\"delete\",\"by\":\"ann\"}\n"
                      "/v1/tasks/14/request {\"action\":\"delete\",\"by\":\"ann\"}");
    expect_seen(&n, "tagged", false);
    night_over(&n);
}

static void a_replica_is_paused_and_resumed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "5/db3\nw");
    expect_posted(&n, "/v1/nodes/db3/resume {\"reason\":\"from the monitor\",\"by\":\"ann\"}");
    press(&n, "/db2\nw");
    expect_seen(&n, "a run holds it", true);
    press(&n, "g");
    press(&n, "s");
    expect_seen(&n, "this is the primary", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void an_outcome_that_is_not_known_is_told(void **state)
{
    (void)state;
    Night n = night(80, 24);
    err_set(&n.refuse, ERR_LOST, 0, "connection lost to unix:/run/siding.sock");
    press(&n, ":12\nt");
    expect_seen(&n, "whether it was done", true);
    pass(&n, 20000);
    expect_seen(&n, "whether it was done", true); /* until a key is pressed */
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    night_over(&n);
}

static void viewers_only_look(void **state)
{
    (void)state;
    Night n = night_with(80, 24, true, true);
    press(&n, ":12\nky");
    expect_posted(&n, "");
    press(&n, ":kill\ny");
    expect_posted(&n, "");
    press(&n, "k");
    expect_seen(&n, "READ ONLY", true);
    expect_seen(&n, "--read-only", true);
    night_over(&n);
}

static void as_in_bibsched_automatic_mode_looks_only(void **state)
{
    (void)state;
    Night n = {.queue = "{'mode':'automatic'}", .width = 80, .height = 24};
    clock_parse("2026-11-28T02:10:00.000Z", &now);
    n.m = monitor_new(&(MonitorSetup){"unix:/run/siding.sock", "ann", parse_time, false, true, true}, now);
    resize(&n, 80, 24);
    turn(&n);
    turn(&n);
    press(&n, ":12\nt");
    expect_seen(&n, "in automatic mode this monitor looks only", true);
    press(&n, "k");
    press(&n, ":stop\n");
    press(&n, "5x");
    expect_posted(&n, "");
    press(&n, "o");
    expect_seen(&n, "details", true);
    press(&n, "q2a1");
    expect_posted(&n, "/v1/queue/manual {\"for_s\":300,\"by\":\"ann\"}");
    n.queue = "{'mode':'manual'}";
    pass(&n, 5000);
    press(&n, ":12\nt");
    expect_posted(&n, "/v1/tasks/12/request {\"action\":\"stop\",\"by\":\"ann\"}");
    night_over(&n);
}

static void what_is_done_is_purged(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "p");
    expect_seen(&n, "press 1 first", true);
    press(&n, "1");
    press(&n, "p\n");
    expect_seen(&n, "Delete task 2 (old)?", true);
    press(&n, "y");
    expect_posted(&n, "/v1/tasks/2/request {\"action\":\"delete\",\"by\":\"ann\"}");
    night_over(&n);
}

static void manual_mode_with_a_reason_and_back(void **state)
{
    (void)state;
    Night n = night(80, 24);
    press(&n, "a");
    expect_seen(&n, "knows no manual mode", true);
    n.queue = "{'mode':'automatic','brakes':[],'errors':0,'failures':[]}";
    pass(&n, 5000);
    press(&n, "A");
    expect_screen(&n, "mode-80x24");
    press(&n, "1");
    expect_posted(&n, "/v1/queue/manual {\"for_s\":300,\"by\":\"ann\"}");
    press(&n, "a3\n");
    expect_posted(&n, "");
    press(&n, "a3new disks until noon\n");
    expect_posted(&n, "/v1/queue/manual {\"reason\":\"new disks until noon\",\"by\":\"ann\"}");
    n.queue = "{'mode':'manual','brakes':[{'kind':'queue','name':'','since':'2026-11-27T16:00:00.000Z','"
              "until':null,"
              "'by':'bob','reason':'new disks'}],'errors':1,'failures':[{'task':11,'name':'nightly','since':"
              "'2026-11-28T01:20:05.000Z','waiting':2}]}";
    pass(&n, 5000);
    expect_screen(&n, "manual-80x24");
    press(&n, "e");
    expect_screen(&n, "held-80x24");
    press(&n, "q");
    err_set(&n.refuse, ERR_CONFLICT, 0, "1 failure keeps the queue in manual mode: task 11");
    press(&n, "a");
    expect_posted(&n, "/v1/queue/auto {\"by\":\"ann\"}");
    expect_seen(&n, "1 failure keeps the queue", true);
    night_over(&n);
}

static void tasks_are_changed(void **state)
{
    (void)state;
    Night n = night(80, 24);
    const int control_u = 'U' & 0x1f;
    press(&n, ":14\nn");
    press_key(&n, control_u);
    press(&n, "7\n");
    expect_posted(&n, "/v1/tasks/14/set {\"priority\":7,\"by\":\"ann\"}");
    press(&n, "c2\n");
    expect_posted(&n, "/v1/tasks/14/set {\"name\":\"report2\",\"by\":\"ann\"}");
    press(&n, "f2h\n");
    expect_posted(&n, "/v1/tasks/14/set {\"sleeptime_ms\":7200000,\"by\":\"ann\"}");
    press(&n, "j");
    press_key(&n, control_u);
    press(&n, "+1h\n");
    AUTOFREE char *all = strlist_join(&n.posted, "");
    assert_non_null(strstr(all, "/v1/tasks/14/set {\"run_at\":\"2026-11-28T03:"));
    strlist_done(&n.posted);
    press(&n, "nmuch\n");
    expect_seen(&n, "a priority is a number", true);
    press(&n, "jnever\n");
    expect_seen(&n, "never\" is no time", true);
    expect_posted(&n, "");
    night_over(&n);
}

static void schedules_and_nodes(void **state)
{
    (void)state;
    Night n = night(80, 24);
    n.schedules = "[{'name':'nightly','task':11,'job':'dump','enabled':true,'state':'error','next':'2026-11-"
                  "29T01:00:00.000Z',"
                  "'last_run':'11.1','last_state':'error','last_started':'2026-11-28T01:00:02.000Z','lasts_"
                  "ms':1200000},"
                  "{'name':'weekly','task':20,'job':'index','enabled':false,'state':'waiting','next':null,"
                  "'last_state':'done','last_started':'2026-11-21T03:00:00.000Z','lasts_ms':60000}]";
    press(&n, "6");
    pass(&n, 1000);
    expect_screen(&n, "schedules-80x24");
    press(&n, "/nightly\nr");
    press(&n, "s");
    press(&n, "w");
    expect_posted(&n, "/v1/schedules/nightly/request {\"action\":\"run-now\",\"by\":\"ann\"}\n"
                      "/v1/schedules/nightly/request {\"action\":\"disable\",\"by\":\"ann\"}\n"
                      "/v1/schedules/nightly/request {\"action\":\"enable\",\"by\":\"ann\"}");
    press(&n, "k");
    expect_seen(&n, "on schedules r runs", true);
    press(&n, "5/db3\nxnew disk\n");
    expect_posted(&n, "/v1/nodes/db3/cordon {\"reason\":\"new disk\",\"by\":\"ann\"}");
    n.queue = "{'mode':'automatic','brakes':[{'kind':'node','name':'db3','since':'2026-11-28T02:10:00.000Z','"
              "by':'ann',"
              "'reason':'new disk'}]}";
    pass(&n, 5000);
    expect_seen(&n, "cordoned", true);
    press(&n, "x");
    expect_posted(&n, "/v1/nodes/db3/uncordon {\"by\":\"ann\"}");
    night_over(&n);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_destroys_is_asked_about),
        cmocka_unit_test(k_acknowledges_what_failed),
        cmocka_unit_test(a_turn_that_failed_waits_for_somebody),
        cmocka_unit_test(requests_of_a_running_task),
        cmocka_unit_test(r_starts_what_waits),
        cmocka_unit_test(q_ends_it),
        cmocka_unit_test(tagged_lines_are_asked_together),
        cmocka_unit_test(a_replica_is_paused_and_resumed),
        cmocka_unit_test(an_outcome_that_is_not_known_is_told),
        cmocka_unit_test(viewers_only_look),
        cmocka_unit_test(as_in_bibsched_automatic_mode_looks_only),
        cmocka_unit_test(what_is_done_is_purged),
        cmocka_unit_test(manual_mode_with_a_reason_and_back),
        cmocka_unit_test(tasks_are_changed),
        cmocka_unit_test(schedules_and_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
