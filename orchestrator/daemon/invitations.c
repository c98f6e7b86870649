/* SPDX-License-Identifier: Apache-2.0 */
#include "invitations.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/jointoken.h"
#include "common/wire/bounds.h"
#include "events.h"
#include "handlers.h"
#include "orchestrator/core/invitation.h"

enum {
    MOST_INVITATIONS = 32,
    MOST_DOOR_BODY = 2048,
    AGAIN_LEAST_MS = 1000,
    AGAIN_MOST_MS = 30000,
    TELL_EVERY_MS = 60000
};

typedef struct Invitations {
    InvitationBook book;
    HttpServer *door; /* NULL: closed */
    Retry retry;
    WrongTries wrong;
    int64_t told_ms, untold; /* of wrong tries */
} Invitations;

/* ---- the record ------------------------------------------------------------------------------------- */

static bool save(const Coord *c, const InvitationBook *b, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/invitations.json", c->conf.state_dir);
    AUTOJSON json_t *j = wire_write(invitation_book_fields, b);
    return json_replace_file(path, j, 0600, err);
}

void invitations_open(Coord *c)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/invitations.json", c->conf.state_dir);
    AUTOJSON json_t *j = NULL;
    Invitations *p = c->invitations = NEW(Invitations);
    bool ok = json_read_file(path, &j, &err) && wire_read(invitation_book_fields, j, &p->book, &err);
    if (!ok && err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
}

void invitations_close(Coord *c)
{
    if (!c->invitations)
        return;
    http_server_free(c->invitations->door);
    wire_free(invitation_book_fields, &c->invitations->book);
    free(STEAL(c->invitations));
}

/* What is on disk counts: where it cannot be written everything is as before. */
static bool keep(Coord *c, const json_t *before, Err *err)
{
    Err ignored;
    InvitationBook *b = &c->invitations->book;
    if (save(c, b, err))
        return true;
    wire_free(invitation_book_fields, b);
    (void)!wire_read(invitation_book_fields, before, b, &ignored);
    return false;
}

/* ---- at the door ------------------------------------------------------------------------------------ */

/* Told once in a while, with a count: strangers must not fill the events. */
static void tell_wrong(Coord *c, const char *node, const char *from)
{
    Invitations *p = c->invitations;
    int64_t now = clock_mono_ms();
    if (p->told_ms && now - p->told_ms < TELL_EVERY_MS) {
        p->untold++;
        return;
    }
    AUTOFREE char *more =
        p->untold ? xasprintf("; %lld more before that", (long long)p->untold) : xstrdup("");
    p->told_ms = now;
    p->untold = 0;
    events_add(c, "warn", "audit", 0, NULL, NULL,
               "somebody at %s asked to join as %s with a token that is not, or no longer, valid%s", from,
               node, more);
}

static bool refuse(Coord *c, InvitationAnswer answer, const char *node, const char *from, Err *err)
{
    bool may = invitation_may_try(&c->invitations->wrong, clock_mono_ms());
    if (answer == INVITE_ELSEWHERE && may) {
        events_add(c, "warn", "audit", 0, NULL, NULL,
                   "somebody at %s showed the token of %s, whose files were fetched from %s before: if these "
                   "are two hosts, somebody else has the token: siding replica invite %s --revoke",
                   from, node, invitation_of(&c->invitations->book, node)->fetched_from, node);
        return err_set(err, ERR_AUTH, 0,
                       "this token has been used from another address already; whoever invited you can see "
                       "from which: siding events");
    }
    if (!may)
        return err_set(err, ERR_UNREACHABLE, 0, "too many wrong tokens are being tried here; try again");
    tell_wrong(c, node, from);
    return err_set(err, ERR_AUTH, 0,
                   "this token is not valid here: it was used, withdrawn or is too old, or it is another "
                   "coordinator's; siding replica invite makes a new one");
}

typedef InvitationAnswer (*Decide)(Invitation *i, const char *proof_hash, const char *from, int64_t now_ms);

