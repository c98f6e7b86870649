/* SPDX-License-Identifier: Apache-2.0
 * The failover's step, answer by answer: what one coordinator orders, whom it waits for and whom not, what a
 * person takes upon himself, a switchover, and who becomes a member later.
 */
#include "orchestrator/core/failover.h"

#include "test.h"

enum { LOSS = 5000 };

static bool numbers(const void *arg, int a, int b)
{
    (void)arg;
    return a >= b;
}

/* Of db0 with the members db1, db2, all seen from a coordinator in term 1. */
static Failover begun(const FailoverRules *r, FailoverOrders *ret)
{
    Failover f;
    Decision known = {.version = 1, .primary = 0, .held_by = 0, .open = true, .members = 6, .acks = 1};
    failover_init(&f, &known);
    FailoverEvent ev = {.kind = FAILOVER_EV_BEGIN, .now_ms = 1000, .ballot = {1, 7}};
    failover_step(&f, r, &ev, numbers, NULL, ret);
    return f;
}

static void says(Failover *f, const FailoverRules *r, FailoverEventKind kind, int node, int64_t now_ms,
                 FailoverOrders *ret)
{
    FailoverEvent ev = {.kind = kind,
                        .now_ms = now_ms,
                        .node = node,
                        .ballot = {1, 7},
                        .stopped = true,
                        .reading = {.received = node},
                        .version = f->chosen.version};
    failover_step(f, r, &ev, numbers, NULL, ret);
}

static void test_a_loss_is_taken_late_and_only_when_asked_for(void **state)
{
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        FailoverRules r = {.voters = 7, .servers = 7, .acks = 1, .loss_after_ms = asked ? LOSS : 0};
        FailoverOrders out;
        Failover f = begun(&r, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
        says(&f, &r, FAILOVER_EV_TICK, 0, 1000 + LOSS - 1, &out);
        assert_int_equal(f.phase, FAILOVER_FENCING);
        says(&f, &r, FAILOVER_EV_TICK, 0, 1000 + 10 * LOSS, &out);
        assert_int_equal(f.phase, FAILOVER_FENCING); /* one of three is no majority */
        f = begun(&r, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
        f.promised |= 1; /* the old primary's voter, whose receiver says nothing */
        says(&f, &r, FAILOVER_EV_TICK, 0, 1000 + LOSS - 1, &out);
        assert_int_equal(f.phase, FAILOVER_FENCING);
        says(&f, &r, FAILOVER_EV_TICK, 0, 1000 + LOSS, &out);
        assert_int_equal(f.phase, asked ? FAILOVER_DECIDING : FAILOVER_FENCING);
        assert_int_equal(f.chosen.primary, asked ? 1 : FAILOVER_NOBODY);
    }
}

static void test_members_of_a_loose_primary_say_nothing(void **state)
{
    (void)state;
    for (int loose = 0; loose < 2; loose++) {
        FailoverRules r = {.voters = 7, .servers = 7, .acks = 1, .loose = loose};
        FailoverOrders out;
        Failover f = begun(&r, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 2, 1100, &out);
        assert_int_equal(f.phase, loose ? FAILOVER_FENCING : FAILOVER_DECIDING);
    }
}

/* What is put to the voters needs the winner's own vote, and some time for the others. */
static void test_who_is_forced_asks_all_that_answer(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 7,
                       .servers = 7,
                       .acks = 2,
                       .old_is_off = true,
                       .forced_after_ms = 2000,
                       .follow_wait_ms = 3000};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    f.base.acks = 2; /* one of them is enough to know all */
    says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    assert_int_equal(out.wake_ms, 3000);
    says(&f, &r, FAILOVER_EV_TICK, 0, 2999, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    says(&f, &r, FAILOVER_EV_TICK, 0, 3000, &out);
    assert_int_equal(f.phase, FAILOVER_DECIDING);
    says(&f, &r, FAILOVER_EV_ACCEPTED, 2, 3100, &out);
    says(&f, &r, FAILOVER_EV_TICK, 0, 9000, &out);
    assert_int_equal(f.phase, FAILOVER_DECIDING);
    says(&f, &r, FAILOVER_EV_ACCEPTED, 1, 9000, &out);
    says(&f, &r, FAILOVER_EV_DRAINED, 1, 9100, &out);
    assert_int_equal(f.phase, FAILOVER_FOLLOWING);
    Failover waits = f;
    waits.fenced |= 4; /* it answers, and is waited for */
    says(&waits, &r, FAILOVER_EV_TICK, 0, 20000, &out);
    assert_int_equal(waits.phase, FAILOVER_FOLLOWING);
    says(&waits, &r, FAILOVER_EV_FOLLOWS, 2, 21000, &out);
    assert_int_equal(waits.phase, FAILOVER_RECORDING);
    assert_int_equal(waits.chosen.acks, 1);
    says(&f, &r, FAILOVER_EV_TICK, 0, 12099, &out);
    assert_int_equal(f.phase, FAILOVER_FOLLOWING);
    says(&f, &r, FAILOVER_EV_TICK, 0, 12100, &out);
    assert_int_equal(f.phase, FAILOVER_RECORDING);
    assert_int_equal(f.chosen.acks, 0);
}

/* db2 is, and has followers: what is left is to wait for the old primary, and to open. */
static void is_decided(Failover *f, const FailoverRules *r, int64_t now_ms, FailoverOrders *ret)
{
    for (int i = 1; i < 3; i++)
        says(f, r, FAILOVER_EV_ACCEPTED, i, now_ms, ret);
    says(f, r, FAILOVER_EV_DRAINED, 2, now_ms, ret);
    says(f, r, FAILOVER_EV_FOLLOWS, 1, now_ms, ret);
    for (int i = 1; i < 3; i++)
        says(f, r, FAILOVER_EV_ACCEPTED, i, now_ms, ret);
}

static void test_nobody_waits_for_a_host_that_is_off(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        FailoverRules r = {.voters = 7, .servers = 7, .acks = 1, .fence_wait_ms = 60000, .old_is_off = off};
        FailoverOrders out;
        Failover f = begun(&r, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 2, 1100, &out);
        says(&f, &r, FAILOVER_EV_TICK, 0, 1600, &out);
        is_decided(&f, &r, 1700, &out);
        assert_int_equal(f.phase, off ? FAILOVER_ARMING : FAILOVER_WAITING);
        says(&f, &r, FAILOVER_EV_TICK, 0, 1100 + r.fence_wait_ms,
             &out); /* counted from the members' promises */
        assert_int_equal(f.phase, FAILOVER_ARMING);
    }
}

