/* SPDX-License-Identifier: Apache-2.0
 * One turn of the queue's decider: a cluster and its tasks in few words, and what is expected of each task.
 */
#pragma once

#include "test.h"

#include "orchestrator/core/decide.h"

enum { NOW = 1000000 };
extern const SlotTime now;

typedef struct Cluster {
    Node nodes[6];
    ChooseNode choose[6];
    char names[6][16], taken[6][16];
    size_t n;
} Cluster;

/* Nodes apart by ';': "db1", or with words: "db1 lag=N(ms) paused taken=4.1 stopped down unreachable jobless
 * old other mysql". */
void cluster(Cluster *c, const char *text);

/* A task as the test means it: what the queue knows of it, and what has happened to it. */
typedef struct Wait {
    SlotTask t;
    bool active, failed;
    CoordRunState parent;
    bool scattered;
} Wait;

Wait task(int64_t id, const char *name);
Wait upload(int64_t id, CoordRunState parent);
Wait active(Wait w);
Wait failed(Wait w); /* a minute ago, and holds what comes behind */

#define WITH(w, field, value)                                                                                \
    ({                                                                                                       \
        Wait with_##field = (w);                                                                             \
        with_##field.t.field = (value);                                                                      \
        with_##field;                                                                                        \
    })

void put(Slots *q, const Wait *w);

typedef struct Row {
    Wait task;
    const char *starts; /* node; NULL: it waits */
    const char *why;    /* part of the sentence */
} Row;

extern const char *manual; /* of the turns that follow: why nothing starts by itself; NULL: it does */

void turn(Slots *q, Cluster *c, const char *hold, QueueDecisions *d);
/* Of a queue of these. When the next turn is due. */
int64_t expect_turn(const char *nodes, const char *hold, const Row *rows, size_t n);
#define EXPECT_TURN(nodes, ...)                                                                              \
    do {                                                                                                     \
        const Row rows_[] = {__VA_ARGS__};                                                                   \
        expect_turn(nodes, NULL, rows_, COUNT(rows_));                                                       \
    } while (0)