static bool at_door(Coord *c, HttpRequest *req, Decide decide, const char *what, const Invitation **ret,
                    Err *err)
{
    json_t *body;
    InvitationBook *b = &c->invitations->book;
    char from[HTTP_PEER_BYTES], hash[65];
    const char *node, *proof;
    if (!http_body(req, &body, err) || !bounds_check(join_bounds, DOOR_API, body, err) ||
        !json_req_str(body, "node", &node, err) || !json_req_str(body, "proof", &proof, err))
        return false;
    http_peer(req, from);
    jointoken_proof_hash(proof, hash);
    int64_t now = clock_wall_ms();
    Invitation *i = invitation_of(b, node);
    if (!invitation_is_by(i, hash, now)) /* a stranger costs no more than this */
        return refuse(c, INVITE_WRONG, node, from, err);
    AUTOJSON json_t *before = wire_write(invitation_book_fields, b);
    InvitationAnswer answer = decide(i, hash, from, now);
    if (answer != INVITE_YES && answer != INVITE_AGAIN)
        return refuse(c, answer, node, from, err);
    if (answer == INVITE_YES && !keep(c, before, err))
        return false;
    if (answer == INVITE_YES)
        events_add(c, "info", "audit", 0, NULL, NULL, "%s %s, from %s", node, what, from);
    *ret = invitation_of(b, node);
    return true;
}

static void handle_fetch(HttpRequest *req, void *context)
{
    Err err;
    const Invitation *i;
    if (!at_door(context, req, invitation_fetch, "was given its files by the token of its invitation", &i,
                 &err)) {
        http_reply_error(req, &err);
        return;
    }
    json_t *o = json_object();
    json_set_str(o, "bundle", i->bundle);
    http_reply_json(req, 200, o);
}

