/* SPDX-License-Identifier: Apache-2.0
 * What has ended long ago goes from the database.
 */
#pragma once

#include "coord_state.h"

void history_step(Coord *c);
