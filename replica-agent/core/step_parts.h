/* SPDX-License-Identifier: Apache-2.0
 * What the machines of agent_step share: each takes the inputs that concern it. No machine calls another;
 * they post.
 */
#pragma once

#include "effect.h"

/* pause_step.c: the lease. With resume_step.c and rescue_step.c (pause_state.h) alone in ordering what
 * touches the applier. */
void pause_wish(Turn *t, Input *in);        /* IN_WISH, IN_PAUSE */
void pause_unwish(Turn *t, const char *by); /* IN_RESUME, where none has begun */
void pause_take(Turn *t, Input *in);        /* IN_TAKE */
void pause_release(Turn *t, Input *in);     /* IN_RELEASE */
void pause_move_on(Turn *t, Input *in);     /* IN_MOVE_ON */
void pause_op(Turn *t, const OpReport *op);
void pause_reading(Turn *t);
void pause_tick(Turn *t);
void pause_not_written(Turn *t);
enum { MEETS_AGAIN = -1 };                  /* no event: what the state asks for is done again */
void pause_meets(Turn *t, const Input *in); /* IN_MEETS */
void pause_post_news(Turn *t, const char *owner, PauseNews news, const Err *err);

/* rescue_step.c */
void rescue_found(Turn *t, const OpReport *op); /* a start without a lease found what a rescue must apply */
void rescue_progress(Turn *t, const Input *in);
void rescue_ended(Turn *t, const Input *in);

/* fill_step.c: the server gets another's data. */
void fill_order(Turn *t, Input *in); /* IN_FILL */
void fill_progress(Turn *t, const Input *in);
void fill_ended(Turn *t, const Input *in);
void fill_tick(Turn *t);

/* replay_step.c: the catch-up. */
const FlavorWay *replay_first_way(Turn *t);
void replay_started(Turn *t, const char *applied);
bool replay_reading(Turn *t,
                    const FlavorWay **ret_way); /* true once caught up; a way to change to, or NULL */
void replay_changed(Turn *t, bool ok);
void replay_durable(Turn *t);
void replay_over(Turn *t);

/* run_step.c */
void run_boot(Turn *t);
void run_input(Turn *t, Input *in); /* those that name a run */
void run_seen(Turn *t);             /* the server is known: what waits for it goes on */
void run_tick(Turn *t);
void run_heard(Turn *t, int64_t seq); /* the coordinator has all states up to this number */
void run_reading(Turn *t);
void run_verified(Turn *t, const OpReport *op);
void run_not_written(Turn *t);

/* boot_step.c */
void boot_seen(Turn *t);
void boot_start(Turn *t, const Input *in); /* IN_START */
void boot_tick(Turn *t);
bool boot_op(Turn *t, const OpReport *op); /* true: a rescue must apply what it found */

/* role_step.c */
void role_input(Turn *t, Input *in);
void role_tick(Turn *t);
void role_reading(Turn *t);
void role_note_opened(Turn *t); /* by this operation, or by an order of a failover */
void role_op(Turn *t, const OpReport *op);

/* vote_step.c, with vote_view.c and vote_answer.c (vote_parts.h) */
void vote_order(Turn *t, Input *in); /* IN_ORDER */
void vote_op(Turn *t, const OpReport *op);
void vote_reading(Turn *t);
void vote_tick(Turn *t);
void vote_owes_start(Turn *t); /* one was kept from it by the gate */
/* The server was given new data and points at `source`: an order to follow that one was given for what it
 * held before, and would find that it has more than the primary began with. */
void vote_filled(Turn *t, const OrderServer *source);
void vote_started(Turn *t, const OpReport *op); /* an OP_START went well */
void vote_silenced(Turn *t);                    /* from here on nothing is acknowledged before an arm */

/* contact_step.c: whether a primary may take it that it is still the one. */
void contact_tick(Turn *t);
void contact_answered(Turn *t, const Input *in); /* IN_STANDS */
bool contact_op(Turn *t, const OpReport *op);    /* true: it was ours */

/* guard_step.c */
void guard_reading(Turn *t);
void guard_tick(Turn *t);
void guard_caught_up(Turn *t, const Replay *r);

/* hook_step.c */
void hook_before_pause(Turn *t, const Input *in); /* IN_BEFORE_PAUSE; IN_TAKE follows */
void hook_ended(Turn *t, const Input *in);
void hook_caught_up(Turn *t, const char *gtid);
void hook_tick(Turn *t);

/* role_hook_step.c */
void role_hook_owe(Turn *t, bool promoted, const WireDecision *d);
void role_hook_ended(Turn *t, const Input *in); /* IN_ROLE_HOOK */
void role_hook_tick(Turn *t);
