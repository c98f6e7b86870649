/* SPDX-License-Identifier: Apache-2.0 */
#include "frozen.h"

#include "common/db/gtid.h"

FrozenPoint frozen_point(const Lease *l)
{
    return (FrozenPoint){l->gtid, l->binlog_gtid, l->source_host, l->source_port, &l->server};
}

static bool stands_at(DbFlavor flavor, const char *was, const char *now, FrozenFor purpose)
{
    if (!was || !now)
        return purpose == FROZEN_FOR_WATCH;
    return gtid_compare_text(flavor, now, was) == GTID_EQUAL;
}

static bool has_other_source(const FrozenPoint *was, const ReplStatus *now)
{
    return was->source_host &&
           (!str_eq(now->source_host, was->source_host) || now->source_port != was->source_port);
}

FrozenChange frozen_compare(const FrozenPoint *was, const FrozenReading *now, FrozenFor purpose)
{
    const ReplStatus *s = now->status;
    bool proof = purpose == FROZEN_FOR_PROOF;
    if (was->server && now->server && lease_server_compare(was->server, now->server) == SERVER_OTHER)
        return FROZEN_RESTARTED;
    /* Over TCP there is no process to compare: there only the connection shows that it never ended. */
    if (proof && now->held_lost && !(now->server && now->server->pid))
        return FROZEN_UNPROVEN;
    if (has_other_source(was, s))
        return FROZEN_REPOINTED;
    if (s->sql_running)
        return FROZEN_STARTED;
    if (!stands_at(now->flavor, was->gtid, s->applied, purpose))
        return FROZEN_MOVED;
    if (proof && !stands_at(now->flavor, was->binlog_gtid, s->binlog, purpose))
        return FROZEN_WRITTEN;
    return FROZEN_STILL;
}

static char *result_text(FrozenChange change, const FrozenPoint *was, const FrozenReading *now)
{
    const ReplStatus *s = now->status;
    switch (change) {
    case FROZEN_STILL:
        break;
    case FROZEN_RESTARTED:
        return xstrdup("the server restarted during the job: what it read is not one state");
    case FROZEN_UNPROVEN:
        return xstrdup("the connection kept since the pause was lost and the server's process cannot be seen "
                       "from here: it is not proven that the job read one state");
    case FROZEN_REPOINTED:
        return xasprintf(
            "the replica was pointed at another source during the job, %s:%lld instead of %s:%lld",
            s->source_host ? s->source_host : "nowhere", (long long)s->source_port, was->source_host,
            (long long)was->source_port);
    case FROZEN_STARTED:
        return xstrdup("the applier was started during the job: what it read is not one state");
    case FROZEN_MOVED:
        return xasprintf(
            "the replica moved during the job, from %.200s to %.200s: what it read is not one state",
            was->gtid ? was->gtid : "nowhere", s->applied ? s->applied : "nowhere");
    case FROZEN_WRITTEN:
        return xasprintf("something wrote to the replica itself during the job: its own binlog moved from "
                         "%.200s to %.200s",
                         was->binlog_gtid ? was->binlog_gtid : "nowhere", s->binlog ? s->binlog : "nowhere");
    }
    return NULL;
}

static char *pause_text(FrozenChange change, const FrozenPoint *was, const FrozenReading *now)
{
    const ReplStatus *s = now->status;
    switch (change) {
    case FROZEN_RESTARTED:
        return xstrdup("the server restarted under the job: the frozen state is lost");
    case FROZEN_REPOINTED:
        return xasprintf(
            "the replica was pointed at another source during the pause, %s:%lld instead of %s:%lld: what it "
            "had received is lost, and with it the pause",
            s->source_host ? s->source_host : "nowhere", (long long)s->source_port, was->source_host,
            (long long)was->source_port);
    case FROZEN_STARTED:
        return xstrdup("the applier was started by somebody else during the pause: the frozen state is lost");
    case FROZEN_MOVED:
        return xstrdup("the replica moved on during the pause: the frozen state is lost");
    default:
        return NULL; /* a watch finds nothing else */
    }
}

char *frozen_text(FrozenChange change, const FrozenPoint *was, const FrozenReading *now, FrozenFor purpose)
{
    return purpose == FROZEN_FOR_PROOF ? result_text(change, was, now) : pause_text(change, was, now);
}