static void handle_received(HttpRequest *req, void *context)
{
    Err err;
    const Invitation *i;
    if (at_door(context, req, invitation_receive, "has its files on its disk, its token is used up", &i,
                &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
}

/* clang-format off */
static const HttpRoute door_routes[] = {
    {"POST", "/v1/join", ROLE_HEALTH, handle_fetch},
    {"POST", "/v1/join/received", ROLE_HEALTH, handle_received},
    {0},
};
/* clang-format on */

/* Also on loopback with TLS: a token must not be read on the way, nor shown to another program. */
static bool open_door(Coord *c, Err *err)
{
    AUTO(strlist_done) StrList listen = STRLIST_INIT;
    if (c->invitations->door)
        return true;
    if (!tls_is_set(&c->conf.tls))
        return err_set(err, ERR_REFUSED, 0, "sidingd.conf has no tls, and files go to new hosts by TLS only");
    strlist_addf(&listen, "tls:%s", c->conf.join_listen);
    const HttpService service = {.listen = &listen,
                                 .tls = &c->conf.tls,
                                 .routes = door_routes,
                                 .context = c,
                                 .anonymous = true,
                                 .most_body = MOST_DOOR_BODY};
    return http_serve(c->base, &service, &c->invitations->door, err) || err_prefix(err, "join_listen");
}

void invitations_renew(Coord *c)
{
    Err err;
    HttpServer *door = c->invitations->door;
    if (door && !http_server_renew_tls(door, &c->conf.tls, &err))
        log_error("join_listen: %s", err.text);
}

static void end_expired(Coord *c)
{
    Err err;
    InvitationBook *b = &c->invitations->book;
    int64_t now = clock_wall_ms();
    for (size_t k = b->invitations.n; k-- > 0;) {
        Invitation *i = (Invitation *)b->invitations.v + k;
        if (invitation_state(i, now) != INVITATION_EXPIRED)
            continue;
        AUTOJSON json_t *before = wire_write(invitation_book_fields, b);
        AUTOFREE char *node = xstrdup(i->node);
        bool used = i->received_at != 0;
        invitation_drop(b, i);
        if (!keep(c, before, &err)) {
            log_error("%s", err.text);
            retry_failed(c, &c->invitations->retry, AGAIN_LEAST_MS, AGAIN_MOST_MS);
            return;
        }
        if (!used)
            events_add(c, "warn", "audit", 0, NULL, NULL,
                       "the invitation of %s has expired, its files are gone", node);
    }
}

void invitations_step(Coord *c)
{
    Err err;
    Invitations *p = c->invitations;
    if (!retry_due(&p->retry))
        return;
    end_expired(c);
    if (!p->book.invitations.n) {
        http_server_free(STEAL(p->door));
    } else if (open_door(c, &err)) {
        retry_reset(&p->retry);
    } else {
        log_error("%s", err.text);
        retry_failed(c, &p->retry, AGAIN_LEAST_MS, AGAIN_MOST_MS);
    }
}

/* ---- what people ask -------------------------------------------------------------------------------- */

static bool check_invite(Coord *c, const char *node, Err *err)
{
    const InvitationBook *b = &c->invitations->book;
    if (strlen(node) > BOUND_NODE_CHARS)
        return err_set(err, ERR_USAGE, 0, "the name of a node has at most %d characters", BOUND_NODE_CHARS);
    if (c->fenced)
        return err_set(err, ERR_CONFLICT, 0,
                       "another coordinator has taken over this cluster: invite hosts there");
    if (!invitation_of(b, node) && b->invitations.n >= MOST_INVITATIONS)
        return err_set(err, ERR_REFUSED, 0,
                       "%d hosts are invited already: withdraw an invitation, or wait until one expires",
                       MOST_INVITATIONS);
    return open_door(c, err);
}

static bool take(Coord *c, HttpRequest *req, Err *err)
{
    json_t *body;
    const char *node = http_param(req, "name"), *hash, *bundle;
    int64_t valid_ms, now = clock_wall_ms();
    if (!http_body(req, &body, err) || !bounds_check(invite_bounds, DOOR_API, body, err) ||
        !json_req_str(body, "proof_hash", &hash, err) || !json_req_str(body, "bundle", &bundle, err) ||
        !json_req_int(body, "valid_ms", 0, INT64_MAX, &valid_ms, err) || !check_invite(c, node, err))
        return false;
    InvitationBook *b = &c->invitations->book;
    AUTOJSON json_t *before = wire_write(invitation_book_fields, b);
    Invitation i = {.node = xstrdup(node),
                    .proof_hash = xstrdup(hash),
                    .bundle = xstrdup(bundle),
                    .by = http_by(req, json_str(body, "by")),
                    .created_at = now,
                    .expires_at = now + valid_ms};
    invitation_put(b, &i);
    return keep(c, before, err);
}

/* What a token needs besides: where the door is, and by which key it is known. */
static bool door_json(const Coord *c, const char *node, json_t **ret, Err *err)
{
    char pin[CERT_PIN_CHARS + 1];
    CertFacts f = {0};
    if (!cert_pin(c->conf.tls.certificate_file, pin, err) || !cert_read(&c->conf.tls, NULL, &f, err))
        return false;
    *ret = json_object();
    json_set_str(*ret, "pin", pin);
    json_set_int(*ret, "port", http_server_port(c->invitations->door, 0));
    json_set_str(*ret, "certificate", f.name);
    json_set_strs(*ret, "hosts", &f.hosts);
    json_set_time(*ret, "expires_at", invitation_of(&c->invitations->book, node)->expires_at);
    cert_facts_done(&f);
    return true;
}

void handle_invite(HttpRequest *req, void *context)
{
    Err err;
    json_t *answer;
    if (take(context, req, &err) && door_json(context, http_param(req, "name"), &answer, &err))
        http_reply_json(req, 200, answer);
    else
        http_reply_error(req, &err);
    coord_step_soon(context);
}

static bool revoke(Coord *c, HttpRequest *req, Err *err)
{
    json_t *body;
    InvitationBook *b = &c->invitations->book;
    Invitation *i = invitation_of(b, http_param(req, "name"));
    if (!http_body(req, &body, err) || !bounds_check(revoke_bounds, DOOR_API, body, err))
        return false;
    if (!i)
        return err_set(err, ERR_NOT_FOUND, 0, "%s is not invited here", http_param(req, "name"));
    AUTOJSON json_t *before = wire_write(invitation_book_fields, b);
    invitation_drop(b, i);
    return keep(c, before, err);
}

static json_t *shown(const Invitation *i)
{
    json_t *o = json_object();
    json_set_str(o, "node", i->node);
    json_set_str(o, "state", invitation_state_names.names[invitation_state(i, clock_wall_ms())]);
    json_set_str(o, "by", i->by);
    json_set_time(o, "created_at", i->created_at);
    json_set_time(o, "expires_at", i->expires_at);
    json_set_time(o, "fetched_at", i->fetched_at);
    json_set_str(o, "fetched_from", i->fetched_from);
    json_set_time(o, "received_at", i->received_at);
    return o;
}

void handle_revoke(HttpRequest *req, void *context)
{
    Err err;
    if (revoke(context, req, &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
    coord_step_soon(context);
}

void handle_invitations(HttpRequest *req, void *context)
{
    const InvitationBook *b = &((Coord *)context)->invitations->book;
    json_t *list = json_array();
    for (size_t k = 0; k < b->invitations.n; k++)
        json_array_append_new(list, shown((Invitation *)b->invitations.v + k));
    http_reply_json(req, 200, list);
}
