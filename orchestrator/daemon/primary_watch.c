/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's own look at the primary's server: a login, its GTID position, and where that stands
 * still and an automatic failover is wished a small commit of our own. One thread, one connection kept; a
 * commit that hangs is left alone on its connection, and no second one is begun before it has ended, or
 * the server would run out of connections. A look has a deadline: what does not answer by then is silent.
 */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "coord_store.h"
#include "failover_impl.h"
#include "queue_db.h"

enum { LOOK_EVERY_MS = 500, ANSWER_MS = 2000, WRITE_EVERY_MS = 2000, CONNECT_MS = 1000 };

struct PrimaryWatch {
    Coord *c; /* the loop's */
    WorkPool *pool;
    bool busy;
    int64_t next_ms;
    /* the worker's while busy */
    DbTarget target;
    Db *db;
    bool writes;
    char *position;
    int64_t written_ms, stuck_ms; /* monotonic: last commit seen; begin of the one that hangs */
    int64_t moved_ms;             /* monotonic: the position was another for the last time; 0: not known */
    uint64_t hanging;             /* its connection; 0: none */
    WatchResult result;
};

/* Nobody listens there, and the host says so. */
static bool refuses(const char *host, int64_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, port);
    if (!host || getaddrinfo(host, text, &hints, &list) != 0)
        return false;
    bool refused = false;
    for (const struct addrinfo *a = list; a && !refused; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        int error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
        socklen_t n = sizeof error;
        struct pollfd p = {fd, POLLOUT, 0};
        if (error == EINPROGRESS &&
            (poll(&p, 1, CONNECT_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0))
            error = ETIMEDOUT;
        refused = error == ECONNREFUSED;
        close(fd);
    }
    freeaddrinfo(list);
    return refused;
}

/* Whatever number a server has given its message, it has spoken. */
static DetectLogin judge(const PrimaryWatch *w, const Err *err)
{
    enum { USER_CON_COUNT = 1203, USER_LIMIT = 1226 };
    bool by_server = (err->code >= 1000 && err->code < 2000) || err->code >= 3000;
    if (err->code == CON_COUNT || err->code == USER_CON_COUNT || err->code == USER_LIMIT)
        return DETECT_TOO_MANY;
    if (err->code == HOST_BLOCKED || err->code == NOT_PRIVILEGED)
        return DETECT_SHUT_OUT;
    if (by_server)
        return err->kind == ERR_AUTH ? DETECT_NOT_LET_IN : DETECT_ANSWERS;
    return refuses(w->target.host, w->target.port) ? DETECT_REFUSED : DETECT_SILENT;
}

static bool still_hangs(PrimaryWatch *w, Err *err)
{
    int64_t n = 0;
    if (!w->hanging)
        return false;
    if (!db_value_int(w->db, &n, err, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ?", "i",
                      (int64_t)w->hanging))
        return true;
    if (!n)
        w->hanging = 0;
    return n > 0;
}

/* A commit of our own; on a connection apart, which may come to hang. */
static void write_once(PrimaryWatch *w)
{
    Err err;
    Db *db;
    char now[CLOCK_TEXT];
    int64_t begun = clock_mono_ms();
    if (!db_connect(&w->target, ANSWER_MS, &db, &err))
        return; /* the next look judges that */
    clock_format(clock_wall_ms(), now);
    uint64_t id = db_connection_id(db);
    if (qdb_set_meta(db, "heartbeat", now, &err) || err.kind != ERR_TIMEOUT) {
        w->written_ms = clock_mono_ms();
        w->stuck_ms = 0;
    } else {
        w->hanging = id;
        w->stuck_ms = w->stuck_ms ? w->stuck_ms : begun;
    }
    db_close(db);
}

static void look_at_commits(PrimaryWatch *w, char *position)
{
    Err ignored;
    int64_t now = clock_mono_ms();
    bool moved = !str_eq(position, w->position);
    str_set(&w->position, position);
    free(position);
    if (moved) {
        w->written_ms = w->moved_ms = now;
        w->stuck_ms = 0;
    } else if (w->writes && now - w->written_ms >= WRITE_EVERY_MS && !still_hangs(w, &ignored)) {
        write_once(w);
    }
    if (!w->writes)
        w->stuck_ms = 0;
}

static void look(void *arg)
{
    PrimaryWatch *w = arg;
    Err err;
    char *position = NULL;
    bool kept = w->db != NULL;
    bool ok = w->db || db_connect(&w->target, ANSWER_MS, &w->db, &err);
    ok = ok && qdb_position(w->db, &position, &err);
    if (!ok && w->db) {
        db_close(STEAL(w->db));
        /* A kept connection may have been ended by others. */
        if (kept && err.kind != ERR_TIMEOUT && db_connect(&w->target, ANSWER_MS, &w->db, &err))
            ok = qdb_position(w->db, &position, &err);
    }
    if (ok)
        look_at_commits(w, position);
    w->result.login = ok ? DETECT_ANSWERS : judge(w, &err);
    if (w->result.login != DETECT_REFUSED && w->result.login != DETECT_SILENT)
        w->result.spoke_ms = clock_mono_ms();
    w->result.still_ms = ok && w->moved_ms ? clock_mono_ms() - w->moved_ms : 0;
    w->result.stuck_ms = ok && w->stuck_ms ? clock_mono_ms() - w->stuck_ms : 0;
}

static void forget_server(PrimaryWatch *w)
{
    if (w->db)
        db_close(STEAL(w->db));
    db_target_done(&w->target);
    str_set(&w->position, NULL);
    w->moved_ms = w->result.spoke_ms = 0;
    w->hanging = 0;
    w->stuck_ms = 0;
}

static void looked(void *arg)
{
    PrimaryWatch *w = arg;
    Coord *c = w->c;
    w->busy = false;
    w->next_ms = clock_mono_ms() + LOOK_EVERY_MS;
    bool same = str_eq(w->target.host, c->journal.address) && w->target.port == c->journal.port;
    c->failover->watched = same ? w->result : (WatchResult){0};
    coord_step_soon(c);
}

PrimaryWatch *primary_watch_new(Coord *c)
{
    PrimaryWatch *w = NEW(PrimaryWatch);
    w->c = c;
    w->pool = work_new(c->base, "watch", 1, 1);
    return w;
}

void primary_watch_free(PrimaryWatch *w)
{
    work_free(w->pool);
    forget_server(w);
    free(w);
}

void primary_watch_step(PrimaryWatch *w)
{
    Err ignored;
    Coord *c = w->c;
    if (w->busy || !c->journal.address)
        return;
    if (clock_mono_ms() < w->next_ms) {
        coord_wake_at(c, w->next_ms);
        return;
    }
    DbTarget target;
    store_target(c, &target);
    if (!str_eq(target.host, w->target.host) || target.port != w->target.port) {
        forget_server(w);
        w->target = target;
    } else {
        db_target_done(&target);
    }
    w->writes = c->conf.failover.automatic && c->loaded && !c->fenced && !failover_is_under_way(c);
    w->busy = work_submit(w->pool, (WorkJob){look, looked, w}, &ignored);
}
