/* SPDX-License-Identifier: Apache-2.0 */
#include "own_gtids.h"

#include "common/base/str.h"
#include "common/db/gtid.h"

/* The greatest number that a domain has from others. */
static uint64_t replicated(const StrList *state, const StrList *applied, uint32_t domain, int64_t server_id)
{
    uint64_t seq = 0;
    GtidEntry p;
    for (size_t i = 0; i < state->n; i++)
        if (gtid_entry_parse(state->v[i], &p) && p.domain == domain && p.server_id != (uint32_t)server_id &&
            p.seq > seq)
            seq = p.seq;
    for (size_t i = 0; i < applied->n; i++)
        if (gtid_entry_parse(applied->v[i], &p) && p.domain == domain && p.seq > seq)
            seq = p.seq;
    return seq;
}

static void add(Str *out, const char *gtid)
{
    str_addf(out, "%s%s", out->len ? "," : "", gtid);
}

char *gtids_without_own(const char *state, const char *applied, int64_t server_id)
{
    Str out = STR_INIT;
    AUTO(strlist_done) StrList all = STRLIST_INIT, done = STRLIST_INIT;
    strlist_split(&all, state ? state : "", ',');
    strlist_split(&done, applied ? applied : "", ',');
    for (size_t i = 0; i < all.n; i++) {
        GtidEntry p;
        bool own = gtid_entry_parse(all.v[i], &p) && p.server_id == (uint32_t)server_id &&
                   p.seq > replicated(&all, &done, p.domain, server_id);
        if (!own)
            add(&out, all.v[i]);
    }
    return str_take(&out);
}

char *gtids_with(const char *state, const char *gtid)
{
    Str out = STR_INIT;
    GtidEntry p, new;
    AUTO(strlist_done) StrList all = STRLIST_INIT;
    strlist_split(&all, state ? state : "", ',');
    bool known = gtid_entry_parse(gtid, &new);
    for (size_t i = 0; i < all.n; i++)
        if (!known || !gtid_entry_parse(all.v[i], &p) || p.domain != new.domain ||
            p.server_id != new.server_id)
            add(&out, all.v[i]);
    add(&out, gtid);
    return str_take(&out);
}

char *gtids_position(DbFlavor flavor, const char *state, const char *applied)
{
    char *position = xstrdup(applied ? applied : "");
    AUTO(strlist_done) StrList all = STRLIST_INIT;
    strlist_split(&all, state ? state : "", ',');
    for (size_t i = 0; position && i < all.n; i++) {
        char *next = gtid_max_text(flavor, position, all.v[i]);
        free(position);
        position = next;
    }
    return position;
}
