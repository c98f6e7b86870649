/* SPDX-License-Identifier: Apache-2.0
 * The failover's decisions explored: everything that may happen to two and three servers, to a depth, and
 * random stories beyond. SIDING_FAILOVER_DEPTH and SIDING_FAILOVER_STORIES ask for more, SIDING_SEED for one
 * story.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failover_world.h"

/* Sanitizers make it slow, and look at the same code all the same. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { DEPTH = 4, STORIES = 200 };
#else
enum { DEPTH = 6, STORIES = 4000 };
#endif
enum { SEEN = 1 << 22, STEPS = 200 };

static struct {
    uint64_t hash;
    int left;
} * seen;
static int64_t states;
static WorldAction path[64];

static int from_env(const char *name, int fallback)
{
    const char *text = getenv(name);
    return text ? atoi(text) : fallback;
}

/* True: was here with as many steps left. */
static bool was_here(uint64_t hash, int left)
{
    size_t at = hash % SEEN;
    if (seen[at].hash == hash && seen[at].left >= left)
        return true;
    seen[at].hash = hash;
    seen[at].left = left;
    return false;
}

static void show(const char *wrong, int n)
{
    char text[200];
    print_error("%s\n", wrong);
    for (int i = 0; i < n; i++) {
        world_say(&path[i], text, sizeof text);
        print_error("  %s\n", text);
    }
}

static bool explore(const World *w, const WorldConf *c, int depth, int left)
{
    WorldAction actions[WORLD_ACTIONS];
    uint64_t hash = world_hash(w);
    if (was_here(hash, left))
        return true;
    states++;
    if (!left)
        return true;
    int n = world_actions(w, c, actions);
    for (int i = 0; i < n; i++) {
        World next = *w;
        path[depth] = actions[i];
        const char *wrong = world_do(&next, c, &actions[i]);
        if (wrong) {
            show(wrong, depth + 1);
            return false;
        }
        if (world_hash(&next) != hash && !explore(&next, c, depth + 1, left - 1))
            return false;
    }
    return true;
}

