/* SPDX-License-Identifier: Apache-2.0
 * What each act of an order looks at, and answers at its end: the server as it is then.
 */
#include "order_impl.h"

#include "common/db/gtid.h"

char *order_has(const Db *db, const ReplStatus *s)
{
    return gtid_max_text(db_version(db)->flavor, s->applied, s->binlog);
}

bool order_look(Db *db, OrderOut *out)
{
    server_seen_done(&out->seen);
    out->seen = (ServerSeen){0};
    return op_look(db, &out->seen, &out->err);
}
