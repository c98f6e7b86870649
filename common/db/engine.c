/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <strings.h>

#include "common/base/str.h"

bool engine_has_rows(const char *engine)
{
    static const char *const without[] = {
        "MRG_MYISAM", "MERGE",      "FEDERATED",          "SPIDER",  "CONNECT", "BLACKHOLE",
        "SEQUENCE",   "OQGRAPH",    "PERFORMANCE_SCHEMA", "EXAMPLE", "SPHINX",  "S3",
        "ndbinfo",    "FEDERATEDX", "LAKEHOUSE",
    };
    for (size_t i = 0; i < COUNT(without); i++)
        if (strcasecmp(engine, without[i]) == 0)
            return false;
    return true;
}
