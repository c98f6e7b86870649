/* SPDX-License-Identifier: Apache-2.0
 * What the two state machines of the agent share: a transition is a row with a reason for people, and the
 * rows are also the diagram. Pure.
 */
#pragma once

#include <stddef.h>

#include "common/base/str.h"

/* Appends one Mermaid edge; equal consecutive states are drawn as self loops only when `reason` matters. */
void machine_draw_edge(Str *out, const char *from, const char *to, const char *event, const char *reason);
