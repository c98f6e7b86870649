/* SPDX-License-Identifier: Apache-2.0
 * One connection of a receiver to the source: sockets with deadlines, the handshake, requests.
 */
#pragma once

#include <stdatomic.h>

#include "replica-agent/core/source_wire.h"

typedef struct RelayLink {
    int fd;
    const atomic_bool *stop; /* ends every wait */
    Str in;
    PacketOut out;
} RelayLink;

/* Listens on a free port of 127.0.0.1. */
MUST_CHECK bool relay_listen(int *ret_fd, int *ret_port, Err *err);
/* *ret -1: nobody came within the time. */
MUST_CHECK bool relay_accept(int listener, int64_t timeout_ms, int *ret, Err *err);

void relay_link_init(RelayLink *l, int fd, const atomic_bool *stop); /* takes fd */
void relay_link_done(RelayLink *l);
/* Who does not know the password is told so, and is not served. */
MUST_CHECK bool relay_link_login(RelayLink *l, const char *version, const char *user, const char *password,
                                 Err *err);
/* ERR_LOST: the receiver has gone. */
MUST_CHECK bool relay_link_request(RelayLink *l, int64_t timeout_ms, Str *ret, Err *err);
MUST_CHECK bool relay_link_flush(RelayLink *l, Err *err);
/* Sends what has piled up, if it is much. */
MUST_CHECK bool relay_link_pass(RelayLink *l, Err *err);
bool relay_link_is_gone(const RelayLink *l); /* the other end has closed */
