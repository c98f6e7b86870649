/* SPDX-License-Identifier: Apache-2.0
 * The members of an ENUM or SET. Their text does not always say which one is meant: an ENUM's '' is a member
 * or the value 0, which the server keeps for what it refused; a SET's '' is no member or the empty one; 'a'
 * and 'A' may both be members where strict mode did not see the table made. Pure.
 */
#pragma once

#include <stdbool.h>

/* `column_type`: enum('a','it''s'), as information_schema has it. True also where it cannot be told. */
bool members_are_ambiguous(const char *column_type, const char *collation);
