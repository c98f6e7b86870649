/* SPDX-License-Identifier: Apache-2.0 */
#include "orderscript.h"

const char *word(const char *mariadb, const char *mysql)
{
    return is_mariadb() ? mariadb : mysql;
}

AgentOrder order_for(OrderKind kind, const char *host, const char *gtid)
{
    AgentOrder o = {.kind = kind, .ballot = {7, xstrdup("00000000000000aa")}};
    o.decision = (WireDecision){.ballot = {7, xstrdup("00000000000000aa")}, .version = 2, .acks = 2};
    o.source = (OrderServer){host ? xstrdup(host) : NULL, host ? xstrdup(host) : NULL, 3306};
    o.gtid = xstrdup(gtid);
    return o;
}

OrderScript order_script;

void act(OrderAct act_, AgentOrder order, OpResult want, ErrKind kind, OrderOut *ret)
{
    OrderOut out = {0};
    OrderIn in = {.at = agent_server(),
                  .rescuer = rescuer_target(),
                  .act = act_,
                  .order = order,
                  .leaves_semi_sync = order_script.leaves_semi_sync,
                  .node = (char *)"db1",
                  .account_file = order_script.account_file,
                  .delay_s = order_script.delay_s};
    if (order_script.reads_tables)
        in.reader = (DbTarget){.user = (char *)"reader", .defaults_file = (char *)"/etc/siding/job.cnf"};
    op_order(&in, NULL, &out);
    EXPECT_RESULT(out, want, kind);
    wire_free(agent_order_fields, &in.order);
    script_end(0);
    if (ret)
        *ret = out;
    else
        order_out_done(&out);
}
