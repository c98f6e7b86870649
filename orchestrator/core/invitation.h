/* SPDX-License-Identifier: Apache-2.0
 * An invitation of a new host: its sealed files lie with the coordinator until they are fetched. It is served
 * to whoever shows the proof, again and again to the same address, as an answer may be lost and a host may be
 * killed before its files are on its disk; once the host has said that they are, never again. One for each
 * node: a new one takes the place of the one before. Pure.
 */
#pragma once

#include "common/wire/wire.h"

/* clang-format off */
/* On the coordinator's disk before anything is answered because of it. */
#define INVITATION_LIST(F, T)                                                       \
    F(T, STR, node)                                                                 \
    F(T, STR, proof_hash)                                                           \
    F(T, STR, bundle) /* sealed; NULL once it was received */                       \
    F(T, STR, by)                                                                   \
    F(T, TIME, created_at)                                                          \
    F(T, TIME, expires_at)                                                          \
    F(T, TIME, fetched_at) /* first; 0: not yet */                                  \
    F(T, STR, fetched_from)                                                         \
    F(T, TIME, received_at)
WIRE_STRUCT(Invitation, INVITATION_LIST);
extern const WireField invitation_fields[];

#define INVITATION_BOOK_LIST(F, T) F(T, LIST, invitations, Invitation, invitation_fields)
WIRE_STRUCT(InvitationBook, INVITATION_BOOK_LIST);
extern const WireField invitation_book_fields[];

#define INVITATION_STATE_VALUES(E)         \
    E(INVITATION_OPEN, "open")             \
    E(INVITATION_FETCHED, "fetched")       \
    E(INVITATION_RECEIVED, "received")     \
    E(INVITATION_EXPIRED, "expired")
WIRE_ENUM(InvitationState, INVITATION, INVITATION_STATE_VALUES);
extern const WireEnum invitation_state_names;
/* clang-format on */

Invitation *invitation_of(const InvitationBook *b, const char *node); /* NULL: none */
/* `i` zeroed afterwards: it takes the place of the one of its node. */
void invitation_put(InvitationBook *b, Invitation *i);
void invitation_drop(InvitationBook *b, Invitation *i); /* one of its own */

/* Its secret, and not too late. `i` NULL: no. */
bool invitation_is_by(const Invitation *i, const char *proof_hash, int64_t now_ms);
InvitationState invitation_state(const Invitation *i, int64_t now_ms);

typedef enum InvitationAnswer {
    INVITE_YES,
    INVITE_AGAIN, /* yes, as before: nothing has changed */
    INVITE_WRONG, /* nobody is invited by that: no such node, another secret, too late, received already */
    INVITE_ELSEWHERE, /* the right secret, from another address than the first */
} InvitationAnswer;

/* `i` NULL: there is none for that node. Where the answer is INVITE_YES the record has changed. */
InvitationAnswer invitation_fetch(Invitation *i, const char *proof_hash, const char *from, int64_t now_ms);
/* The host has its files: the bundle goes. */
InvitationAnswer invitation_receive(Invitation *i, const char *proof_hash, const char *from, int64_t now_ms);

/* Wrong secrets: some at once, then one every few seconds is answered as such, and others are told to wait.
 * Right ones are never kept waiting for them. */
typedef struct WrongTries {
    int64_t paid_until_ms; /* monotonic */
} WrongTries;
bool invitation_may_try(WrongTries *w, int64_t mono_ms);
