/* SPDX-License-Identifier: Apache-2.0
 * The HTTP API's routes, on the listeners of the configuration.
 */
#pragma once

#include "coord_state.h"

MUST_CHECK bool routes_open(Coord *c, Err *err);
MUST_CHECK bool routes_configure(Coord *c, Err *err); /* roles, as the configuration has them now */
