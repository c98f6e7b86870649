/* SPDX-License-Identifier: Apache-2.0 */
#include "serving_node.h"

Node serving_node(const char *name, bool is_replica, JobInfo *jobs, size_t n_jobs)
{
    Node node = {.name = (char *)name};
    node.agent = (NodeState){.node = (char *)name, .jobs = {jobs, n_jobs}, .spool_free_bytes = 1000};
    node.agent.server = (ServerState){.up = true,
                                      .flavor = (char *)"mariadb",
                                      .version = (char *)"10.11.19-MariaDB",
                                      .is_replica = is_replica,
                                      .sql_running = true,
                                      .io = RECEIVER_YES,
                                      .source_host = (char *)"h",
                                      .source_port = 1,
                                      .applied = (char *)"0-1-5"};
    return node;
}
