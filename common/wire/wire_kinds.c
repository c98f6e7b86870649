/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_kinds.h"

const WireEnum task_kind_names = WIRE_ENUM_NAMES(TASK_KIND_VALUES);
const WireEnum node_role_names = WIRE_ENUM_NAMES(NODE_ROLE_VALUES);
