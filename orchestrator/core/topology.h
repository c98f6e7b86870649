/* SPDX-License-Identifier: Apache-2.0
 * Which server is the primary, and one word for the state of a node. The coordinator's journal decides once
 * it has an answer; only at the first start it is read from the servers. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

/* `nodes`: all that are configured, with the last state seen. ERR_CONFLICT names what is unclear;
 * ERR_UNREACHABLE when a node that may change the answer has not been seen yet. */
MUST_CHECK bool topology_primary(const Node *const *nodes, size_t n, const char **ret_name, Err *err);

/* The node that `node` replicates from; NULL: none of these. */
const char *topology_source(const Node *const *nodes, size_t n, const Node *node);

/* `node` is the only replica that acknowledges the primary's commits (semi-sync). */
bool topology_is_sole_acknowledger(const Node *primary, const Node *node);

/* Why `node` cannot serve below this primary (NULL: not known): one is MariaDB, the other MySQL. Owned; NULL:
 * they fit, or it is not known yet. */
char *topology_mixed(const Node *primary, const Node *node);

NodeHealth topology_node_health(const Node *node, const char *primary);
/* Sentences about a node that an operator should see, added to `ret`. */
void topology_warnings(const Node *node, const char *primary, int64_t now_ms, StrList *ret);
/* A pause that is to be told to people: it is over its limit and the replica still stands, or its agent
 * cannot be reached, who alone ends it in time. NULL: neither. Owned. */
char *topology_pause_trouble(const Node *node, int64_t now_ms);