/* Its agent answers a moment after its members' agents: its server has ended. */
static void test_nobody_waits_for_one_that_has_ended(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 7, .servers = 7, .acks = 1, .fence_wait_ms = 60000};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
    says(&f, &r, FAILOVER_EV_PROMISED, 2, 1100, &out);
    says(&f, &r, FAILOVER_EV_TICK, 0, 1599, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    assert_int_equal(out.wake_ms, 1600);
    FailoverEvent ended = {.kind = FAILOVER_EV_PROMISED,
                           .now_ms = 1599,
                           .node = 0,
                           .ballot = {1, 7},
                           .stopped = true,
                           .reading = {.received = 2, .ended = true}};
    failover_step(&f, &r, &ended, numbers, NULL, &out);
    assert_int_equal(f.phase, FAILOVER_DECIDING);
    is_decided(&f, &r, 1700, &out);
    assert_int_equal(f.phase, FAILOVER_ARMING);
}

/* Node 2 alone has the newest, and is liked less. Nobody fetches from one that is paused where it may be
 * promoted itself, nor ever from one whose binary log leaves something out. */
static void test_who_fetches_from_whom(void **state)
{
    (void)state;
    static const struct {
        NodeSet never, slow, partial;
        int primary, donor;
    } cases[] = {
        {0, 0, 0, 1, 2},
        {0, 4, 0, 2, FAILOVER_NOBODY}, /* paused */
        {4, 4, 0, 1, 2},               /* delayed on purpose */
        {0, 0, 4, 2, FAILOVER_NOBODY},
        {4, 0, 4, FAILOVER_NOBODY, FAILOVER_NOBODY}, /* filters: what it alone has is lost without it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FailoverRules r = {.voters = 7,
                           .servers = 7,
                           .acks = 1,
                           .avoid = 4,
                           .never = cases[i].never,
                           .slow = cases[i].slow,
                           .partial = cases[i].partial};
        FailoverOrders out;
        Failover f = begun(&r, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
        says(&f, &r, FAILOVER_EV_PROMISED, 2, 1100, &out);
        bool decided = cases[i].primary != FAILOVER_NOBODY;
        assert_int_equal(f.phase, decided ? FAILOVER_DECIDING : FAILOVER_FENCING);
        assert_int_equal(f.chosen.primary, cases[i].primary);
        assert_int_equal(f.donor, cases[i].donor);
    }
}

/* Of two that have the newest, the one that need not be helped. The donor is told to apply what it has; its
 * answer does not count as the winner's. */
static void test_a_donor_is_asked_to_apply_what_it_has(void **state)
{
    (void)state;
    FailoverRules r = {
        .voters = 15, .servers = 15, .acks = 1, .never = 12, .slow = 4, .phase_limit_ms = 10000};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    for (int node = 1; node < 4; node++)
        says(&f, &r, FAILOVER_EV_PROMISED, node, 1100, &out);
    assert_int_equal(f.phase, FAILOVER_DECIDING);
    assert_int_equal(f.donor, 3);
    for (int node = 1; node < 4; node++)
        says(&f, &r, FAILOVER_EV_ACCEPTED, node, 1200, &out);
    assert_int_equal(f.phase, FAILOVER_DRAINING);
    assert_int_equal(out.v[out.n - 1].kind, FAILOVER_DRAIN);
    assert_int_equal(out.v[out.n - 1].to, 2 | 8);
    says(&f, &r, FAILOVER_EV_DRAINED, 3, 1300, &out);
    assert_int_equal(f.phase, FAILOVER_DRAINING);
    says(&f, &r, FAILOVER_EV_DRAINED, 1, 1300, &out);
    assert_int_equal(f.phase, FAILOVER_FOLLOWING);
}

/* Its binary log was read to its end, but its server is dead: what only it has cannot be fetched. */
static void test_nobody_fetches_from_the_killed(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 7, .servers = 7, .acks = 1};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    FailoverEvent ended = {.kind = FAILOVER_EV_PROMISED,
                           .now_ms = 1100,
                           .node = 0,
                           .ballot = {1, 7},
                           .stopped = true,
                           .reading = {.received = 9, .ended = true}};
    failover_step(&f, &r, &ended, numbers, NULL, &out);
    says(&f, &r, FAILOVER_EV_PROMISED, 1, 1100, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    Failover lost = f;
    says(&f, &r, FAILOVER_EV_PROMISED, 2, 1200, &out); /* its members know all that was acknowledged */
    assert_int_equal(f.phase, FAILOVER_DECIDING);
    assert_int_equal(f.chosen.primary, 2);
    assert_int_equal(f.donor, FAILOVER_NOBODY);
    r.loss_after_ms = LOSS;
    says(&lost, &r, FAILOVER_EV_TICK, 0, 1000 + LOSS, &out);
    assert_int_equal(lost.phase, FAILOVER_DECIDING);
    assert_int_equal(lost.chosen.primary, 1);
}

/* A switchover of db0, closed at 1100 or not. */
static Failover moved(const FailoverRules *r, bool closed, FailoverOrders *ret)
{
    Failover f;
    Decision known = {.version = 1, .primary = 0, .held_by = 0, .open = true, .members = 6, .acks = 1};
    failover_init(&f, &known);
    FailoverEvent ev = {.kind = FAILOVER_EV_BEGIN, .clean = true, .now_ms = 1000, .ballot = {1, 7}};
    failover_step(&f, r, &ev, numbers, NULL, ret);
    if (closed)
        says(&f, r, FAILOVER_EV_CLOSED, 0, 1100, ret);
    return f;
}

static const FailoverRules switching = {.voters = 7,
                                        .servers = 7,
                                        .acks = 1,
                                        .close_wait_ms = 5000,
                                        .closed_most_ms = 2000,
                                        .phase_limit_ms = 10000};

static void test_a_primary_that_does_not_close_stays(void **state)
{
    (void)state;
    FailoverOrders out;
    Failover f = moved(&switching, false, &out);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.v[0].kind, FAILOVER_CLOSE);
    assert_int_equal(out.v[0].to, 1);
    says(&f, &switching, FAILOVER_EV_TICK, 0, 5999, &out);
    assert_int_equal(f.phase, FAILOVER_CLOSING);
    says(&f, &switching, FAILOVER_EV_TICK, 0, 6000, &out);
    assert_int_equal(f.phase, FAILOVER_ASKING);
    f = moved(&switching, false, &out); /* or it was refused */
    says(&f, &switching, FAILOVER_EV_GIVE_UP, 0, 1200, &out);
    assert_int_equal(f.phase, FAILOVER_ASKING);
    says(&f, &switching, FAILOVER_EV_CLOSED, 0, 1300, &out); /* too late */
    assert_int_equal(f.phase, FAILOVER_ASKING);
}

/* Nobody else is asked for a promise before it cannot open by itself any more; and what cannot be decided in
 * time is undone, though it has promised. */
static void test_one_that_is_closed_is_held_before_the_others(void **state)
{
    (void)state;
    FailoverOrders out;
    Failover f = moved(&switching, true, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.v[0].to, 1);
    assert_true(out.v[0].clean);
    says(&f, &switching, FAILOVER_EV_PROMISED, 1, 1150, &out); /* of members alone it is not enough */
    says(&f, &switching, FAILOVER_EV_PROMISED, 2, 1150, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    for (int given_up = 0; given_up < 2; given_up++) {
        f = moved(&switching, true, &out);
        FailoverEvent held = {.kind = FAILOVER_EV_PROMISED,
                              .now_ms = 1150,
                              .ballot = {1, 7},
                              .stopped = true,
                              .reading = {.received = 2, .closed = true}};
        failover_step(&f, &switching, &held, numbers, NULL, &out);
        assert_int_equal(f.phase, FAILOVER_FENCING);
        assert_int_equal(out.v[0].to, 6);
        says(&f, &switching, given_up ? FAILOVER_EV_GIVE_UP : FAILOVER_EV_TICK, 0, given_up ? 1200 : 3100,
             &out);
        assert_int_equal(f.phase, FAILOVER_ASKING);
    }
}

/* The decision stands: there is no way back, and an old primary that is not there any more is ended. */
static void test_a_switchover_that_was_decided_is_finished(void **state)
{
    (void)state;
    FailoverOrders out;
    Failover f;
    Decision decided = {.ballot = {1, 7}, .version = 1, .primary = 2, .held_by = 0, .members = 6, .acks = 1};
    failover_init(&f, &decided);
    FailoverEvent ev = {.kind = FAILOVER_EV_BEGIN, .clean = true, .now_ms = 1000, .ballot = {2, 7}};
    failover_step(&f, &switching, &ev, numbers, NULL, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    assert_true(out.v[0].clean);
    assert_int_equal(out.v[0].to, 1);
    ev = (FailoverEvent){.kind = FAILOVER_EV_TICK, .now_ms = 3000};
    failover_step(&f, &switching, &ev, numbers, NULL, &out);
    failover_step(&f, &switching, &ev, numbers, NULL, &out);
    assert_int_equal(f.phase, FAILOVER_FENCING);
    assert_false(out.v[0].clean);
    assert_int_equal(out.v[0].to, 7);
}

/* Nobody waits for it; but where its server is back, and another cannot follow, it is the one that is needed.
 * As long as nobody knows it to be ended it may be open. */
static void test_what_was_killed_may_follow(void **state)
{
    (void)state;
    for (int ended = 0; ended < 2; ended++) {
        FailoverRules r = {
            .voters = 7, .servers = 7, .acks = 1, .phase_limit_ms = 10000, .follow_wait_ms = 3000};
        FailoverOrders out;
        Failover f = begun(&r, &out);
        FailoverEvent old = {.kind = FAILOVER_EV_PROMISED,
                             .now_ms = 1100,
                             .ballot = {1, 7},
                             .stopped = true,
                             .reading = {.received = 0, .ended = true}};
        if (ended)
            failover_step(&f, &r, &old, numbers, NULL, &out);
        for (int i = 2; i > 0; i--)
            says(&f, &r, FAILOVER_EV_PROMISED, i, 1100, &out);
        says(&f, &r, FAILOVER_EV_TICK, 0, 1600, &out);
        for (int i = 1; i < 3; i++)
            says(&f, &r, FAILOVER_EV_ACCEPTED, i, 1700, &out);
        says(&f, &r, FAILOVER_EV_DRAINED, 2, 1700, &out);
        assert_int_equal(f.phase, FAILOVER_FOLLOWING);
        assert_int_equal(out.v[0].kind, FAILOVER_FOLLOW);
        assert_int_equal(out.v[0].to, ended ? 3 : 2);
        says(&f, &r, FAILOVER_EV_FOLLOWS, ended ? 0 : 1, 1700, &out);
        assert_int_equal(f.phase, ended ? FAILOVER_FOLLOWING : FAILOVER_RECORDING);
        says(&f, &r, FAILOVER_EV_TICK, 0, 4700, &out);
        assert_int_equal(f.phase, FAILOVER_RECORDING);
        assert_int_equal(f.chosen.members, ended ? 1 : 2);
    }
}

static void a_majority_accepts(Failover *f, const FailoverRules *r, FailoverOrders *out)
{
    const Decision before = f->base;
    assert_int_equal(f->phase, FAILOVER_CONFIRM);
    assert_int_equal(out->v[0].kind, FAILOVER_ACCEPT);
    says(f, r, FAILOVER_EV_ACCEPTED, 2, 1100, out);
    assert_int_equal(f->base.members, before.members);
    assert_int_equal(f->base.acks, before.acks);
    says(f, r, FAILOVER_EV_ACCEPTED, 0, 1100, out);
    assert_int_equal(f->phase, FAILOVER_IDLE);
}

static void test_a_member_is_recorded_before_it_acknowledges(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 7, .servers = 7, .acks = 1};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    says(&f, &r, FAILOVER_EV_GROW, 0, 1000, &out); /* not while anything is under way */
    assert_int_equal(f.phase, FAILOVER_FENCING);
    f.phase = FAILOVER_IDLE;
    says(&f, &r, FAILOVER_EV_GROW, 0, 1000, &out); /* nor in another's ballot */
    assert_int_equal(f.phase, FAILOVER_IDLE);
    f.base = (Decision){
        .ballot = {1, 7}, .version = 2, .primary = 2, .held_by = 2, .open = true, .members = 2, .acks = 1};
    says(&f, &r, FAILOVER_EV_GROW, 1, 1000, &out);
    assert_int_equal(f.phase, FAILOVER_IDLE);
    says(&f, &r, FAILOVER_EV_GROW, 0, 1000, &out);
    assert_int_equal(f.phase, FAILOVER_CONFIRM);
    assert_int_equal(f.base.members, 2);
    assert_int_equal(out.v[0].kind, FAILOVER_ACCEPT);
    assert_int_equal(out.v[0].decision.members, 3);
    a_majority_accepts(&f, &r, &out);
    assert_int_equal(f.base.members, 3);
    assert_int_equal(f.base.version, 3);
}

static void test_a_member_leaves_once_a_majority_knows(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 7, .servers = 7, .acks = 1};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    f.base = (Decision){
        .ballot = {1, 7}, .version = 2, .primary = 2, .held_by = 2, .open = true, .members = 3, .acks = 1};
    says(&f, &r, FAILOVER_EV_SHRINK, 0, 1000, &out); /* not while anything is under way */
    assert_int_equal(f.phase, FAILOVER_FENCING);
    f.phase = FAILOVER_IDLE;
    says(&f, &r, FAILOVER_EV_SHRINK, 2, 1000, &out); /* it is none */
    assert_int_equal(f.phase, FAILOVER_IDLE);
    says(&f, &r, FAILOVER_EV_SHRINK, 0, 1000, &out);
    assert_int_equal(f.phase, FAILOVER_CONFIRM);
    assert_int_equal(f.base.members, 3);
    assert_int_equal(out.v[0].decision.members, 2);
    a_majority_accepts(&f, &r, &out);
    assert_int_equal(f.base.members, 2);
    says(&f, &r, FAILOVER_EV_SHRINK, 1, 1200, &out); /* nobody would be left to acknowledge */
    assert_int_equal(f.phase, FAILOVER_IDLE);
    assert_int_equal(f.base.members, 2);
    f.base.open = false; /* it still carries the members of the primary before */
    f.base.members = 3;
    says(&f, &r, FAILOVER_EV_SHRINK, 0, 1300, &out);
    assert_int_equal(f.phase, FAILOVER_IDLE);
}

static void test_acknowledgements_are_raised_once_a_majority_knows(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 7, .servers = 7, .acks = 1};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    f.base =
        (Decision){.ballot = {1, 7}, .version = 2, .primary = 2, .held_by = 2, .open = true, .members = 3};
    FailoverEvent ev = {.kind = FAILOVER_EV_RAISE, .now_ms = 1000, .ballot = f.mine, .acks = 1};
    failover_step(&f, &r, &ev, NULL, NULL, &out); /* not while anything is under way */
    assert_int_equal(f.phase, FAILOVER_FENCING);
    f.phase = FAILOVER_IDLE;
    ev.acks = 3; /* more than there are members: no commit would ever end */
    failover_step(&f, &r, &ev, NULL, NULL, &out);
    ev.acks = 0; /* nor fewer than now */
    failover_step(&f, &r, &ev, NULL, NULL, &out);
    assert_int_equal(f.phase, FAILOVER_IDLE);
    ev.acks = 2;
    failover_step(&f, &r, &ev, NULL, NULL, &out);
    assert_int_equal(f.phase, FAILOVER_CONFIRM);
    assert_int_equal(out.v[0].kind, FAILOVER_ACCEPT);
    assert_int_equal(out.v[0].decision.acks, 2);
    assert_int_equal(out.v[0].decision.members, 3);
    a_majority_accepts(&f, &r, &out);
    assert_int_equal(f.base.acks, 2);
    f.base.open = false;
    f.base.acks = 0; /* it still carries the acknowledgements of the primary before */
    failover_step(&f, &r, &ev, NULL, NULL, &out);
    assert_int_equal(f.phase, FAILOVER_IDLE);
}

