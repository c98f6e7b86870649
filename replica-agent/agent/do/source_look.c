/* SPDX-License-Identifier: Apache-2.0 */
#include "source_look.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/servercheck.h"
#include "replica-agent/agent/agent.h"

enum { LOGIN_MS = 3000, SERVERS_MOST = 64 };

static const WireField lists_fields[] = WIRE_FIELDS(SourceLists, SOURCE_LISTS_LIST);

typedef struct SourceRound {
    Agent *a;
    char *account_file;
    SourceLists lists;
} SourceRound;

/* What the server says of the account. The client library's own errors are of the way there; a server that is
 * full, or has blocked this host, would say so to anybody. */
static bool is_of_the_account(const Err *err)
{
    enum { TOO_MANY = 1040, TOO_MANY_OF_USER = 1203, HOST_BLOCKED = 1129, CLIENT = 2000, CLIENT_END = 3000 };
    return err->kind == ERR_AUTH ||
           (err->code > 0 && err->code != TOO_MANY && err->code != TOO_MANY_OF_USER &&
            err->code != HOST_BLOCKED && (err->code < CLIENT || err->code >= CLIENT_END));
}

static bool may_replicate(Db *db, Err *err)
{
    AUTO(strlist_done) StrList grants = STRLIST_INIT;
    if (!db_column(db, "SHOW GRANTS", 0, &grants, err))
        return false;
    AUTOFREE char *missing = servercheck_missing(&grants, "REPLICATION SLAVE", "*.*");
    return !missing || err_set(err, ERR_AUTH, 0, "the account lacks the privilege %s there", missing);
}

static void look_at(SourceRound *r, const OrderServer *s)
{
    Db *db = NULL;
    Err err;
    DbTarget target = {.defaults_file = r->account_file, .host = s->host, .port = s->port};
    bool ok = db_connect(&target, LOGIN_MS, &db, &err) && may_replicate(db, &err);
    db_close(db);
    if (ok)
        return;
    if (!is_of_the_account(&err)) {
        log_debug("%s", err.text);
        return;
    }
    SourceFault *f = wire_list_add(&r->lists.faults, sizeof *f);
    *f = (SourceFault){xstrdup(s->node), xstrdup(err.text)};
}

static void in_worker(void *arg)
{
    SourceRound *r = arg;
    const OrderServer *s = r->lists.servers.v;
    for (size_t i = 0; i < r->lists.servers.n && i < SERVERS_MOST; i++)
        if (s[i].node && s[i].host && s[i].port > 0)
            look_at(r, &s[i]);
}

static bool same_faults(const WireList *a, const WireList *b)
{
    const SourceFault *x = a->v, *y = b->v;
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (!str_eq(x[i].node, y[i].node) || !str_eq(x[i].error, y[i].error))
            return false;
    return a->n == b->n;
}

static void round_free(SourceRound *r)
{
    free(r->account_file);
    wire_free(lists_fields, &r->lists);
    free(r);
}

static void in_loop(void *arg)
{
    SourceRound *r = arg;
    SourceLook *l = &r->a->source_look;
    l->in_flight = false;
    if (!same_faults(&l->lists.faults, &r->lists.faults)) {
        WireList before = l->lists.faults;
        l->lists.faults = r->lists.faults;
        r->lists.faults = before;
        agent_changed(r->a);
    }
    round_free(r);
}

void source_look_told(Agent *a, WireList *servers)
{
    WireList before = a->source_look.lists.servers;
    a->source_look.lists.servers = *servers;
    *servers = before;
}

/* Without an account of its own to name, a server goes on with the one that it was given by hand. */
void source_look_tick(Agent *a)
{
    Err err;
    SourceLook *l = &a->source_look;
    int64_t now = clock_mono_ms();
    if (l->in_flight || now < l->next_ms || !l->lists.servers.n || !a->conf.server.replication_defaults_file)
        return;
    l->next_ms = now + SOURCE_LOOK_EVERY_MS;
    SourceRound *r = NEW(SourceRound);
    *r = (SourceRound){.a = a, .account_file = xstrdup(a->conf.server.replication_defaults_file)};
    wire_copy(lists_fields, &r->lists, &(SourceLists){.servers = l->lists.servers});
    l->in_flight = work_submit(a->work, (WorkJob){in_worker, in_loop, r, .waits = true}, &err);
    if (!l->in_flight)
        round_free(r);
}

void source_look_close(Agent *a)
{
    wire_free(lists_fields, &a->source_look.lists);
}
