/* SPDX-License-Identifier: Apache-2.0 */
#include "buffer.h"

/* The entry of a domain in a MariaDB position. */
static bool of_domain(const char *position, uint32_t domain, GtidEntry *ret)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, position ? position : "", ',');
    for (size_t i = 0; i < parts.n; i++)
        if (gtid_entry_parse(parts.v[i], ret) && ret->domain == domain)
            return true;
    return false;
}

char *buffer_errant(const BufferInput *in)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, in->binlog ? in->binlog : "", ',');
    for (size_t i = 0; i < parts.n; i++) {
        GtidEntry own, other;
        if (!gtid_entry_parse(parts.v[i], &own) || own.server_id != (uint32_t)in->server_id)
            continue;
        bool replicated = of_domain(in->applied, own.domain, &other);
        if (replicated ? own.seq > other.seq : of_domain(in->held, own.domain, &other))
            return xstrdup(parts.v[i]);
    }
    return NULL;
}

bool buffer_position_lags(const BufferInput *in)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, in->binlog ? in->binlog : "", ',');
    for (size_t i = 0; i < parts.n; i++) {
        GtidEntry logged, applied;
        if (gtid_entry_parse(parts.v[i], &logged) && logged.server_id != (uint32_t)in->server_id &&
            of_domain(in->applied, logged.domain, &applied) && logged.seq > applied.seq)
            return true;
    }
    return false;
}

char *buffer_position(DbFlavor flavor, const char *applied, const char *binlog)
{
    return gtid_max_text(flavor, applied ? applied : "", binlog ? binlog : "");
}

bool buffer_reaches(DbFlavor flavor, const char *position, const char *held)
{
    Err ignored;
    Gtid *a = NULL, *b = NULL;
    bool ok = gtid_parse(flavor, position ? position : "", &a, &ignored) &&
              gtid_parse(flavor, held ? held : "", &b, &ignored) && gtid_contains(a, b);
    gtid_free(a);
    gtid_free(b);
    return ok;
}

BufferState buffer_judge(const BufferInput *in, char **ret_errant)
{
    if (ret_errant)
        *ret_errant = NULL;
    if (in->crashed)
        return BUFFER_CRASHED;
    if (!in->held)
        return BUFFER_UNKNOWN;
    AUTOFREE char *position = buffer_position(in->flavor, in->applied, in->binlog);
    if (!position)
        return BUFFER_UNKNOWN;
    if (!buffer_position_lags(in) && buffer_reaches(in->flavor, in->applied, in->held))
        return BUFFER_APPLIED;
    AUTOFREE char *errant = buffer_errant(in);
    if (!errant)
        return BUFFER_BEYOND;
    if (ret_errant)
        *ret_errant = STEAL(errant);
    return BUFFER_ERRANT;
}