/* A primary shall not hang on the quickest of its members alone. */
static void test_all_members_are_armed_while_it_opens(void **state)
{
    (void)state;
    FailoverRules r = {.voters = 15, .servers = 15, .acks = 1};
    FailoverOrders out;
    Failover f = begun(&r, &out);
    f.chosen = (Decision){
        .ballot = f.mine, .version = 2, .primary = 2, .held_by = 2, .open = true, .members = 11, .acks = 1};
    f.phase = FAILOVER_ARMING;
    f.armed = 0;
    says(&f, &r, FAILOVER_EV_ARMED, 0, 1000, &out);
    assert_int_equal(f.phase, FAILOVER_OPENING);
    assert_int_equal(out.v[0].kind, FAILOVER_OPEN);
    assert_int_equal(out.v[1].kind, FAILOVER_ARM);
    assert_int_equal(out.v[1].to, 10);
    says(&f, &r, FAILOVER_EV_ARMED, 1, 1000, &out);
    assert_int_equal(out.v[1].to, 8);
    says(&f, &r, FAILOVER_EV_OPENED, 2, 1000, &out);
    assert_int_equal(f.phase, FAILOVER_PROBING);
    assert_int_equal(out.v[1].kind, FAILOVER_ARM);
    says(&f, &r, FAILOVER_EV_ARMED, 3, 1000, &out);
    assert_int_equal(out.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledgements_are_raised_once_a_majority_knows),
        cmocka_unit_test(test_all_members_are_armed_while_it_opens),
        cmocka_unit_test(test_a_primary_that_does_not_close_stays),
        cmocka_unit_test(test_one_that_is_closed_is_held_before_the_others),
        cmocka_unit_test(test_a_switchover_that_was_decided_is_finished),
        cmocka_unit_test(test_what_was_killed_may_follow),
        cmocka_unit_test(test_a_loss_is_taken_late_and_only_when_asked_for),
        cmocka_unit_test(test_members_of_a_loose_primary_say_nothing),
        cmocka_unit_test(test_nobody_waits_for_a_host_that_is_off),
        cmocka_unit_test(test_who_is_forced_asks_all_that_answer),
        cmocka_unit_test(test_nobody_waits_for_one_that_has_ended),
        cmocka_unit_test(test_who_fetches_from_whom),
        cmocka_unit_test(test_a_donor_is_asked_to_apply_what_it_has),
        cmocka_unit_test(test_nobody_fetches_from_the_killed),
        cmocka_unit_test(test_a_member_is_recorded_before_it_acknowledges),
        cmocka_unit_test(test_a_member_leaves_once_a_majority_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
