/* SPDX-License-Identifier: Apache-2.0 */
#include "invitation.h"

#include "common/base/password.h"

enum { TRY_COSTS_MS = 3000, TRIES_AT_ONCE = 10 };

const WireField invitation_fields[] = WIRE_FIELDS(Invitation, INVITATION_LIST);
const WireField invitation_book_fields[] = WIRE_FIELDS(InvitationBook, INVITATION_BOOK_LIST);
const WireEnum invitation_state_names = WIRE_ENUM_NAMES(INVITATION_STATE_VALUES);

Invitation *invitation_of(const InvitationBook *b, const char *node)
{
    Invitation *all = b->invitations.v;
    for (size_t i = 0; i < b->invitations.n; i++)
        if (str_eq(all[i].node, node))
            return &all[i];
    return NULL;
}

void invitation_drop(InvitationBook *b, Invitation *i)
{
    Invitation *all = b->invitations.v;
    wire_free(invitation_fields, i);
    *i = all[--b->invitations.n];
}

void invitation_put(InvitationBook *b, Invitation *i)
{
    Invitation *before = invitation_of(b, i->node);
    if (before)
        invitation_drop(b, before);
    *(Invitation *)wire_list_add(&b->invitations, sizeof *i) = *i;
    *i = (Invitation){0};
}

InvitationState invitation_state(const Invitation *i, int64_t now_ms)
{
    return now_ms >= i->expires_at ? INVITATION_EXPIRED
           : i->received_at        ? INVITATION_RECEIVED
           : i->fetched_at         ? INVITATION_FETCHED
                                   : INVITATION_OPEN;
}

/* Before anything else that might tell whether there is an invitation. */
bool invitation_is_by(const Invitation *i, const char *proof_hash, int64_t now_ms)
{
    return i && secret_equal(i->proof_hash, proof_hash) && invitation_state(i, now_ms) != INVITATION_EXPIRED;
}

InvitationAnswer invitation_fetch(Invitation *i, const char *proof_hash, const char *from, int64_t now_ms)
{
    if (!invitation_is_by(i, proof_hash, now_ms) || i->received_at)
        return INVITE_WRONG;
    if (i->fetched_at)
        return str_eq(i->fetched_from, from) ? INVITE_AGAIN : INVITE_ELSEWHERE;
    i->fetched_at = now_ms;
    str_set(&i->fetched_from, from);
    return INVITE_YES;
}

InvitationAnswer invitation_receive(Invitation *i, const char *proof_hash, const char *from, int64_t now_ms)
{
    if (!invitation_is_by(i, proof_hash, now_ms) || !i->fetched_at)
        return INVITE_WRONG;
    if (!str_eq(i->fetched_from, from))
        return INVITE_ELSEWHERE;
    if (i->received_at)
        return INVITE_AGAIN;
    i->received_at = now_ms;
    str_set(&i->bundle, NULL);
    return INVITE_YES;
}

bool invitation_may_try(WrongTries *w, int64_t mono_ms)
{
    int64_t from = w->paid_until_ms > mono_ms ? w->paid_until_ms : mono_ms;
    if (from - mono_ms > (int64_t)(TRIES_AT_ONCE - 1) * TRY_COSTS_MS)
        return false;
    w->paid_until_ms = from + TRY_COSTS_MS;
    return true;
}
