/* SPDX-License-Identifier: Apache-2.0
 * Wire objects: what is written reads back equal, bad fields are named.
 */
#include "test.h"

#include "common/wire/finding.h"
#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"

static const WireField *const tables[] = {
    agent_poll_fields,  task_spec_fields,   run_spec_fields,     run_align_fields,   progress_fields,
    replay_fields,      agent_run_fields,   server_state_fields, lease_state_fields, job_info_fields,
    node_state_fields,  run_fields,         task_fields,         node_fields,        finding_fields,
    agent_order_fields, order_answer_fields};

/* Fills each field with a value of its own, so that two swapped offsets cannot cancel out. */
static json_t *sample(const WireField *fields, int *counter, int depth)
{
    json_t *o = json_object();
    for (const WireField *f = fields; f->name; f++) {
        int n = ++*counter;
        json_t *v = NULL;
        switch (f->type) {
        case WIRE_STR:
            v = json_sprintf("text %d", n);
            break;
        case WIRE_INT:
            v = json_integer(n);
            break;
        case WIRE_NUM:
            v = json_real(n + 0.5);
            break;
        case WIRE_BOOL:
            v = json_true();
            break;
        case WIRE_TIME:
            v = json_sprintf("2026-11-23T20:%02d:%02d.500Z", n / 60 % 60, n % 60);
            break;
        case WIRE_STRS:
            v = json_pack("[s, s]", "a", "b");
            break;
        case WIRE_JSON:
            v = json_pack("{s:i}", "n", n);
            break;
        case WIRE_OBJ:
            v = sample(f->fields, counter, depth);
            break;
        case WIRE_ENUM: /* by turns one that is known, and one of a newer peer */
            v = n % 2 ? json_sprintf("later %d", n) : json_string(f->names->names[1]);
            break;
        case WIRE_LIST:
            v = json_array();
            json_array_append_new(v, sample(f->fields, counter, depth + 1));
            json_array_append_new(v, sample(f->fields, counter, depth + 1));
            break;
        }
        assert_null(json_object_get(o, f->name));
        json_object_set_new(o, f->name, v);
    }
    return o;
}

static void objects_round_trip(void **state)
{
    (void)state;
    Err err;
    for (size_t i = 0; i < COUNT(tables); i++) {
        int counter = 0;
        AUTOJSON json_t *in = sample(tables[i], &counter, 0);
        union {
            NodeState node_state;
            Node node;
            Task task;
            AgentRun agent_run;
            Run run;
            TaskSpec task_spec;
            RunSpec run_spec;
        } a, b;
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        assert_ok(wire_read(tables[i], in, &a, &err), err);
        wire_copy(tables[i], &b, &a);
        wire_free(tables[i], &a);
        AUTOJSON json_t *out = wire_write(tables[i], &b);
        wire_free(tables[i], &b);
        assert_true(json_equal(in, out));
    }
}

static void bad_fields_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"[]", "a JSON object is expected here"},
        {"{\"run\": 5}", "field \"run\" has the wrong type"},
        {"{\"args\": [1]}", "field \"args\" must hold strings only"},
        {"{\"source\": {\"url\": false}}", "source: field \"url\" has the wrong type"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        AUTOJSON json_t *j = json_loads(cases[i].json, 0, NULL);
        RunSpec s = {0};
        assert_false(wire_read(run_spec_fields, j, &s, &err));
        assert_string_equal(err.text, cases[i].error);
    }
}

/* A newer peer may name what we do not know: it is read, copied and written again as it came. */
static void an_unknown_name_is_not_lost(void **state)
{
    (void)state;
    Err err;
    AUTOJSON json_t *j = json_pack("{s:s, s:s, s:n}", "id", "1.1", "state", "thinking", "outcome");
    Run r = {0}, copy = {0};
    assert_ok(wire_read(run_fields, j, &r, &err), err);
    assert_int_equal(r.state, CRUN_UNKNOWN);
    assert_int_equal(r.outcome, OUTCOME_NONE);
    assert_string_equal(WIRE_TEXT(coord_run_state_names, &r, state), "thinking");
    assert_string_equal(WIRE_TEXT(run_outcome_names, &r, outcome), "");
    wire_copy(run_fields, &copy, &r);
    wire_free(run_fields, &r);
    assert_int_equal(r.state, CRUN_NONE);
    AUTOJSON json_t *out = wire_write(run_fields, &copy);
    assert_string_equal(json_str(out, "state"), "thinking");
    assert_true(json_is_null(json_object_get(out, "outcome")));
    copy.state = CRUN_RUNNING; /* what was read does not come back once we know better */
    AUTOJSON json_t *known = wire_write(run_fields, &copy);
    assert_string_equal(json_str(known, "state"), "running");
    wire_free(run_fields, &copy);
}

