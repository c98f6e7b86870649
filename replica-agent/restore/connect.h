/* SPDX-License-Identifier: Apache-2.0
 * Connections of a restore. The main one holds the lock that keeps other restores out of the server, each
 * thread's one of its own, which lasts until the server has done with what a lost connection asked for. One
 * that is lost is made again, for a time: a server that restarts comes back.
 */
#pragma once

#include "loader.h"

/* Its statements outside of a transaction are tried again where others' locks are in the way. */
MUST_CHECK bool connect_open(const Restore *r, Db **ret, Err *err);

/* How long to wait after a number of tries, from 1; -1: no more. Pure. */
int64_t connect_pause_ms(int try);
/* After `err`, db_locked_out: tells it and waits. False: it was tried often enough, or the restore is to end.
 */
MUST_CHECK bool connect_await_locks(int try, Err *err);

/* The main thread. r->db, with the lock of the restore. */
MUST_CHECK bool connect_main(Restore *r, Err *err);
/* Looks after it while the threads are at work, as often as one may like. */
MUST_CHECK bool connect_keep_main(Restore *r, Err *err);
/* The same between two steps: it is there now, or cannot be had. */
MUST_CHECK bool connect_check_main(Restore *r, Err *err);

/* Another thread has failed, and all are to end. */
bool restore_failed(Restore *r);
/* A thread: w->db, with its lock. */
MUST_CHECK bool connect_worker(RestoreWorker *w, Err *err);
/* After `err` of the connection: a new one, within a minute. False: there is none, or err was another. */
MUST_CHECK bool connect_worker_again(RestoreWorker *w, Err *err);
