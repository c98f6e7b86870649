/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_fill.h"

const WireEnum fill_phase_names = WIRE_ENUM_NAMES(FILL_PHASE_VALUES);

const WireField fill_order_fields[] = WIRE_FIELDS(FillOrder, FILL_ORDER_LIST);
const WireField fill_state_fields[] = WIRE_FIELDS(FillState, FILL_STATE_LIST);
