/* SPDX-License-Identifier: Apache-2.0
 * What a reading of the replication threads says about stopping and starting the applier, and about putting
 * a server's settings back. Pure.
 */
#pragma once

#include "boot.h"
#include "buffer.h"
#include "common/db/flavor.h"
#include "common/db/repl.h"
#include "lease.h"

/* The applier has failed where its position in the relay files cannot be trusted: after an error of a
 * parallel applier MariaDB may stand in the middle of the transaction that failed, and a start would lose it
 * without a word. Then the files are read by GTID instead. */
bool applier_has_failed(const Flavor *f, const ReplStatus *s);

/* More than one replication domain, on a flavour whose applier must not lose its workers then: stopped with
 * workers it goes back to the begin of its relay files, and only with workers it skips what is applied. */
bool applier_has_domains(const Flavor *f, const ReplStatus *s);

/* Settings that need a stopped applier: whether its end would need a start of both threads. */
bool applier_must_start_anew(const Flavor *f, const ReplStatus *s, const char *workers);

/* A start of the applier would throw relay files away: the receiver is stopped and the flavour purges. */
bool applier_is_without_receiver(const Flavor *f, const ReplStatus *s);

/* Why replication must stand still before a start is decided: a rescue is the only way on. */
typedef enum StandWhy {
    STAND_NOT,
    STAND_FAILED,  /* applier_has_failed */
    STAND_LAGS,    /* the server's own position is behind what it has applied: it would apply it again */
    STAND_STALLED, /* kept transactions are missing and the source does not send them */
} StandWhy;
/* `stalled`: the lease says that kept transactions were missing after catch-up. STAND_NOT where both threads
 * stand already. */
StandWhy applier_must_stand(const Flavor *f, const ReplStatus *s, bool stalled);
const char *stand_why_text(StandWhy why); /* a sentence's begin, for the log */

/* What a restore of settings finds. */
typedef enum RestoreWay {
    RESTORE_SETTINGS, /* they are put back, and everything kept must be applied before the end */
    RESTORE_ASIDE,    /* somebody else stopped the applier: the settings go back, nothing is started */
    RESTORE_STALLED,  /* only a start from the relay files helps */
} RestoreWay;
RestoreWay restore_decide(const Flavor *f, const ReplStatus *s, bool taken_over);

/* Why a start was refused or has to wait, as an Err of kind ERR_REFUSED; `why`: what reading the relay files
 * said. Only for the ways for which start_is_refused holds. */
bool start_is_refused(StartWay way);
void start_explain(StartWay way, const Flavor *f, const char *held_gtid, const char *errant, const char *why,
                   Err *ret);
