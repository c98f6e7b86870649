/* SPDX-License-Identifier: Apache-2.0
 * What the scripts of a failover's acts have in common.
 */
#pragma once

#include "opscript.h"

#include "replica-agent/server/op_order.h"

#define STARTS                                                                                               \
    "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND (INFO LIKE 'START "       \
    "SLAVE%'…"
#define BLOCKED "SELECT COUNT(*) FROM information_schema.PROCESSLIST a …"

/* What the agent gives along, beside the order. */
typedef struct OrderScript {
    char *account_file;
    bool leaves_semi_sync; /* as agent.conf may say */
    bool reads_tables;     /* it names an account for jobs */
    int64_t delay_s;       /* that is written down */
} OrderScript;
extern OrderScript order_script;

const char *word(const char *mariadb, const char *mysql);
/* `host` is the name of the order's source, too. */
AgentOrder order_for(OrderKind kind, const char *host, const char *gtid);
/* Of db1, all that the script says; `order` is freed. ret NULL: the output is. */
void act(OrderAct act, AgentOrder order, OpResult want, ErrKind kind, OrderOut *ret);
