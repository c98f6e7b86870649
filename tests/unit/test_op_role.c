/* SPDX-License-Identifier: Apache-2.0
 * A primary opened and closed, and its semi-sync with it; on both flavours.
 */
#include "opscript.h"

#include "replica-agent/server/op_role.h"

static void role(bool open, const Cancel *cancel, OpResult want, ErrKind kind)
{
    RoleOut out = {0};
    RoleIn in = {agent_server(), open};
    assert_int_equal(op_role(&in, cancel, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    script_end(0);
    role_out_done(&out);
}

static void expect_waiting(const char *ids)
{
    EXPECT(WAITING, .columns = "ID|ours",
           .rows = ids ? script_keep(xasprintf("%s|%d", ids, str_eq(ids, "19"))) : NULL);
    bool alone = ids && str_eq(ids, "18");
    if (ids && is_mariadb()) /* others of its group would be told that they are safe */
        EXPECT(BUSY, "n", alone ? "1" : "2");
    if (ids && (alone || !is_mariadb()))
        EXPECT(script_keep(xasprintf("KILL %s", ids)));
}

/* One round: nobody waits, it is closed by a connection of its own, and looked at. */
static void expect_closed(View seen, ErrKind fail)
{
    expect_waiting(NULL);
    expect_open(1000);
    if (is_mariadb())
        EXPECT("SET SESSION lock_wait_timeout=1");
    EXPECT(d->read_only_on, .fail = fail);
    expect_look(seen);
}

/* Those who wait for a replica are cut off before semi-sync goes off, and again as long as there are any. */
static void nobody_waits_when_semi_sync_goes_off(void)
{
    View closed = {.primary = true, .applied = 5}, open = closed;
    open.open = true;
    expect_open(5000);
    expect_waiting("17");
    expect_open(1000);
    if (is_mariadb())
        EXPECT("SET SESSION lock_wait_timeout=1");
    EXPECT(d->read_only_on, .fail = ERR_TIMEOUT);
    expect_look(open);
    expect_closed(closed, ERR_TIMEOUT); /* MySQL: it reads as closed while the statement still waits */
    expect_waiting("18");
    expect_closed(closed, ERR_NONE);
    expect_waiting(NULL);
    EXPECT(d->semi_sync_off);
    EXPECT(d->read_only_on);
    expect_look(closed);
    role(false, NULL, OP_DONE, ERR_NONE);
}
BOTH(nobody_waits_when_semi_sync_goes_off)

/* What cannot be closed keeps semi-sync. */
static void semi_sync_stays_on_what_is_open(void)
{
    View open = {.primary = true, .open = true, .applied = 5};
    static const ErrKind kinds[] = {ERR_DB, ERR_REFUSED};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        expect_waiting(NULL);
        expect_open(1000);
        if (is_mariadb())
            if (is_mariadb())
                EXPECT("SET SESSION lock_wait_timeout=1");
        EXPECT(d->read_only_on, .fail = kinds[i]);
        role(false, NULL, OP_FAILED, kinds[i]);
    }
    expect_open(5000);
    EXPECT(WAITING, .fail = ERR_DB);
    role(false, NULL, OP_FAILED, ERR_DB);
    expect_open(5000);
    expect_waiting(NULL);
    expect_open(1000);
    if (is_mariadb())
        EXPECT("SET SESSION lock_wait_timeout=1");
    EXPECT(d->read_only_on);
    expect_look_broken(open, 0, ERR_LOST);
    role(false, NULL, OP_FAILED, ERR_LOST);
}
BOTH(semi_sync_stays_on_what_is_open)

static void opened_and_closed(void)
{
    View primary = {.primary = true, .applied = 5};
    expect_open(5000);
    EXPECT(d->semi_sync_on); /* first: no commit without it */
    EXPECT(d->read_only_off);
    expect_look(primary);
    role(true, NULL, OP_DONE, ERR_NONE);
    View closed = {.primary = true, .applied = 5};
    expect_open(5000);
    expect_closed(closed, ERR_NONE);
    expect_waiting(NULL);
    EXPECT(d->semi_sync_off); /* last: a commit that waits would be told to be safe */
    EXPECT(d->read_only_on);
    expect_look(closed);
    role(false, NULL, OP_DONE, ERR_NONE);
    /* A server without the plugin is opened all the same. */
    expect_open(5000);
    EXPECT(d->semi_sync_on, .fail = ERR_DB);
    EXPECT(d->read_only_off);
    expect_look(primary);
    role(true, NULL, OP_DONE, ERR_NONE);
}
BOTH(opened_and_closed)

static void role_breaks(void)
{
    View primary = {.primary = true, .applied = 5};
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        EXPECT(d->semi_sync_on);
        EXPECT(d->read_only_off, .fail = kinds[i]);
        role(true, NULL, OP_FAILED, kinds[i]);
        expect_open(5000);
        EXPECT(d->semi_sync_on);
        EXPECT(d->read_only_off);
        expect_look_broken(primary, (int)i, kinds[i]);
        role(true, NULL, OP_FAILED, kinds[i]);
    }
    /* The connection breaks at the first: nothing more is sent by it. */
    expect_open(5000);
    EXPECT(d->semi_sync_on, .fail = ERR_LOST);
    role(true, NULL, OP_FAILED, ERR_LOST);
    Cancel cancel = {true};
    role(true, &cancel, OP_FAILED, ERR_CANCELLED);
}
BOTH(role_breaks)

static void expect_clients_ended(ErrKind fail)
{
    EXPECT(CLIENTS, "ID|who|s|what", "16|app@host|40|Sleep");
    EXPECT("KILL 16", .fail = fail, .code = 1095);
}

/* Its members do not answer: sessions are ended where that tells nobody of a commit that waits, and semi-sync
 * stays on. A session that may not be ended keeps nothing up. */
static void cut_off_it_keeps_semi_sync(void)
{
    View closed = {.primary = true, .applied = 5};
    static const ErrKind kinds[] = {ERR_NONE, ERR_DB, ERR_NONE};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        RoleOut out = {0};
        RoleIn in = {.at = agent_server(), .cut_off = true};
        bool waits = i == 2;
        expect_open(5000);
        expect_waiting(waits ? "17" : NULL);
        if (!is_mariadb())
            expect_clients_ended(kinds[i]);
        expect_open(1000);
        EXPECT("SET SESSION lock_wait_timeout=1");
        EXPECT(d->read_only_on, .fail = waits ? ERR_TIMEOUT : ERR_NONE);
        if (is_mariadb() && !waits)
            expect_clients_ended(kinds[i]);
        if (!waits)
            expect_look(closed);
        op_role(&in, NULL, &out);
        EXPECT_RESULT(out, waits ? OP_FAILED : OP_DONE, waits ? ERR_TIMEOUT : ERR_NONE);
        script_end(0);
        role_out_done(&out);
    }
}
BOTH(cut_off_it_keeps_semi_sync)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(cut_off_it_keeps_semi_sync),
        TESTS_OF(nobody_waits_when_semi_sync_goes_off),
        TESTS_OF(semi_sync_stays_on_what_is_open),
        TESTS_OF(opened_and_closed),
        TESTS_OF(role_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
