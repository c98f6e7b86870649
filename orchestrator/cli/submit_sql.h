/* SPDX-License-Identifier: Apache-2.0
 * The procedure siding.submit, written from the rows of common/wire/bounds.h: every bound that the API checks
 * stands in it as well, so that a CALL is refused where it is made. The text is the common subset of both
 * servers; %DEFINER% stands for its definer.
 */
#pragma once

#include "common/base/str.h"

char *submit_sql(void); /* owned */
