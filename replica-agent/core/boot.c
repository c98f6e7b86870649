/* SPDX-License-Identifier: Apache-2.0 */
#include "boot.h"

enum { BOOT_ANY = -1 };

/* clang-format off */
static const BootRow rows[] = {
    {PAUSE_NONE, BOOT_ANY, BOOT_SQL_RUNNING, BOOT_ANY, BOOT_ANY, BOOT_NOTHING, "replication runs"},
    {PAUSE_NONE, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_ANY, BOOT_ANY, BOOT_START, "the server has just started and its agent starts replication"},
    {PAUSE_NONE, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_LEAVE_ALONE, "somebody stopped the applier and no pause of Siding is in force"},

    {PAUSE_FROZEN, BOOT_OTHER, BOOT_SQL_RUNNING, BOOT_ANY, BOOT_ANY, BOOT_RESTARTED, "the server restarted and applies"},
    {PAUSE_FROZEN, BOOT_OTHER, BOOT_ANY, BOOT_OWNER_ALIVE, 1, BOOT_RESTARTED_HELD, "a pause held over restarts"},
    {BOOT_ANY, BOOT_OTHER, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_RESTARTED, "a restart of the server ends the pause"},

    {PAUSE_FROZEN, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_ANY, BOOT_ANY, BOOT_MOVED, "the applier was started while the lease said frozen"},
    {PAUSE_FROZEN, BOOT_SAME, BOOT_ANY, BOOT_OWNER_ALIVE, BOOT_ANY, BOOT_CONTINUE, "still frozen, its owner goes on"},
    {PAUSE_FROZEN, BOOT_SAME, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_RELEASE, "the owner of the pause has ended"},

    {PAUSE_PAUSING, BOOT_SAME, BOOT_ANY, BOOT_OWNER_ALIVE, BOOT_ANY, BOOT_CONTINUE, "the pause had just begun"},
    {PAUSE_PAUSING, BOOT_SAME, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_RELEASE, "the owner of the pause has ended"},
    {PAUSE_ALIGNING, BOOT_SAME, BOOT_ANY, BOOT_OWNER_ALIVE, BOOT_ANY, BOOT_GIVE_UP, "an alignment cannot be taken up again"},
    {PAUSE_ALIGNING, BOOT_SAME, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_RELEASE, "the owner of the pause has ended"},

    {BOOT_ANY, BOOT_SAME, BOOT_ANY, BOOT_ANY, BOOT_ANY, BOOT_CONTINUE, "the resume goes on where it was"},
};
/* clang-format on */

static bool fits(int rule, int value)
{
    return rule == BOOT_ANY || rule == value;
}

const BootRow *boot_decide(PauseState lease, BootServer server, BootThreads threads, BootOwner owner,
                           bool hold)
{
    for (size_t i = 0; i + 1 < COUNT(rows); i++) {
        const BootRow *r = &rows[i];
        /* "any lease" is any that exists; the rows for none come first and are complete. */
        if (fits(r->lease, (int)lease) && fits(r->server, (int)server) && fits(r->threads, (int)threads) &&
            fits(r->owner, (int)owner) && fits(r->hold, hold))
            return r;
    }
    return &rows[COUNT(rows) - 1];
}

BootThreads boot_threads(ReplIo io, bool sql_running)
{
    if (sql_running)
        return BOOT_SQL_RUNNING;
    return io == REPL_IO_NO ? BOOT_BOTH_STOPPED : BOOT_SQL_STOPPED;
}

StartWay start_decide(const StartInput *in)
{
    if (in->sql_running)
        return in->io == REPL_IO_NO && in->fresh_server && !in->shut ? START_BOTH : START_NOT_NEEDED;
    if (in->io != REPL_IO_NO)
        return START_SQL;
    switch (in->buffer) {
    case BUFFER_APPLIED:
        return in->shut ? START_SHUT : START_BOTH;
    case BUFFER_BEYOND:
        return START_RESCUE;
    case BUFFER_ERRANT:
        return START_ERRANT;
    case BUFFER_CRASHED:
        return in->can_refetch && in->source_answers && !in->shut ? START_REFETCH : START_CRASHED;
    case BUFFER_UNKNOWN:
        break;
    }
    return START_UNREADABLE;
}