static void explored(const WorldConf *c, int depth)
{
    World w;
    states = 0;
    seen = calloc(SEEN, sizeof *seen);
    world_init(&w, c);
    bool right = explore(&w, c, 0, depth);
    free(seen);
    print_message("# %d servers%s, %d acks: %lld states to depth %d\n", c->servers,
                  c->witness ? " and a witness" : "", c->acks, (long long)states, depth);
    assert_true(right);
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct {
    int64_t finished, opened, counted_in, counted_out, raised;
} outcome;

static bool story(const WorldConf *c, uint64_t seed)
{
    static WorldAction told[STEPS];
    WorldAction actions[WORLD_ACTIONS];
    World w;
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    world_init(&w, c);
    for (int i = 0; i < STEPS; i++) {
        int n = world_actions(&w, c, actions);
        const char *wrong = NULL;
        const World before = w;
        uint64_t hash = world_hash(&w);
        for (int tries = 0; tries < 8; tries++) { /* what changes something, if it can be */
            told[i] = actions[draw(&state) % (uint64_t)n];
            wrong = world_do(&w, c, &told[i]);
            if (wrong || world_hash(&w) != hash)
                break;
            w = before;
        }
        if (wrong) {
            char text[200];
            print_error("SIDING_SEED=%llu: %s\n", (unsigned long long)seed, wrong);
            for (int k = 0; k <= i; k++) {
                world_say(&told[k], text, sizeof text);
                print_error("  %s\n", text);
            }
            return false;
        }
    }
    outcome.opened += w.opened_term > 1;
    outcome.counted_in += w.counted_in;
    outcome.counted_out += w.counted_out;
    outcome.raised += w.raised;
    for (int i = 0; i < WORLD_COORDINATORS; i++)
        outcome.finished +=
            w.coordinators[i].phase == FAILOVER_IDLE && w.coordinators[i].base.ballot.term > 1;
    return true;
}

static void random_stories(const WorldConf *c, int share)
{
    int n = from_env("SIDING_FAILOVER_STORIES", STORIES) / share;
    const char *one = getenv("SIDING_SEED");
    memset(&outcome, 0, sizeof outcome);
    if (one) {
        assert_true(story(c, strtoull(one, NULL, 10)));
        return;
    }
    for (int i = 1; i <= n; i++)
        assert_true(story(c, (uint64_t)i));
    print_message("# %d servers: %d stories, %lld opened another primary, %lld coordinators came to rest\n",
                  c->servers, n, (long long)outcome.opened, (long long)outcome.finished);
    /* A world in which nothing ever succeeds proves nothing. */
    assert_true(outcome.opened > n / 50 || n < 500);
}

/* Everybody is quick and nothing is lost: the stories in which a failover must end. */
static bool fair_step(World *w, const WorldConf *c)
{
    WorldAction actions[WORLD_ACTIONS];
    uint64_t hash = world_hash(w);
    int n = world_actions(w, c, actions);
    for (int i = 0; i < n; i++) {
        WorldActionKind k = actions[i].kind;
        if (k != WORLD_REPLICATE && k != WORLD_DELIVER && k != WORLD_LOOK && k != WORLD_TIME &&
            k != WORLD_CLOSE && k != WORLD_RENEW)
            continue;
        World next = *w;
        const char *wrong = world_do(&next, c, &actions[i]);
        if (wrong)
            fail_msg("%s", wrong);
        if (world_hash(&next) != hash) {
            if (getenv("SIDING_TELL")) {
                char text[200];
                world_say(&actions[i], text, sizeof text);
                print_message("# %s\n", text);
            }
            *w = next;
            return true;
        }
    }
    return false;
}

static void does(World *w, const WorldConf *c, WorldActionKind kind, int a)
{
    const char *wrong = world_do(w, c, &(WorldAction){kind, a, 0});
    if (wrong)
        fail_msg("%s", wrong);
}

static void settles(World *w, const WorldConf *c)
{
    for (int i = 0; fair_step(w, c); i++)
        assert_true(i < 1000);
}

static void test_the_best_is_promoted(void **state)
{
    (void)state;
    const WorldConf c = {.servers = 3, .acks = 1, .trx = 2, .begins = 2, .kills = 2};
    for (int ahead = 1; ahead <= 2; ahead++)
        for (int kill = 0; kill < 2; kill++) {
            World w;
            world_init(&w, &c);
            does(&w, &c, WORLD_WRITE, 0);
            does(&w, &c, WORLD_REPLICATE, ahead);
            assert_null(world_do(&w, &c, &(WorldAction){WORLD_ACKNOWLEDGE, 0, 0}));
            if (kill)
                does(&w, &c, WORLD_KILL, 0);
            does(&w, &c, WORLD_BEGIN, 0);
            settles(&w, &c);
            assert_int_equal(w.coordinators[0].phase, FAILOVER_IDLE);
            int winner = w.opened;
            /* A primary that still runs may send what it has until it is killed. */
            assert_true(kill ? winner == ahead : winner > 0);
            assert_true(w.servers[winner].open && w.servers[winner].semi_sync);
            assert_false(w.servers[0].open);
            assert_int_equal(w.servers[3 - winner].follows, winner);
            assert_true(w.servers[3 - winner].armed);
        }
}

/* Nobody is killed, and the old primary follows at once. */
static void test_a_primary_that_lives_is_moved(void **state)
{
    (void)state;
    const WorldConf c = {.servers = 3, .acks = 1, .trx = 2, .begins = 2};
    World w;
    world_init(&w, &c);
    does(&w, &c, WORLD_WRITE, 0);
    does(&w, &c, WORLD_REPLICATE, 1);
    assert_null(world_do(&w, &c, &(WorldAction){WORLD_ACKNOWLEDGE, 0, 0}));
    does(&w, &c, WORLD_SWITCH, 0);
    settles(&w, &c);
    assert_int_equal(w.coordinators[0].phase, FAILOVER_IDLE);
    assert_int_not_equal(w.opened, 0);
    assert_int_equal(w.kills, 0);
    assert_true(w.servers[0].up && !w.servers[0].open);
    assert_int_equal(w.servers[0].follows, w.opened);
    assert_true(w.servers[0].armed);
    assert_int_equal(w.coordinators[0].base.members, 7 & ~(1 << w.opened));
}

static void test_who_gives_up_leaves_all_as_it_was(void **state)
{
    (void)state;
    const WorldConf c = {.servers = 3, .acks = 1, .trx = 2, .begins = 3, .kills = 0};
    World w;
    world_init(&w, &c);
    for (int i = 0; i < 2; i++) { /* what the first time tells it of terms is used the second */
        does(&w, &c, WORLD_TAKE_OVER, 1);
        settles(&w, &c);
    }
    assert_int_equal(w.coordinators[1].phase, FAILOVER_IDLE);
    assert_int_equal(w.coordinators[1].base.primary, 0);
    assert_true(w.servers[0].open);
    assert_true(w.servers[1].receiver && w.servers[2].receiver);
    does(&w, &c, WORLD_BEGIN, 0); /* its term is the other's */
    settles(&w, &c);
    assert_int_equal(w.coordinators[0].phase, FAILOVER_DEPOSED);
    assert_true(w.servers[0].open);
}

static const WorldConf two = {
    .servers = 2, .witness = true, .acks = 1, .trx = 2, .begins = 2, .kills = 1, .alone = true};
static const WorldConf three = {.servers = 3, .acks = 1, .trx = 2, .begins = 2, .kills = 1};
static const WorldConf three_two = {
    .servers = 3, .acks = 2, .trx = 2, .begins = 2, .kills = 1, .alone = true, .rights = true};
static const WorldConf three_rights = {
    .servers = 3, .acks = 1, .trx = 3, .begins = 2, .kills = 1, .rights = true};
static const WorldConf four = {.servers = 4, .acks = 2, .trx = 3, .begins = 2, .kills = 2};

/* Two voters: without the primary's there is no majority. */
static const WorldConf pair = {.servers = 2, .acks = 1, .trx = 2, .begins = 2, .kills = 1, .off = true};
static const WorldConf four_off = {
    .servers = 4, .acks = 2, .trx = 3, .begins = 2, .kills = 1, .off = true, .rights = true};

static const WorldConf moves = {
    .servers = 3, .acks = 1, .trx = 3, .begins = 1, .kills = 1, .moves = true, .aways = 3};
static const WorldConf moves_two = {
    .servers = 4, .acks = 2, .trx = 3, .begins = 1, .kills = 1, .moves = true, .aways = 3};
static const WorldConf begins_alone = {.servers = 2,
                                       .witness = true,
                                       .acks = 1,
                                       .trx = 3,
                                       .begins = 1,
                                       .kills = 1,
                                       .moves = true,
                                       .aways = 1,
                                       .begins_alone = true};

static void does_for(World *w, const WorldConf *c, WorldActionKind kind, int a, int b)
{
    const char *wrong = world_do(w, c, &(WorldAction){kind, a, b});
    if (wrong)
        fail_msg("%s", wrong);
}

/* Coordinator 0 does what is due for a node, by what it hears each time. */
static void tidies(World *w, const WorldConf *c, int node)
{
    for (int i = 0; i < 4; i++) {
        does_for(w, c, WORLD_HEAR, 0, node);
        does_for(w, c, WORLD_TIDY, 0, node);
        settles(w, c);
    }
}

static void comes_back(World *w, const WorldConf *c, int node)
{
    does(w, c, WORLD_BACK, node);
    does(w, c, WORLD_RESTART, node);
    does(w, c, WORLD_START, node);
}

static void is_counted_out(World *w, const WorldConf *c, int node)
{
    does(w, c, WORLD_AWAY, node);
    does_for(w, c, WORLD_LEAVE, 0, node);
    for (int i = 1; i < c->servers; i++)
        if (i != node)
            does_for(w, c, WORLD_HEAR, 0, i);
    does_for(w, c, WORLD_LEFT, 0, node);
    settles(w, c);
    assert_false(w->coordinators[0].base.members & (1u << node));
}

/* It knows nothing of that when it comes back: what it receives releases no commit before it is counted in.
 * An order to acknowledge that was on its way when its host went off changes nothing in that. */
static void test_one_that_was_counted_out_acknowledges_nothing(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        World w;
        world_init(&w, &moves);
        if (late) { /* the order is sent, and does not arrive */
            does(&w, &moves, WORLD_STOP, 1);
            does(&w, &moves, WORLD_START, 1);
            does_for(&w, &moves, WORLD_HEAR, 0, 1);
            does_for(&w, &moves, WORLD_TIDY, 0, 1);
            settles(&w, &moves);
            does_for(&w, &moves, WORLD_HEAR, 0, 1);
            does_for(&w, &moves, WORLD_TIDY, 0, 1);
            assert_false(w.servers[1].armed);
        }
        is_counted_out(&w, &moves, 1);
        comes_back(&w, &moves, 1);
        does(&w, &moves, WORLD_WRITE, 0);
        does(&w, &moves, WORLD_REPLICATE, 1);
        assert_int_equal(w.servers[1].n, 1);
        World heard = w;
        if (late) {
            WorldAction actions[WORLD_ACTIONS];
            int n = world_actions(&w, &moves, actions);
            for (int i = 0; i < n; i++) /* also the order */
                if (actions[i].kind == WORLD_DELIVER)
                    assert_null(world_do(&heard, &moves, &actions[i]));
        }
        assert_false(heard.servers[1].armed);
        assert_int_equal(heard.servers[0].got[1], 0);
        tidies(&w, &moves, 1);
        assert_true(w.servers[1].armed);
        assert_int_equal(w.servers[0].got[1], 1);
        assert_int_equal(w.coordinators[0].base.members, 6);
    }
}

