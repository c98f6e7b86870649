/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include <inttypes.h>

const WireEnum detect_kind_names = WIRE_ENUM_NAMES(DETECT_KIND_VALUES);

/* Commits that wait are no fault of the server while the replicas may still answer: wait longer. */
enum { ACKS_LOST_FACTOR = 3 };

/* What is known by silence is seen late, and known by then to have lasted; by that much at the most. A
 * disk's fault too. */
enum { STILL_MS = 1500, DISK_LATE_MS = 2000, QUIET_LATE_MS = 3000 };

/* So long at least it is looked at again and again. */
enum { CONFIRM_MS = 500 };

typedef struct Votes {
    int lost, receives, alive;
} Votes;

static Votes count_votes(const DetectReading *r)
{
    Votes v = {0};
    for (size_t i = 0; i < r->n; i++) {
        const DetectReplica *x = &r->replicas[i];
        if (!x->heard || !x->votes)
            continue;
        v.receives += x->receives;
        v.lost += !x->receives;
        v.alive += !x->receives && x->alive;
    }
    return v;
}

/* Its position stands still as its disk does. One that is full is told in any case. */
static DetectKind by_its_disk(const DetectReading *r)
{
    if (r->disk == DISK_FULL)
        return DETECT_DISK_FULL;
    if (r->still_ms < STILL_MS)
        return DETECT_WELL;
    return r->disk == DISK_STALLED                         ? DETECT_DISK_STALLED
           : r->disk > DISK_FULL && r->disk < DISK_UNKNOWN ? DETECT_DISK_BROKEN
                                                           : DETECT_WELL;
}

/* The server has just spoken to us. */
static DetectKind alive(const DetectReading *r, int64_t after_ms)
{
    if (!r->agent_heard && r->login == DETECT_ANSWERS)
        return DETECT_AGENT_DEAD;
    DetectKind disk = r->agent_heard ? by_its_disk(r) : DETECT_WELL;
    if (disk != DETECT_WELL)
        return disk;
    if (r->agent_heard && r->cut_off)
        return DETECT_CUT_OFF;
    if (r->stuck_ms >= after_ms)
        return r->waiting > 0 ? DETECT_ACKS_LOST : DETECT_NO_WRITES;
    switch (r->login) {
    case DETECT_TOO_MANY:
        return DETECT_USED_UP;
    case DETECT_NOT_LET_IN:
        return DETECT_DENIED;
    case DETECT_SHUT_OUT:
        return DETECT_BLOCKED;
    default:
        return DETECT_WELL;
    }
}

/* Its agent answers, and we have no word of the server. */
static DetectKind by_its_agent(const DetectReading *r, Votes v)
{
    if (r->up)
        return v.receives || !v.lost ? DETECT_UNREACHABLE_HERE : DETECT_UNCLEAR;
    /* A receiver's connection goes on while the server hangs, and says nothing. */
    if (r->hangs)
        return r->login == DETECT_SILENT && !v.alive ? DETECT_HUNG : DETECT_UNCLEAR;
    return v.receives || v.alive ? DETECT_UNCLEAR : DETECT_SERVER_DEAD;
}

static DetectKind without_its_agent(const DetectReading *r, Votes v)
{
    if (v.receives)
        return DETECT_UNREACHABLE_HERE;
    if (v.alive || !v.lost)
        return DETECT_UNCLEAR;
    return r->login == DETECT_REFUSED ? DETECT_SERVER_DEAD : DETECT_HOST_DEAD;
}

bool detect_is_fatal(DetectKind kind)
{
    return kind == DETECT_SERVER_DEAD || kind == DETECT_HOST_DEAD || kind == DETECT_HUNG ||
           kind == DETECT_CUT_OFF || kind == DETECT_ACKS_LOST || kind == DETECT_DISK_STALLED ||
           kind == DETECT_DISK_BROKEN;
}

