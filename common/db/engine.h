/* SPDX-License-Identifier: Apache-2.0
 * What a storage engine's name says about a table's rows. Pure.
 */
#pragma once

#include <stdbool.h>

/* False: the rows are another table's, another server's, computed, or nobody's (MERGE, FEDERATED, SPIDER,
 * CONNECT, BLACKHOLE …): they are neither read nor loaded nor deleted through such a table. */
bool engine_has_rows(const char *engine);