/* One that is a member still, and was silenced by a restart, is armed again; also where that happens while
 * the members of a new primary are armed. */
static void test_a_member_that_was_restarted_acknowledges_again(void **state)
{
    (void)state;
    World w;
    world_init(&w, &moves);
    does(&w, &moves, WORLD_AWAY, 1);
    comes_back(&w, &moves, 1);
    assert_false(w.servers[1].armed);
    tidies(&w, &moves, 1);
    assert_true(w.servers[1].armed);
    world_init(&w, &moves);
    does(&w, &moves, WORLD_BEGIN, 0);
    for (int i = 0; w.coordinators[0].phase != FAILOVER_ARMING; i++) {
        assert_true(i < 200);
        assert_true(fair_step(&w, &moves));
    }
    int winner = w.coordinators[0].chosen.primary, other = 3 - winner;
    does(&w, &moves, WORLD_AWAY, other);
    comes_back(&w, &moves, other);
    settles(&w, &moves);
    assert_int_equal(w.coordinators[0].phase, FAILOVER_IDLE);
    assert_true(w.servers[winner].open && w.servers[other].armed);
}

static void test_a_primary_that_was_opened_alone_waits_again(void **state)
{
    (void)state;
    World w;
    world_init(&w, &begins_alone);
    does(&w, &begins_alone, WORLD_WRITE, 0);
    assert_null(world_do(&w, &begins_alone, &(WorldAction){WORLD_ACKNOWLEDGE, 0, 0}));
    tidies(&w, &begins_alone, 1);
    assert_true(w.servers[1].armed);
    does_for(&w, &begins_alone, WORLD_HEAR, 0, 0);
    does_for(&w, &begins_alone, WORLD_HEAR, 0, 1);
    does(&w, &begins_alone, WORLD_RAISE, 0);
    settles(&w, &begins_alone); /* its commits wait from here on; then what it had is looked at, and held */
    assert_int_equal(w.coordinators[0].base.acks, 0);
    does_for(&w, &begins_alone, WORLD_HEAR, 0, 0);
    does(&w, &begins_alone, WORLD_RAISE, 0);
    does(&w, &begins_alone, WORLD_RAISE, 0);
    settles(&w, &begins_alone);
    assert_int_equal(w.coordinators[0].base.acks, 1);
    assert_true(w.servers[0].semi_sync);
}

