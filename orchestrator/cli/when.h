/* SPDX-License-Identifier: Apache-2.0
 * Times as BibSched's users write them: "+15s", "5m", "3h", "2002-10-27 13:57:26", "13:57", "now". Pure but
 * for the local time zone.
 */
#pragma once

#include <stdint.h>

#include "common/base/err.h"

/* A moment: durations count from `now_ms`, dates are local unless they end in Z. */
MUST_CHECK bool when_parse(const char *text, int64_t now_ms, int64_t *ret_ms, Err *err);
/* A span: "30m", "+2h", "1d". */
MUST_CHECK bool when_parse_span(const char *text, int64_t *ret_ms, Err *err);
