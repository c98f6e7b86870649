/* SPDX-License-Identifier: Apache-2.0 */
#include "source_session.h"

#include <string.h>
#include <strings.h>

#include "common/base/str.h"

enum { NS_A_MS = 1000000, ER_NOT_SUPPORTED_YET = 1235 };

void source_session_done(SourceSession *s)
{
    free(s->state);
    free(s->until);
    *s = (SourceSession){0};
}

static bool begins(const char *s, const char *with)
{
    return strncasecmp(s, with, strlen(with)) == 0;
}

/* "'0-1-5' " → "0-1-5". Owned. */
static char *value_of(const char *p)
{
    p += strspn(p, " =");
    size_t n = strlen(p);
    while (n && (p[n - 1] == ' ' || p[n - 1] == ';'))
        n--;
    if (n >= 2 && p[0] == '\'' && p[n - 1] == '\'')
        return xstrndup(p + 1, n - 2);
    return xstrndup(p, n);
}

static int64_t number_of(const char *text, int64_t fallback)
{
    long long v;
    return str_to_i64(text, 0, INT64_MAX, &v) ? v : fallback;
}

static void take_variable(SourceSession *s, const char *assignment)
{
    size_t n = strcspn(assignment, " =");
    AUTOFREE char *name = xstrndup(assignment, n), *value = value_of(assignment + n);
    if (strcasecmp(name, "master_heartbeat_period") == 0) {
        s->heartbeat_ms = number_of(value, 0) / NS_A_MS;
    } else if (strcasecmp(name, "rpl_semi_sync_slave") == 0) {
        s->semi_sync = str_eq(value, "1");
    } else if (strcasecmp(name, "slave_connect_state") == 0) {
        free(s->state);
        s->state = STEAL(value);
    } else if (strcasecmp(name, "slave_until_gtid") == 0) {
        free(s->until);
        s->until = STEAL(value);
    }
}

static void say(PacketOut *out, const char *name, const char *value)
{
    source_row(out, (SourceColumn[]){{name, value}, {NULL, NULL}});
}

static void say_variable(PacketOut *out, const char *name, const char *value)
{
    source_row(out, (SourceColumn[]){{"Variable_name", name}, {"Value", value}, {NULL, NULL}});
}

static bool show_variable(const SourceFacts *f, const char *q, PacketOut *out)
{
    AUTOFREE char *id = xasprintf("%u", f->server_id);
    if (strcasestr(q, "server_id"))
        say_variable(out, "server_id", id);
    /* Never an empty answer or an error: the receiver would end, or ask for ever, and take the semi-sync
     * state of the server's other receiver with it. */
    else if (strcasestr(q, "rpl_semi_sync_master_enabled"))
        say_variable(out, "rpl_semi_sync_master_enabled", "OFF");
    else
        return false;
    return true;
}

static bool select_value(const SourceFacts *f, const char *q, PacketOut *out)
{
    AUTOFREE char *now = xasprintf("%lld", (long long)f->now_s), *id = xasprintf("%u", f->server_id);
    if (strcasestr(q, "unix_timestamp"))
        say(out, "t", now);
    else if (strcasestr(q, "binlog_checksum"))
        say(out, "c", f->checksums ? "CRC32" : "NONE");
    else if (strcasestr(q, "gtid_domain_id"))
        say(out, "d", "0");
    else if (strcasestr(q, "server_id"))
        say(out, "i", id);
    else
        return false;
    return true;
}

void source_answer(const SourceFacts *f, SourceSession *s, const char *sql, size_t n, PacketOut *out)
{
    AUTOFREE char *q = xstrndup(sql, n);
    if (begins(q, "SET ")) {
        const char *name = q + strlen("SET ");
        name += strspn(name, " ");
        if (*name == '@' && name[1] != '@')
            take_variable(s, name + 1);
        source_ok(out);
        return;
    }
    if ((begins(q, "SHOW ") && show_variable(f, q, out)) || (begins(q, "SELECT ") && select_value(f, q, out)))
        return;
    source_error(out, ER_NOT_SUPPORTED_YET, "42000", "this source answers what a replica asks");
}
