/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/db/flavor.h"
#include "common/db/session.h"
#include "replica-agent/host/rescue_programs.h"

extern char **environ;

/* A client that dies takes its lock with it; one that finds the lock taken does nothing. */
#define LOCK_FIRST                                                                                           \
    "--init-command=BEGIN NOT ATOMIC IF COALESCE(GET_LOCK('siding_rescue', 20), 0) <> 1 THEN SIGNAL"         \
    " SQLSTATE '45000' SET MESSAGE_TEXT = 'another rescue is under way'; END IF; SET SESSION "               \
    "sql_log_bin=%d; %s; END"

struct RescuePipe {
    const StrList *files;
    pid_t decoder, client;
    int decoder_status, client_status; /* -1: it runs */
    int to;                            /* the decoder's standard input */
    int fd;                            /* of the file read last */
    size_t fd_file;
    BinlogPart format; /* the description sent last */
    bool begun;
};

static bool spawn(const char *name, char *const *argv, int in, int out, pid_t *ret, Err *err)
{
    AUTOFREE char *path = rescue_program(name);
    if (!path)
        return err_set(err, ERR_REFUSED, 0, "%s is not installed (Debian package mariadb-client)", name);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &pipe);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(ret, path, &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc == 0 ? true : err_errno(err, rc, "start %s", path);
}

/* The other server's own applier does it. */
static DbFlavor replayed_flavor(void)
{
    int f = 0;
    while (f + 1 < FLAVORS && !flavor_of((DbFlavor)f)->purges_on_start)
        f++;
    return (DbFlavor)f;
}

static bool spawn_client(const AgentConfig *c, int in, bool logged, pid_t *ret, Err *err)
{
    AUTO(str_done) Str session = STR_INIT;
    session_sql(replayed_flavor(), &session);
    AUTOFREE char *first = xasprintf(LOCK_FIRST, logged, str_z(&session));
    AUTOFREE char *defaults = xasprintf("--defaults-file=%s", c->server.rescue_defaults_file);
    AUTOFREE char *where = c->server.socket ? xasprintf("--socket=%s", c->server.socket)
                                            : xasprintf("--host=%s", c->server.address);
    /* A port given beside a socket would make the client use TCP. */
    AUTOFREE char *how =
        c->server.socket ? xstrdup("--protocol=socket") : xasprintf("--port=%lld", (long long)c->server.port);
    char *argv[] = {(char *)"mariadb",
                    defaults,
                    where,
                    how,
                    (char *)"--batch",
                    (char *)"--binary-mode",
                    (char *)"--skip-reconnect",
                    (char *)"--max-allowed-packet=1G",
                    first,
                    NULL};
    return spawn("mariadb", argv, in, 2, ret, err);
}

static bool spawn_decoder(int in, int out, pid_t *ret, Err *err)
{
    char *argv[] = {(char *)"mariadb-binlog", (char *)"--no-defaults", (char *)"-", NULL};
    return spawn("mariadb-binlog", argv, in, out, ret, err);
}