static DetectKind judge(const DetectReading *r, int64_t after_ms)
{
    Votes v = count_votes(r);
    if (r->login == DETECT_NOT_TRIED)
        return DETECT_UNCLEAR;
    bool alone = 2 * r->heard <= r->voters; /* a failover would end the old primary, and get no further */
    if (r->login != DETECT_REFUSED && r->login != DETECT_SILENT) {
        DetectKind kind = alive(r, after_ms);
        return alone && detect_is_fatal(kind) ? DETECT_ALONE : kind;
    }
    if (alone)
        return DETECT_ALONE;
    return r->agent_heard ? by_its_agent(r, v) : without_its_agent(r, v);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* For so long it has been so already: since nobody has heard of it any more, or a disk has taken nothing. */
static int64_t has_lasted(DetectKind kind, const DetectReading *r, int64_t watched_ms, int64_t after_ms)
{
    switch (kind) {
    case DETECT_DISK_STALLED:
    case DETECT_DISK_BROKEN:
        return least(least(r->disk_ms, r->still_ms), DISK_LATE_MS);
    case DETECT_SERVER_DEAD:
    case DETECT_HOST_DEAD:
    case DETECT_HUNG:
        return least(least(least(r->quiet_ms, watched_ms), QUIET_LATE_MS),
                     after_ms > CONFIRM_MS ? after_ms - CONFIRM_MS : 0);
    default:
        return 0;
    }
}

bool detect_step(Detect *d, const DetectRules *rules, const DetectReading *r)
{
    if (!d->looked_ms || r->now_ms - d->looked_ms > rules->gap_ms) {
        d->failed_ms = d->since_ms = 0;
        d->watches_ms = r->now_ms;
    }
    d->looked_ms = r->now_ms;
    DetectKind kind = judge(r, rules->after_ms);
    if (kind != d->kind || !d->since_ms) {
        d->kind = kind;
        d->since_ms = r->now_ms;
    }
    if (!detect_is_fatal(kind))
        d->failed_ms = 0;
    else if (!d->failed_ms)
        d->failed_ms = r->now_ms - has_lasted(kind, r, r->now_ms - d->watches_ms, rules->after_ms);
    int64_t patience = rules->after_ms * (kind == DETECT_ACKS_LOST ? ACKS_LOST_FACTOR : 1);
    return d->failed_ms && r->now_ms - d->failed_ms >= patience;
}

/* ---- for people ------------------------------------------------------------------------------------- */

static const char *login_says(DetectLogin login)
{
    static const char *const texts[] = {
        [DETECT_NOT_TRIED] = "has not tried its server yet",
        [DETECT_ANSWERS] = "is answered by its server",
        [DETECT_REFUSED] = "finds nobody listening at its server's address",
        [DETECT_SILENT] = "gets no answer from its server",
        [DETECT_TOO_MANY] = "is told that the server's connections are used up",
        [DETECT_NOT_LET_IN] = "is not let in by its server",
        [DETECT_SHUT_OUT] = "is blocked by its server",
    };
    return texts[login];
}

static void say_agent(const DetectReading *r, Str *out)
{
    if (!r->agent_heard)
        str_adds(out, "its agent does not answer");
    else if (r->up)
        str_adds(out, "its agent says that the server is up");
    else
        str_adds(out, r->hangs ? "its agent gets no answer from the server"
                               : "its agent says that the server is down");
    if (r->agent_heard && r->cut_off)
        str_adds(out, ", that its members do not answer it");
    if (r->disk_folder)
        str_addf(out, ", the disk of %.200s is %s for %" PRId64 " s", r->disk_folder,
                 wire_enum_name(&disk_fault_names, (int)r->disk), r->disk_ms / 1000);
    if (r->waiting > 0)
        str_addf(out, ", %" PRId64 " commits wait for an acknowledgement", r->waiting);
}

static const char *replica_says(const DetectReplica *x)
{
    if (!x->heard)
        return "does not answer";
    if (!x->votes)
        return "is not meant to receive";
    if (x->receives)
        return "receives";
    return x->alive ? "is refused by the server" : "has lost it";
}

char *detect_evidence(const DetectReading *r)
{
    Str out = STR_INIT;
    str_addf(&out, "the coordinator %s; ", login_says(r->login));
    if (r->stuck_ms)
        str_addf(&out, "nothing was committed for %" PRId64 " s; ", r->stuck_ms / 1000);
    say_agent(r, &out);
    for (size_t i = 0; i < r->n; i++)
        str_addf(&out, "; %s %s", r->replicas[i].name, replica_says(&r->replicas[i]));
    return str_take(&out);
}