static void an_order_with_an_unknown_name_is_refused(void **state)
{
    (void)state;
    static const struct {
        const WireField *fields;
        const char *json, *error; /* NULL: it is right */
    } cases[] = {
        {task_spec_fields, "{\"job\": \"j\"}", NULL},
        {task_spec_fields, "{\"kind\": \"dump\", \"on\": \"replica\"}", NULL},
        {task_spec_fields, "{\"kind\": \"\"}", NULL},
        {task_spec_fields, "{\"kind\": \"dumb\"}",
         "field \"kind\" is \"dumb\" (did you mean \"dump\"?); known: dump, index, command, upload"},
        {run_spec_fields, "{\"on\": \"moon\"}", "field \"on\" is \"moon\"; known: primary, replica"},
        {agent_run_fields, "{\"spec\": {\"on\": \"Replica\"}}",
         "spec: field \"on\" is \"Replica\" (did you mean \"replica\"?); known: primary, replica"},
        {node_state_fields, "{\"runs\": [{\"state\": \"ended\"}, {\"outcome\": \"okay\"}]}",
         "runs[1]: field \"outcome\" is \"okay\" (did you mean \"ok\"?); known: ok, error, killed, stopped"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        AUTOJSON json_t *j = json_loads(cases[i].json, 0, NULL);
        union {
            TaskSpec task_spec;
            RunSpec run_spec;
            AgentRun agent_run;
            NodeState node_state;
        } s;
        memset(&s, 0, sizeof s);
        assert_ok(wire_read(cases[i].fields, j, &s, &err), err);
        bool ok = wire_check_names(cases[i].fields, &s, &err);
        assert_int_equal(ok, cases[i].error == NULL);
        if (!ok) {
            assert_int_equal(err.kind, ERR_USAGE);
            assert_string_equal(err.text, cases[i].error);
        }
        wire_free(cases[i].fields, &s);
    }
}

/* Whoever asks learns that the mistake is his, not ours: 400, not 500. Nothing is left of what was read. */
static void what_is_asked_is_the_askers(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"run\": 7}", "{\"args\": [\"a\", 5]}", "{\"claimed_at\": \"noon\"}",
        "{\"run\": \"1.1\", \"source\": {\"run\": []}}", "{\"run\": \"1.1\", \"on\": \"moon\"}"};
    Err err;
    RunSpec s = {0};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        AUTOJSON json_t *j = json_loads(wrong[i], 0, NULL);
        assert_false(wire_read_asked(run_spec_fields, j, &s, &err));
        assert_int_equal(err.kind, ERR_USAGE);
        assert_null(s.run);
    }
    AUTOJSON json_t *j = json_loads("{\"run\": \"1.1\", \"on\": \"primary\"}", 0, NULL);
    assert_ok(wire_read_asked(run_spec_fields, j, &s, &err), err);
    assert_string_equal(s.run, "1.1");
    wire_free(run_spec_fields, &s);
}

/* Each table: every name finds its value and back, no name twice, the ends are none and unknown. */
static void names_and_values_agree(void **state)
{
    (void)state;
    static const struct {
        const WireEnum *names;
        int unknown;
    } enums[] = {{&task_kind_names, KIND_UNKNOWN},          {&node_role_names, ROLE_UNKNOWN},
                 {&task_state_names, TASK_UNKNOWN},         {&task_action_names, ACTION_UNKNOWN},
                 {&coord_run_state_names, CRUN_UNKNOWN},    {&agent_run_state_names, ARUN_UNKNOWN},
                 {&run_outcome_names, OUTCOME_UNKNOWN},     {&lease_phase_names, PHASE_UNKNOWN},
                 {&receiver_state_names, RECEIVER_UNKNOWN}, {&acknowledger_names, ACKNOWLEDGER_UNKNOWN},
                 {&node_health_names, NODE_UNKNOWN}};
    for (size_t i = 0; i < COUNT(enums); i++) {
        const WireEnum *e = enums[i].names;
        assert_int_equal(wire_enum_unknown(e), enums[i].unknown);
        for (int v = 1; v < enums[i].unknown; v++)
            assert_int_equal(wire_enum_find(e, wire_enum_name(e, v)), v);
        assert_null(wire_enum_name(e, 0));
        assert_null(wire_enum_name(e, enums[i].unknown));
        assert_int_equal(wire_enum_find(e, NULL), 0);
        assert_int_equal(wire_enum_find(e, "no such name"), enums[i].unknown);
    }
    int action;
    Err err;
    assert_ok(wire_enum_read(&task_action_names, "action", "kill", &action, &err), err);
    assert_int_equal(action, ACTION_KILL);
    assert_false(wire_enum_read(&task_action_names, "action", "kil", &action, &err));
    assert_string_equal(err.text, "field \"action\" is \"kil\" (did you mean \"kill\"?); known: stop, kill, "
                                  "sleep, wake, retry, ack, delete, run, requeue");
    assert_false(wire_enum_read(&task_action_names, "action", "", &action, &err));
}

