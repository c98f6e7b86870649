/* SPDX-License-Identifier: Apache-2.0
 * How a replica applies while it catches up. Durability is relaxed (flush 2, never 0: after a crash with 0
 * the server's positions lie). Which way of parallel apply is fastest depends on the server and on what is
 * applied, so it is measured: each way is tried for a moment and the fastest kept. A change of way stops the
 * applier, which throws away a half-applied transaction; with few large ones nothing is tried. Pure.
 */
#pragma once

#include "common/db/flavor.h"
#include "lease.h"

enum { BOOST_WAYS = FLAVOR_WAYS };

typedef struct BoostWish {
    int64_t workers, queue_bytes; /* at least so many threads where the way is parallel, so much memory */
    bool durable;                 /* its own durability stays */
} BoostWish;

/* The settings of one way; values owned by `ret`. */
void boost_settings(const Flavor *f, const LeaseSettings *own, const BoostWish *wish, const FlavorWay *way,
                    LeaseSettings *ret);

typedef struct BoostReading {
    int64_t now_ms;
    double work, left; /* applied and not yet applied, in one measure: bytes, or transactions */
    int64_t trx;       /* applied transactions */
} BoostReading;

typedef enum BoostState { BOOST_TRYING, BOOST_KEPT } BoostState;

typedef struct Boost {
    BoostState state;
    size_t n, now;           /* ways; the one in force */
    int64_t worth_ms;        /* with less time left nothing is tried */
    double rate[BOOST_WAYS]; /* measured work a second; 0: not yet */
    int64_t changed_ms;      /* when the way in force began */
    double expected;         /* what an earlier replay found for the way in force; 0: nothing */
    bool compared;           /* all ways were tried in this replay */
    bool warm;               /* something was measured: the server's caches are in use */
    bool marked;
    BoostReading mark; /* where measuring began, once the applier was warm */
    const char *why;   /* why it is kept, for people */
} Boost;

/* Begins with way `first`; `n` ways, none of which is tried with less than `worth_ms` left. */
void boost_start(Boost *b, size_t n, size_t first, int64_t worth_ms, int64_t now_ms);
/* An earlier replay found the way in force the fastest, at this rate: nothing is tried unless it is much
 * slower now.
 */
void boost_trust(Boost *b, double rate);
/* The applier runs again, by way b->now: after a change, or after its start. */
void boost_changed(Boost *b, int64_t now_ms);
/* One reading; the way to apply by from now on, b->now as long as nothing is to be changed. When it returns
 * another, b->now is that one and the caller changes the server, then calls boost_changed. */
size_t boost_sample(Boost *b, const BoostReading *r);

/* Seconds until nothing is left. `measured_s` is what the progress of the way in force says: that of a way on
 * trial says nothing, nor does the first moment of the one that is kept. */
double boost_eta(const Boost *b, const BoostReading *r, double measured_s);

/* What was found earlier, by size of the transactions: a class holds those up to four times as large as the
 * next smaller. */
/* clang-format off */
#define BOOST_FOUND_LIST(F, T) \
    F(T, INT, size_class)      \
    F(T, STR, way)             \
    F(T, NUM, rate)            \
    F(T, TIME, at)
/* clang-format on */
WIRE_STRUCT(BoostFound, BOOST_FOUND_LIST);
/* clang-format off */
#define BOOST_MEMORY_LIST(F, T) \
    F(T, LIST, found, BoostFound, found_fields)
/* clang-format on */
WIRE_STRUCT(BoostMemory, BOOST_MEMORY_LIST);
extern const WireField boost_memory_fields[];
int64_t boost_class(double bytes, double trx);
void boost_remember(BoostMemory *m, int64_t size_class, const char *way, double rate, int64_t at);
/* The rate at which `way` was found the fastest for this class, not before `since`; 0: it was not. */
double boost_known_rate(const BoostMemory *m, int64_t size_class, const char *way, int64_t since);
/* The way to begin with: the one found for this class, or for the nearest; 0, the flavour's first, if nothing
 * was found yet or `way` is no longer one. */
size_t boost_first(const BoostMemory *m, int64_t size_class, const Flavor *f);
