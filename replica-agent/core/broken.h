/* SPDX-License-Identifier: Apache-2.0
 * Data that are broken for good: nothing but those of another server helps. Pure.
 */
#pragma once

#include "state.h"

/* Why it is so, for people; owned. NULL: it is not, or what is under way may end otherwise: a pause, a start,
 * a fill. A replica that somebody stopped is not broken, nor is one whose source does not answer. */
char *broken_why(const AgentState *s);