static void run_ids(void **state)
{
    (void)state;
    int64_t task, no;
    assert_true(wire_run_id("12.3", &task, &no));
    assert_int_equal(task, 12);
    assert_int_equal(no, 3);
    assert_true(wire_run_id("12", &task, &no));
    assert_int_equal(no, 0);
    assert_true(wire_run_id("12.3-k3x9qz07ab", &task, &no));
    assert_int_equal(task, 12);
    assert_int_equal(no, 3);
    static const char *const bad[] = {"",
                                      "x",
                                      "12.",
                                      "12.x",
                                      ".1",
                                      "0",
                                      "12.0",
                                      "../etc",
                                      "1.2.3",
                                      "12.3-",
                                      "12.3-k",
                                      "12-k3x9qz07ab",
                                      "12.3-k3x9qz07a/",
                                      "12.3-K3X9QZ07AB",
                                      NULL};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(wire_run_id(bad[i], &task, &no));
}

static void a_run_of_another_queue_has_another_key(void **state)
{
    (void)state;
    AUTOFREE char *key = runkey_make("12.3", "k3x9qz07ab"), *plain = runkey_make("12.3", ""),
                  *run = runkey_short("12.3-k3x9qz07ab");
    assert_string_equal(key, "12.3-k3x9qz07ab");
    assert_string_equal(plain, "12.3");
    assert_string_equal(run, "12.3");
    assert_string_equal(runkey_incarnation(key), "k3x9qz07ab");
    assert_string_equal(runkey_incarnation(plain), "");
    assert_true(runkey_is(key, "12.3"));
    assert_true(runkey_is(key, key));
    assert_false(runkey_is(key, "12.3-aaaaaaaaaa"));
    assert_false(runkey_is(key, "12"));
    assert_false(runkey_is(plain, key));
    char drawn[RUNKEY_INCARNATION + 1], other[RUNKEY_INCARNATION + 1];
    int64_t task, no;
    runkey_draw(drawn);
    runkey_draw(other);
    AUTOFREE char *made = runkey_make("1.1", drawn);
    assert_true(wire_run_id(made, &task, &no));
    assert_string_not_equal(drawn, other);
}

static void clients_see_what_people_type(void **state)
{
    (void)state;
    Err err;
    json_t *o;
    static const char in[] = "{\"id\":12,\"args\":[\"12.3-k3x9qz07ab\"],\"parent_run\":\"11.1-k3x9qz07ab\","
                             "\"runs\":[{\"id\":\"12.3-k3x9qz07ab\",\"replay\":{\"next_run\":\"13.1-"
                             "k3x9qz07ab\"}},{\"id\":\"12.2\"}]}";
    assert_ok(json_parse(in, strlen(in), &o, &err), err);
    runkey_show(o);
    AUTOFREE char *out = json_text(o);
    assert_string_equal(out, "{\"id\":12,\"args\":[\"12.3-k3x9qz07ab\"],\"parent_run\":\"11.1\",\"runs\":[{"
                             "\"id\":\"12.3\",\"replay\":"
                             "{\"next_run\":\"13.1\"},\"incarnation\":\"k3x9qz07ab\"},{\"id\":\"12.2\"}]}");
    json_decref(o);
}

/* The sum of some million rows has more digits than a double. */
static void whole_numbers_keep_all_digits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t n;
    } cases[] = {{"9007199254740993", 9007199254740993},
                 {"-9223372036854775808", INT64_MIN},
                 {"9223372036854775807", INT64_MAX},
                 {"1.5e3", 1500},
                 {"1e300", INT64_MAX},
                 {"-1e300", INT64_MIN},
                 {"\"5\"", 0},
                 {"null", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        AUTOJSON json_t *j = NULL;
        AUTOFREE char *text = xasprintf("{\"n\":%s}", cases[i].text);
        assert_ok(json_parse(text, strlen(text), &j, &err), err);
        assert_true(json_int(j, "n") == cases[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_round_trip),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test(an_unknown_name_is_not_lost),
        cmocka_unit_test(an_order_with_an_unknown_name_is_refused),
        cmocka_unit_test(what_is_asked_is_the_askers),
        cmocka_unit_test(names_and_values_agree),
        cmocka_unit_test(run_ids),
        cmocka_unit_test(a_run_of_another_queue_has_another_key),
        cmocka_unit_test(clients_see_what_people_type),
        cmocka_unit_test(whole_numbers_keep_all_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
