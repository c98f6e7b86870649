/* SPDX-License-Identifier: Apache-2.0 */
#include "errant.h"

#include "common/db/gtid.h"

enum { LOOKS = 2 };

void errant_watch_done(ErrantWatch *w)
{
    free(w->known);
    free(w->suspect);
    free(w->primary);
    *w = (ErrantWatch){0};
}

/* All that a server has in its binary log, and has replicated. */
static char *all_of(const ServerState *s)
{
    const char *log = s->logged && *s->logged ? s->logged : s->binlog, *applied = s->applied;
    if (!log || !*log)
        return xstrdup(applied ? applied : "");
    bool more = applied && *applied && !str_eq(applied, log);
    return xasprintf("%s%s%s", log, more ? "," : "", more ? applied : "");
}

/* What the primary has, and what it has replicated before it became the primary. */
typedef struct Has {
    const char *all, *replicated;
} Has;

static char *lacking(DbFlavor flavor, const char *these, const Has *primary)
{
    return gtid_lacking_text(flavor, these, primary->all, primary->replicated);
}

static bool is_some(const char *gtids)
{
    return gtids && *gtids;
}

/* Of `known` what the replica still has (`own`) and the primary does not. */
static char *still_errant(DbFlavor flavor, const char *known, const char *own, const Has *primary)
{
    AUTOFREE char *alone = lacking(flavor, known, primary);
    AUTOFREE char *lost = alone ? gtid_lacking_text(flavor, alone, own, NULL) : NULL;
    return lost ? gtid_lacking_text(flavor, alone, lost, NULL) : NULL;
}

/* True once the suspects have been looked for often enough, and the replica has them still. */
static bool is_sure(ErrantWatch *w, DbFlavor flavor, const char *now, const char *own, const Has *primary,
                    int64_t now_ms)
{
    AUTOFREE char *rest = is_some(w->suspect) ? still_errant(flavor, w->suspect, own, primary) : NULL;
    bool same = is_some(rest);
    if (!same) {
        w->since_ms = now_ms;
        w->looks = 0;
    }
    free(w->suspect);
    w->suspect = same ? STEAL(rest) : xstrdup(now);
    return same && ++w->looks >= LOOKS && now_ms - w->since_ms >= ERRANT_SURE_MS;
}

static ErrantNews settle(ErrantWatch *w, DbFlavor flavor, char *known)
{
    AUTOFREE char *before = w->known;
    AUTOFREE char *more = gtid_lacking_text(flavor, known, before, NULL);
    w->known = known;
    if (is_some(more))
        return ERRANT_FOUND;
    return is_some(before) && !is_some(known) ? ERRANT_GONE : ERRANT_NOTHING;
}

static ErrantNews look(ErrantWatch *w, DbFlavor flavor, const ServerState *r, const ServerState *p,
                       int64_t now_ms)
{
    AUTOFREE char *replica = all_of(r);
    AUTOFREE char *all = all_of(p);
    const Has primary = {all, p->applied};
    AUTOFREE char *own = gtid_own_text(flavor, replica, r->server_id);
    AUTOFREE char *now = own ? lacking(flavor, own, &primary) : NULL;
    AUTOFREE char *known = now ? still_errant(flavor, w->known, own, &primary) : NULL;
    if (!known)
        return ERRANT_NOTHING; /* a position that cannot be understood */
    if (is_sure(w, flavor, now, own, &primary, now_ms)) {
        char *both = gtid_max_text(flavor, known, w->suspect);
        free(known);
        known = both;
        free(STEAL(w->suspect));
    }
    return known ? settle(w, flavor, STEAL(known)) : ERRANT_NOTHING;
}

ErrantNews errant_look(ErrantWatch *w, DbFlavor flavor, const Node *replica, const Node *primary,
                       int64_t now_ms)
{
    const ServerState *r = &replica->agent.server, *p = &primary->agent.server;
    if (!str_eq(w->primary, primary->name)) {
        errant_watch_done(w);
        w->primary = xstrdup(primary->name);
    }
    if (!r->up || !r->is_replica || !p->up || p->read_at == w->looked_at)
        return ERRANT_NOTHING;
    w->looked_at = p->read_at;
    return look(w, flavor, r, p, now_ms);
}