static void test_all_that_may_happen_to_members(void **state)
{
    (void)state;
    explored(&moves, from_env("SIDING_FAILOVER_DEPTH", DEPTH) - 1);
    explored(&begins_alone, from_env("SIDING_FAILOVER_DEPTH", DEPTH) - 1);
}

static void test_random_stories_of_members(void **state)
{
    (void)state;
    const WorldConf *const all[] = {&moves, &moves_two, &begins_alone};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        random_stories(all[i], 7);
        print_message("# counted in %lld, out %lld, raised %lld\n", (long long)outcome.counted_in,
                      (long long)outcome.counted_out, (long long)outcome.raised);
    }
}

static void test_all_that_may_happen_to_a_pair(void **state)
{
    (void)state;
    explored(&pair, from_env("SIDING_FAILOVER_DEPTH", DEPTH) - 1);
}

/* Only when a person says that it is off. */
static void test_the_last_one_takes_over_when_told(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        World w;
        world_init(&w, &pair);
        does(&w, &pair, WORLD_WRITE, 0);
        does(&w, &pair, WORLD_REPLICATE, 1);
        assert_null(world_do(&w, &pair, &(WorldAction){WORLD_ACKNOWLEDGE, 0, 0}));
        does(&w, &pair, WORLD_OFF, 0);
        does(&w, &pair, WORLD_BEGIN, 0);
        if (told)
            does(&w, &pair, WORLD_FORCE, 0);
        settles(&w, &pair);
        assert_int_equal(w.coordinators[0].phase, told ? FAILOVER_IDLE : FAILOVER_FENCING);
        assert_int_equal(w.servers[1].open, told);
    }
}

