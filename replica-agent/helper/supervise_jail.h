/* SPDX-License-Identifier: Apache-2.0
 * The supervisor's side of a job that is kept apart: a keeper (replica-agent/jail) of our own, or
 * siding-jobd's, which ends the job as soon as this process is gone.
 */
#pragma once

#include "replica-agent/jail/message.h"
#include "supervise_child.h"

/* The socket to the keeper, and the program's process, which waits until it is released. */
MUST_CHECK bool jailed_fork(const ProgramSpec *spec, ChildPipes *ret, int *ret_socket, pid_t *ret_pid,
                            Err *err);
/* Lets the program exec; an exec that fails is the error. */
MUST_CHECK bool jailed_release(int socket, const char *program, Err *err);
/* Which level a keeper gives here, `jobd_socket` NULL: one of our own. Forks. */
MUST_CHECK bool jailed_probe(const char *jobd_socket, char ret[JAIL_TEXT], Err *err);
/* Whether siding-jobd listens; does not wait. */
MUST_CHECK bool jailed_answers(const char *jobd_socket, Err *err);
/* TERM, TSTP, STOP, CONT; KILL ends everything. */
void jailed_signal(int socket, int signo);
