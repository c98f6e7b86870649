/* SPDX-License-Identifier: Apache-2.0 */
#include "order_impl.h"

void order_in_done(OrderIn *in)
{
    op_server_done(&in->at);
    db_target_done(&in->rescuer);
    db_target_done(&in->reader);
    wire_free(agent_order_fields, &in->order);
    wire_free(lease_server_fields, &in->server);
    wire_free(vault_place_fields, &in->place);
    free(in->node);
    free(in->vault_folder);
    free(in->account_file);
    *in = (OrderIn){0};
}

void order_out_done(OrderOut *out)
{
    server_seen_done(&out->seen);
    wire_free(vault_place_fields, &out->place);
    free(out->received);
    free(out->ahead);
    free(out->told);
    *out = (OrderOut){0};
}

static OpResult on_server(const OrderIn *in, Db *db, OrderOut *out)
{
    switch (in->act) {
    case ORDER_STOP_RECEIVER:
        return order_stop_receiver(in, db, out);
    case ORDER_SET_CLOSED:
        return order_set_closed(in, db, out);
    case ORDER_REOPEN:
        return order_reopen(in, db, out);
    case ORDER_APPLY_ALL:
        return order_apply_all(in, db, out);
    case ORDER_REPOINT:
        return order_repoint(in, db, out);
    case ORDER_SET_ARMED:
        return order_set_armed(in, db, out);
    case ORDER_SET_SILENT:
        return order_set_silent(db, out);
    case ORDER_SET_OPEN:
        return order_set_open(in, db, out);
    default:
        err_set(&out->err, ERR_USAGE, 0, "an order has no act %d", (int)in->act);
        return OP_FAILED;
    }
}

bool op_order(const OrderIn *in, const Cancel *cancel, OrderOut *out)
{
    AUTODB Db *db = NULL;
    out->result = OP_FAILED;
    if (in->act == ORDER_KILL_SERVER)
        out->result = order_kill_server(in, out);
    else if (in->act == ORDER_READ_LOG)
        out->result = order_read_log(in, out);
    else if (in->act == ORDER_WRITE_PROBE)
        out->result = order_write_probe(in, cancel, out);
    else if (op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) && order_look(db, out) &&
             op_commit(db, cancel, &out->err))
        out->result = on_server(in, db, out);
    return out->result == OP_DONE;
}
