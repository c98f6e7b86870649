/* SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "common/base/str.h"

const char *serving_as_replica(const ServingFacts *f, int64_t max_lag_s)
{
    if (!f->up)
        return "the server does not answer";
    if (!f->s->is_replica)
        return "it is not a replica";
    if (f->pause >= PAUSE_RESUMING)
        return "catching up";
    if (f->pause != PAUSE_NONE || f->beginning)
        return "paused";
    if (!f->s->sql_running)
        return "the applier is stopped";
    if (max_lag_s >= 0 && f->s->io != REPL_IO_YES)
        return "the receiver is not connected, its lag is not known";
    if (max_lag_s >= 0 && (f->lag_ms < 0 || f->lag_ms > max_lag_s * 1000))
        return "it lags";
    return NULL;
}

const char *serving_as_primary(const ServingFacts *f)
{
    if (!f->up)
        return "the server does not answer";
    if (!str_eq(f->role, "primary"))
        return "its role is not that of the primary";
    if (!f->role_confirmed)
        return "the coordinator has not confirmed its role since the server started";
    if (f->s->is_replica)
        return "it replicates from another server";
    if (f->cut_off)
        return "its members do not answer: another may be the primary";
    if (f->s->closed)
        return "it is read-only";
    return NULL;
}
