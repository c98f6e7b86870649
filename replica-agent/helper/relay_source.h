/* SPDX-License-Identifier: Apache-2.0
 * Kept relay files as a replication source: a thread that serves them, by the server's own protocol, to one
 * receiver of a MariaDB server on this host, who asks for what is beyond its position. Listens on a free
 * loopback port; nobody is served without the password, which is made at random for each source. It sends
 * whole transactions only, each as the files hold it.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

typedef struct RelaySource RelaySource;

typedef struct RelaySourceSpec {
    const StrList *files; /* in order; borrowed */
    const char *from;     /* position of the server; borrowed */
    const char *version;  /* that the source claims to be; borrowed */
    uint32_t replica_id;  /* of the server that is served: the source has another */
    int64_t window_bytes; /* sent and not applied yet, at most (or one transaction) */
} RelaySourceSpec;

MUST_CHECK bool relay_source_open(const RelaySourceSpec *spec, RelaySource **ret, Err *err);
void relay_source_close(RelaySource *s); /* ends the thread; NULL is fine */

int relay_source_port(const RelaySource *s);
const char *relay_source_user(void);
const char *relay_source_password(const RelaySource *s);

/* What the server has applied: makes room in the window. */
void relay_source_applied(RelaySource *s, const char *position);
/* Before each start of the receiver. */
void relay_source_begin(RelaySource *s);
/* Everything was sent to the receiver begun last. */
bool relay_source_is_sent(RelaySource *s);
/* Why it cannot go on; false: it can. */
bool relay_source_failed(RelaySource *s, Err *ret);
