/* SPDX-License-Identifier: Apache-2.0 */
#include "applier.h"

#include "common/db/gtid.h"

bool applier_has_failed(const Flavor *f, const ReplStatus *s)
{
    return f->purges_on_start && !s->sql_running && s->sql_errno != 0;
}

bool applier_has_domains(const Flavor *f, const ReplStatus *s)
{
    Err ignored;
    Gtid *all = NULL;
    AUTOFREE char *text = gtid_max_text(f->flavor, s->applied, s->received);
    bool many =
        f->purges_on_start && text && gtid_parse(f->flavor, text, &all, &ignored) && gtid_domains(all) > 1;
    gtid_free(all);
    return many;
}

bool applier_is_without_receiver(const Flavor *f, const ReplStatus *s)
{
    return s->io == REPL_IO_NO && f->purges_on_start;
}

bool applier_must_start_anew(const Flavor *f, const ReplStatus *s, const char *workers)
{
    return applier_is_without_receiver(f, s) || (str_eq(workers, "0") && applier_has_domains(f, s));
}

/* An applier that starts would apply again what a rescue has applied and was not let write down. */
static bool position_lags(const Flavor *f, const ReplStatus *s)
{
    BufferInput in = {
        .flavor = f->flavor, .applied = s->applied, .binlog = s->binlog, .server_id = s->server_id};
    return !s->sql_running && buffer_position_lags(&in);
}

StandWhy applier_must_stand(const Flavor *f, const ReplStatus *s, bool stalled)
{
    if (!s->sql_running && s->io == REPL_IO_NO)
        return STAND_NOT;
    if (applier_has_failed(f, s))
        return STAND_FAILED;
    if (position_lags(f, s))
        return STAND_LAGS;
    return stalled && s->io != REPL_IO_YES ? STAND_STALLED : STAND_NOT;
}

const char *stand_why_text(StandWhy why)
{
    switch (why) {
    case STAND_FAILED:
        return "the applier has failed and its position in the relay files cannot be trusted";
    case STAND_LAGS:
        return "the server's replication position is behind what it has applied";
    case STAND_STALLED:
        return "kept transactions are not applied and the source does not answer";
    case STAND_NOT:
        break;
    }
    return "";
}

RestoreWay restore_decide(const Flavor *f, const ReplStatus *s, bool taken_over)
{
    if (taken_over && !s->sql_running)
        return RESTORE_ASIDE;
    /* The receiver died while the applier was stopped for its settings, or that failed. */
    if ((!s->sql_running && s->io == REPL_IO_NO) || applier_has_failed(f, s))
        return RESTORE_STALLED;
    return RESTORE_SETTINGS;
}

bool start_is_refused(StartWay way)
{
    return way == START_RESCUE || way == START_UNREADABLE || way == START_ERRANT || way == START_CRASHED ||
           way == START_SHUT;
}

void start_explain(StartWay way, const Flavor *f, const char *held_gtid, const char *errant, const char *why,
                   Err *ret)
{
    switch (way) {
    case START_UNREADABLE:
        err_set(
            ret, ERR_REFUSED, 0,
            "replication is stopped, and a START could throw away transactions that only this server's relay "
            "files hold, but they cannot be read: %.800s",
            why);
        break;
    case START_ERRANT:
        err_set(ret, ERR_REFUSED, 0,
                "the relay files hold transactions up to %.200s, but %.60s was written by this server "
                "itself: they are kept and not applied, a person must decide (runbook, errant transactions)",
                held_gtid, errant);
        break;
    case START_CRASHED:
        err_set(
            ret, ERR_REFUSED, 0,
            "the machine crashed while durability was relaxed: positions and data of this server may differ. "
            "Never promote it and never copy from it; %s%s%s",
            f->refetch_sql
                ? "it fetches again from its applied position as soon as its source answers and has "
                  "all that this server holds"
                : "provision it anew",
            f->refetch_sql && why ? ". Now: " : "", f->refetch_sql && why ? why : "");
        break;
    case START_SHUT:
        err_set(
            ret, ERR_REFUSED, 0,
            "the primary that this server followed is being replaced, or was: all that it has received is "
            "applied, and it follows nobody until the coordinator says whom");
        break;
    default:
        err_set(ret, ERR_REFUSED, 0, "transactions up to %.200s are in the relay files and not applied yet",
                held_gtid);
        break;
    }
}
