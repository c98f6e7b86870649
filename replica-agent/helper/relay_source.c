/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_source.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/password.h"
#include "relay_stream.h"

enum {
    PASSWORD_BYTES = 32,
    ACCEPT_MS = 100,
    IDLE_MS = 10000,
    SERVER_ID = 4294967,
    ER_MASTER_FATAL_ERROR_READING_BINLOG = 1236,
    ER_UNKNOWN_COM_ERROR = 1047,
};

struct RelaySource {
    StrList files;
    GtidList from;
    char *version;
    char password[PASSWORD_BYTES + 1];
    uint32_t server_id;
    bool checksums;
    int64_t window_bytes;
    int listener, port;
    pthread_t thread;
    atomic_bool stop, sent;
    pthread_mutex_t lock; /* guards what follows */
    GtidList applied;
    bool failed;
    Err failure;
};

const char *relay_source_user(void)
{
    return "siding_rescue";
}

int relay_source_port(const RelaySource *s)
{
    return s->port;
}

const char *relay_source_password(const RelaySource *s)
{
    return s->password;
}

void relay_source_begin(RelaySource *s)
{
    atomic_store(&s->sent, false);
}

bool relay_source_is_sent(RelaySource *s)
{
    return atomic_load(&s->sent);
}

void relay_source_applied(RelaySource *s, const char *position)
{
    GtidList l = {0};
    if (!gtid_list_read(&l, position))
        return;
    pthread_mutex_lock(&s->lock);
    gtid_list_done(&s->applied);
    s->applied = l;
    pthread_mutex_unlock(&s->lock);
}

static void copy_applied(void *arg, GtidList *ret)
{
    RelaySource *s = arg;
    pthread_mutex_lock(&s->lock);
    gtid_list_copy(ret, &s->applied);
    pthread_mutex_unlock(&s->lock);
}

bool relay_source_failed(RelaySource *s, Err *ret)
{
    pthread_mutex_lock(&s->lock);
    bool failed = s->failed;
    if (failed)
        *ret = s->failure;
    pthread_mutex_unlock(&s->lock);
    return failed;
}

static void fail(RelaySource *s, const Err *why)
{
    pthread_mutex_lock(&s->lock);
    s->failed = true;
    s->failure = *why;
    pthread_mutex_unlock(&s->lock);
}

/* ---- one receiver ---------------------------------------------------------------------------------- */

static bool dump(RelaySource *s, RelayLink *l, const SourceSession *session, Err *err)
{
    Err ignored;
    RelayStream r = {.files = &s->files,
                     .from = &s->from,
                     .server_id = s->server_id,
                     .checksums = s->checksums,
                     .window_bytes = s->window_bytes,
                     .link = l,
                     .session = session,
                     .applied = copy_applied,
                     .arg = s};
    if (relay_stream(&r, err)) {
        atomic_store(&s->sent, true);
        return true;
    }
    if (err->kind == ERR_LOST || err->kind == ERR_CANCELLED)
        return false;
    fail(s, err);
    source_error(&l->out, ER_MASTER_FATAL_ERROR_READING_BINLOG, "HY000", err->text);
    (void)!relay_link_flush(l, &ignored);
    return false;
}

static bool obey(RelaySource *s, RelayLink *l, SourceSession *session, const Str *request, Err *err)
{
    SourceCommand c;
    SourceFacts facts = {s->server_id, s->checksums, clock_wall_ms() / 1000};
    source_command_read(request, &c);
    switch (c.kind) {
    case SOURCE_QUIT:
        return err_set(err, ERR_LOST, 0, "the receiver has left");
    case SOURCE_QUERY:
        source_answer(&facts, session, c.text, c.text_n, &l->out);
        break;
    case SOURCE_PING:
    case SOURCE_REGISTER:
        source_ok(&l->out);
        break;
    case SOURCE_DUMP:
        return dump(s, l, session, err);
    case SOURCE_OTHER:
        source_error(&l->out, ER_UNKNOWN_COM_ERROR, "08S01", "unknown command");
        break;
    }
    return relay_link_flush(l, err);
}

static void serve(RelaySource *s, int fd)
{
    Err err;
    AUTO(relay_link_done) RelayLink l;
    AUTO(source_session_done) SourceSession session = {0};
    AUTO(str_done) Str request = STR_INIT;
    relay_link_init(&l, fd, &s->stop);
    bool ok = relay_link_login(&l, s->version, relay_source_user(), s->password, &err);
    while (ok)
        ok = relay_link_request(&l, IDLE_MS, &request, &err) && obey(s, &l, &session, &request, &err);
    if (err.kind == ERR_AUTH)
        log_warn("%s", err.text);
    else
        log_debug("%s", err.text);
}

static void *run(void *arg)
{
    RelaySource *s = arg;
    Err err;
    while (!atomic_load(&s->stop)) {
        int fd;
        if (!relay_accept(s->listener, ACCEPT_MS, &fd, &err)) {
            fail(s, &err);
            break;
        }
        if (fd >= 0)
            serve(s, fd);
    }
    return NULL;
}

/* ---- begin and end --------------------------------------------------------------------------------- */

static void source_free(RelaySource *s)
{
    if (s->listener >= 0)
        close(s->listener);
    strlist_done(&s->files);
    gtid_list_done(&s->from);
    gtid_list_done(&s->applied);
    pthread_mutex_destroy(&s->lock);
    free(s->version);
    free(s);
}

static bool prepare(RelaySource *s, const RelaySourceSpec *spec, Err *err)
{
    random_password(s->password, PASSWORD_BYTES);
    strlist_add_all(&s->files, spec->files);
    s->version = xstrdup(spec->version);
    s->window_bytes = spec->window_bytes;
    s->server_id = spec->replica_id == SERVER_ID ? SERVER_ID + 1 : SERVER_ID;
    if (!gtid_list_read(&s->from, spec->from))
        return err_set(err, ERR_CORRUPT, 0, "the position \"%.200s\" cannot be understood", spec->from);
    gtid_list_copy(&s->applied, &s->from);
    return relay_stream_checksums(&s->files, &s->from, &s->checksums, err) &&
           relay_listen(&s->listener, &s->port, err);
}

bool relay_source_open(const RelaySourceSpec *spec, RelaySource **ret, Err *err)
{
    RelaySource *s = NEW(RelaySource);
    s->listener = -1;
    pthread_mutex_init(&s->lock, NULL);
    bool ok = prepare(s, spec, err);
    if (ok && pthread_create(&s->thread, NULL, run, s) != 0)
        ok = err_set(err, ERR_IO, 0, "cannot start a thread");
    if (!ok) {
        source_free(s);
        return false;
    }
    *ret = s;
    return true;
}

void relay_source_close(RelaySource *s)
{
    if (!s)
        return;
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    source_free(s);
}
