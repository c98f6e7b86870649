/* SPDX-License-Identifier: Apache-2.0
 * A file in the work folder of a load, replaced by the agent as often as the coordinator tells it: how far
 * the serving replica that is furthest behind is so, as "milliseconds\n". One that is old says nothing.
 */
#pragma once

#define LOAD_LAG_FILE "replica_lag"