static void test_all_that_may_happen_to_two(void **state)
{
    (void)state;
    explored(&two, from_env("SIDING_FAILOVER_DEPTH", DEPTH));
}

static void test_all_that_may_happen_to_three(void **state)
{
    (void)state;
    explored(&three, from_env("SIDING_FAILOVER_DEPTH", DEPTH));
}

static void test_random_stories(void **state)
{
    (void)state;
    random_stories(&two, 7);
    random_stories(&three, 7);
    random_stories(&three_two, 7);
    random_stories(&three_rights, 7);
    random_stories(&four, 7);
    random_stories(&pair, 7);
    random_stories(&four_off, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_is_promoted),
        cmocka_unit_test(test_a_primary_that_lives_is_moved),
        cmocka_unit_test(test_who_gives_up_leaves_all_as_it_was),
        cmocka_unit_test(test_the_last_one_takes_over_when_told),
        cmocka_unit_test(test_all_that_may_happen_to_a_pair),
        cmocka_unit_test(test_all_that_may_happen_to_two),
        cmocka_unit_test(test_all_that_may_happen_to_three),
        cmocka_unit_test(test_random_stories),
        cmocka_unit_test(test_one_that_was_counted_out_acknowledges_nothing),
        cmocka_unit_test(test_a_member_that_was_restarted_acknowledges_again),
        cmocka_unit_test(test_a_primary_that_was_opened_alone_waits_again),
        cmocka_unit_test(test_all_that_may_happen_to_members),
        cmocka_unit_test(test_random_stories_of_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
