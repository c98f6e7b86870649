/* SPDX-License-Identifier: Apache-2.0
 * Shared by the acts of op_order.
 */
#pragma once

#include "op_impl.h"
#include "op_order.h"

OpResult order_stop_receiver(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_set_closed(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_reopen(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_apply_all(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_repoint(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_set_armed(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_set_silent(Db *db, OrderOut *out);
OpResult order_set_open(const OrderIn *in, Db *db, OrderOut *out);
OpResult order_write_probe(const OrderIn *in, const Cancel *cancel, OrderOut *out);
/* Without a server. */
OpResult order_kill_server(const OrderIn *in, OrderOut *out);
OpResult order_read_log(const OrderIn *in, OrderOut *out);

/* All that this server has committed: as a replica and by itself. Owned; NULL: not understood. */
char *order_has(const Db *db, const ReplStatus *s);
/* Both threads; false: not, and the clients of one that is to be the primary are ended, so that the next try
 * finds none of their locks. */
MUST_CHECK bool order_stop_both(const OrderIn *in, Db *db, OrderOut *out);
bool order_points_at(const ReplStatus *s, const OrderServer *to);
/* `received`: what it has applied and what its relay files hold. */
MUST_CHECK bool order_read_received(const OrderIn *in, Db *db, OrderOut *out);
/* For a moment; OP_WAITING: not yet. Of a drain: clients whose locks keep the applier from it are ended. */
OpResult order_await_applied(const OrderIn *in, Db *db, const char *gtid, OrderOut *out);
/* A look anew, in the place of the one before. */
MUST_CHECK bool order_look(Db *db, OrderOut *out);
