/* SPDX-License-Identifier: Apache-2.0
 * Variables in which two servers differ that should not. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

/* Sentences about `node` beside `primary`, added: to `never` what would make it no primary for the others, to
 * `avoid` what applications would notice. What is not known of both is no difference. */
void traits_differ(const Node *primary, const Node *node, StrList *never, StrList *avoid);
