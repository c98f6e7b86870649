/* SPDX-License-Identifier: Apache-2.0
 * What the scripts of op_start have in common, besides opscript.h: how each begins and ends.
 */
#pragma once

#include "opscript.h"

#include "replica-agent/server/op_start.h"
#include "replica-agent/server/rescue_channel.h"

enum { START_MS = 30000 };

StartIn a_start(const Relay *r); /* r NULL: its relay files are not looked at */

/* The connection and the first reading; no rescue is under way. */
void expect_begun(View v);
/* Nor has one that was killed left its connection. */
void expect_no_private(View v);
void expect_sql_start(View v);
/* The log so far holds no START at all. */
void expect_no_start(void);

/* Runs it: all of the script is used up. */
void start(const StartIn *in, OpResult want, ErrKind kind, StartWay way);
