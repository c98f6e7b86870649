/* SPDX-License-Identifier: Apache-2.0
 * What would be lost by a failover, and the command that says so.
 */
#include "orchestrator/core/loss.h"

#include "test.h"

/* db0 is the primary, db1 and db2 its members. */
static LossNode nodes[3];
static LossFacts facts;

static void build(void)
{
    nodes[0] = (LossNode){.name = "db0", .old = true, .position = "0-1-120"};
    nodes[1] = (LossNode){.name = "db1", .member = true, .asked = true, .position = "0-1-115"};
    nodes[2] = (LossNode){.name = "db2", .member = true, .asked = true, .position = "0-1-118"};
    facts = (LossFacts){.flavor = DB_MARIADB, .nodes = nodes, .n = 3, .acks = 1, .strict = true};
}

static void expect(const char *command, const char *said, const char *not_said)
{
    AUTO(loss_done) Loss l;
    loss_look(&facts, &l);
    AUTOFREE char *text = strlist_join(&l.lines, "; ");
    assert_string_equal(l.command, command);
    if (said && !strstr(text, said))
        fail_msg("\"%s\" lacks \"%s\"", text, said);
    if (not_said && strstr(text, not_said))
        fail_msg("\"%s\" has \"%s\"", text, not_said);
}

static void test_all_members_answer(void **state)
{
    (void)state;
    build();
    expect("siding cluster failover", "no acknowledged commit is lost", "db0");
}

static void test_one_does_not(void **state)
{
    (void)state;
    build();
    nodes[2].asked = false;
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss",
           "db2 had 3 transactions more at 1970-01-01", "no acknowledged commit is lost");
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss",
           "db0 had 5 transactions more at", NULL);
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss", "(0-1-120)", NULL);
    nodes[0].asked = true; /* its agent answers, its binary log cannot be read */
    expect("siding cluster failover --accept-data-loss", "db2 had 3", "db0 had");
    nodes[0].ended = true; /* it can: that is all that was ever acknowledged */
    expect("siding cluster failover", "no acknowledged commit is lost", NULL);
    nodes[0].asked = false;
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss", "db0 had", NULL);
}

static void test_what_it_has_is_not_known_or_no_more(void **state)
{
    (void)state;
    build();
    nodes[1].asked = false;
    nodes[0].position = NULL;
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss",
           "db0 has not been heard", NULL);
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss", "db1 had nothing more",
           NULL);
    nodes[2].asked = false;
    nodes[1].position = NULL;
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss",
           "db1 has not been heard", NULL);
}

/* With two acknowledgements a commit, one of two members knows all. */
static void test_one_member_is_enough(void **state)
{
    (void)state;
    build();
    facts.acks = 2;
    nodes[2].asked = false;
    expect("siding cluster failover --force --old-primary-is-off", "no acknowledged commit is lost", NULL);
    facts.acks = 0; /* commits waited for nobody */
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss", "db2 had 3", NULL);
    build();
    facts.strict = false;
    expect("siding cluster failover --accept-data-loss", "did not wait for acknowledgements", NULL);
    expect("siding cluster failover --accept-data-loss", "db0 had 2 transactions more", NULL);
    nodes[0].position = "0-1-119";
    expect("siding cluster failover --accept-data-loss", "db0 had 1 transactions more", NULL);
    facts.n = 2; /* one of two is no majority */
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss", NULL, NULL);
}

static void test_sets_of_mysql(void **state)
{
    (void)state;
    static const char *const uuid = "11111111-1111-1111-1111-111111111111";
    build();
    AUTOFREE char *all = xasprintf("%s:1-120", uuid), *some = xasprintf("%s:1-115", uuid);
    AUTOFREE char *lost = xasprintf("(%s:116-120)", uuid);
    facts.flavor = DB_MYSQL;
    nodes[0].position = all;
    nodes[1].position = some;
    nodes[2] = (LossNode){.name = "db2", .member = true};
    expect("siding cluster failover --force --old-primary-is-off --accept-data-loss", lost, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members_answer),
        cmocka_unit_test(test_one_does_not),
        cmocka_unit_test(test_what_it_has_is_not_known_or_no_more),
        cmocka_unit_test(test_one_member_is_enough),
        cmocka_unit_test(test_sets_of_mysql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
