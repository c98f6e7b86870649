/* SPDX-License-Identifier: Apache-2.0
 * What the pause_*.c files share. pause_apply is the one setter of the state: it writes the lease, then acts.
 */
#pragma once

#include "pause.h"

enum { PAUSE_RETRY_MS = 1000 };

/* False if the event has no place in this state, or nothing could be written before a STOP. */
bool pause_apply(struct Agent *a, PauseEvent ev);
MUST_CHECK bool pause_save(struct Agent *a, Err *err);
void pause_tell(struct Agent *a, PauseNews news, const Err *err); /* the owner */
void pause_trouble(struct Agent *a, const char *text);            /* NULL: none any more */
/* The state stays, its action is tried again a little later. */
void pause_again_later(struct Agent *a, const char *why);
void pause_note_rescue(struct Agent *a, const struct Step *s);
