/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of the pause: pause_step.c (begin, freeze), resume_step.c (start, catch-up, settings)
 * and rescue_step.c. The state has one setter; an order that touches the applier is one of the state's.
 */
#pragma once

#include "step_parts.h"

static inline Lease *pause_lease(const Turn *t)
{
    return &t->s->durable.lease;
}

static inline PauseFlight *pause_flight(const Turn *t)
{
    return &t->s->flight.pause;
}

static inline const char *pause_node(const Turn *t)
{
    return t->s->known.rules.node;
}

/* pause_state.c */
void pause_apply(Turn *t, PauseEvent ev);
void pause_again(Turn *t); /* what the state asks for, once more */
/* The state stays, its action is tried again a little later. */
void pause_again_later(Turn *t, const char *why);
void pause_void(Turn *t, PauseEvent ev, const char *why); /* the frozen state is lost */
/* Why it does not get on, for people; NULL: it does. */
void pause_trouble(Turn *t, const char *text);
OpOrder *pause_order(Turn *t, OpKind kind, bool after_record);
void pause_boosted_settings(Turn *t, const FlavorWay *way, LeaseSettings *ret);

/* resume_step.c */
void resume_started(Turn *t, const OpReport *op);
void resume_retuned(Turn *t, const OpReport *op);
void resume_made_durable(Turn *t, const OpReport *op);
void resume_restored(Turn *t, const OpReport *op);
void resume_reading(Turn *t); /* while it catches up */
void resume_ending(Turn *t);  /* the agent ends: the server's own durability is put back before */

/* rescue_step.c */
void rescue_note(Turn *t, const OpReport *op); /* what a START found and left alone */