bool rescue_pipe_open(const AgentConfig *conf, const StrList *files, bool logged, RescuePipe **ret, Err *err)
{
    int feed[2], sql[2];
    if (pipe2(feed, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    if (pipe2(sql, O_CLOEXEC) < 0) {
        close(feed[0]);
        close(feed[1]);
        return err_errno(err, errno, "make a pipe");
    }
    RescuePipe *p = NEW(RescuePipe);
    *p = (RescuePipe){.files = files, .to = feed[1], .fd = -1, .decoder_status = -1, .client_status = -1};
    signal(SIGPIPE, SIG_IGN);
    bool ok = spawn_client(conf, sql[0], logged, &p->client, err) &&
              spawn_decoder(feed[0], sql[1], &p->decoder, err);
    close(feed[0]);
    close(sql[0]);
    close(sql[1]);
    if (ok) {
        *ret = p;
        return true;
    }
    Err ignored;
    (void)!rescue_pipe_close(p, &ignored);
    return false;
}

static bool write_all(int fd, const char *bytes, size_t n, Err *err)
{
    while (n) {
        ssize_t w = write(fd, bytes, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_set(err, ERR_LOST, errno, "the client has ended");
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

static bool open_file(RescuePipe *p, size_t file, Err *err)
{
    if (p->fd >= 0 && p->fd_file == file)
        return true;
    if (p->fd >= 0)
        close(p->fd);
    p->fd_file = file;
    p->fd = open(p->files->v[file], O_RDONLY | O_CLOEXEC);
    return p->fd >= 0 ? true : err_errno(err, errno, "read %s", p->files->v[file]);
}

static bool send_part(RescuePipe *p, const BinlogPart *part, Err *err)
{
    char block[65536];
    if (!open_file(p, part->file, err))
        return false;
    for (int64_t at = part->from; at < part->to;) {
        size_t want = part->to - at < (int64_t)sizeof block ? (size_t)(part->to - at) : sizeof block;
        ssize_t n = pread(p->fd, block, want, at);
        if (n <= 0)
            return err_errno(err, n < 0 ? errno : EIO, "read %s", p->files->v[part->file]);
        if (!write_all(p->to, block, (size_t)n, err))
            return false;
        at += n;
    }
    return true;
}

static bool same_part(const BinlogPart *a, const BinlogPart *b)
{
    return a->file == b->file && a->from == b->from;
}

static bool send_replaced(RescuePipe *p, const BinlogPart *part, const BinlogQuery *q, const char *sql,
                          Err *err)
{
    size_t n;
    AUTOFREE char *event = binlog_query_replaced(q, sql, &n);
    BinlogPart before = {part->file, part->from, q->from}, behind = {part->file, q->to, part->to};
    return send_part(p, &before, err) && write_all(p->to, event, n, err) && send_part(p, &behind, err);
}

static bool send_format(RescuePipe *p, const BinlogGroup *g, Err *err)
{
    if (!p->begun && !write_all(p->to, "\xfe\x62\x69\x6e", 4, err))
        return false;
    if ((!p->begun || !same_part(&p->format, &g->format)) && !send_part(p, &g->format, err))
        return false;
    p->begun = true;
    p->format = g->format;
    return true;
}

bool rescue_pipe_feed_statement(RescuePipe *p, const BinlogGroup *g, const BinlogQuery *q, const char *sql,
                                Err *err)
{
    size_t n;
    AUTOFREE char *event = binlog_query_replaced(q, sql, &n);
    BinlogPart gtid = {g->parts[0].file, g->parts[0].from, g->gtid_to};
    return send_format(p, g, err) && send_part(p, &gtid, err) && write_all(p->to, event, n, err);
}

bool rescue_pipe_feed(RescuePipe *p, const BinlogGroup *g, const BinlogQuery *q, const char *sql, Err *err)
{
    if (!send_format(p, g, err))
        return false;
    for (size_t i = 0; i < g->n_parts; i++) {
        const BinlogPart *part = &g->parts[i];
        bool here = q && q->file == part->file && q->from >= part->from && q->from < part->to;
        if (!(here ? send_replaced(p, part, q, sql, err) : send_part(p, part, err)))
            return false;
    }
    return true;
}

void rescue_pipe_end(RescuePipe *p)
{
    if (p->to >= 0)
        close(p->to);
    if (p->fd >= 0)
        close(p->fd);
    p->to = p->fd = -1;
}

static bool has_ended(pid_t pid, int *status, int flags)
{
    int word;
    if (pid <= 0 || *status >= 0)
        return true;
    pid_t got = waitpid(pid, &word, flags);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    *status = got < 0 ? 255 : WIFEXITED(word) ? WEXITSTATUS(word) : 128 + WTERMSIG(word);
    return true;
}

bool rescue_pipe_is_done(RescuePipe *p)
{
    bool decoder = has_ended(p->decoder, &p->decoder_status, WNOHANG);
    return has_ended(p->client, &p->client_status, WNOHANG) && decoder;
}

bool rescue_pipe_close(RescuePipe *p, Err *err)
{
    rescue_pipe_end(p);
    while (!has_ended(p->client, &p->client_status, 0))
        ;
    while (!has_ended(p->decoder, &p->decoder_status, 0))
        ;
    bool ok = p->client_status == 0 && p->decoder_status == 0;
    if (p->client_status > 0)
        err_set(err, ERR_DB, 0, "mariadb ended with status %d", p->client_status);
    else if (!ok)
        err_set(err, ERR_CORRUPT, 0, "mariadb-binlog ended with status %d", p->decoder_status);
    free(p);
    return ok;
}
