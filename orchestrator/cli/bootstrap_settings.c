/* SPDX-License-Identifier: Apache-2.0
 * What the agents will change on the primary and nobody else writes down: whether it waits for
 * acknowledgements, and whether it is read-only. The values that the first bootstrap finds are kept in the
 * schema and put back when all is taken away.
 */
#include <string.h>

#include "bootstrap_impl.h"
#include "common/base/password.h"
#include "common/db/repl.h"
#include "common/file/fs.h"

#define SEMI_SYNC_AS "semi_sync_before"
#define CLOSED_AS "read_only_before"

static const char *word(bool on)
{
    return on ? "on" : "off";
}

void bootstrap_kept_done(BootstrapKept *k)
{
    free(STEAL(k->semi_sync));
    free(STEAL(k->closed));
}

static bool waits_now(Bootstrap *b, bool *ret, Err *err)
{
    ReplSemiSync s;
    if (!repl_semi_sync_read(b->db, &s, err))
        return false;
    *ret = s.source_on;
    return true;
}

/* Both at once: what is found later may be of an agent's making. */
bool bootstrap_keep_settings(Bootstrap *b, Err *err)
{
    AUTO(bootstrap_kept_done) BootstrapKept kept = {0};
    bool waits;
    if (!bootstrap_read_kept(b, &kept, err))
        return false;
    return kept.semi_sync ||
           (waits_now(b, &waits, err) && bootstrap_write_meta(b, CLOSED_AS, word(b->closed), err) &&
            bootstrap_write_meta(b, SEMI_SYNC_AS, word(waits), err));
}

bool bootstrap_make_lock_name(Bootstrap *b, Err *err)
{
    enum { SECRET_CHARS = 32 };
    AUTOFREE char *have = NULL;
    char secret[SECRET_CHARS + 1];
    if (!bootstrap_read_meta(b, "load_lock", &have, err))
        return false;
    random_password(secret, SECRET_CHARS);
    return have || bootstrap_write_meta(b, "load_lock", secret, err);
}

bool bootstrap_read_kept(Bootstrap *b, BootstrapKept *ret, Err *err)
{
    return bootstrap_read_meta(b, SEMI_SYNC_AS, &ret->semi_sync, err) &&
           bootstrap_read_meta(b, CLOSED_AS, &ret->closed, err);
}

bool bootstrap_put_back_semi_sync(Bootstrap *b, const BootstrapKept *kept, Err *err)
{
    bool waits, wanted = str_eq(kept->semi_sync, "on");
    if (!kept->semi_sync)
        return true;
    if (!waits_now(b, &waits, err))
        return false;
    if (waits == wanted)
        return true;
    if (b->plan.dry_run) {
        str_addf(b->out, "%s;\n", wanted ? b->flavor->semi_sync_source_on : b->flavor->semi_sync_source_off);
        return true;
    }
    if (!repl_set_semi_sync_source(b->db, wanted, err))
        return false;
    str_addf(b->out, "semi-sync as a source is %s again, as before bootstrap\n", kept->semi_sync);
    return true;
}

/* Connections of programs: not ours, not the server's own, not those of replicas. */
static bool count_others(Bootstrap *b, int64_t *ret, Err *err)
{
    return db_value_int(b->db, ret, err,
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
                        "user NOT IN ('system user', 'event_scheduler') AND user NOT LIKE 'siding%' AND "
                        "command <> 'Daemon' AND command NOT LIKE 'Binlog Dump%'",
                        "");
}

/* A primary that programs are connected to is not closed below them, whatever it was at the beginning. */
bool bootstrap_put_back_closed(Bootstrap *b, const BootstrapKept *kept, Err *err)
{
    int64_t others = 0;
    bool was_closed = str_eq(kept->closed, "on");
    const char *sql = was_closed ? b->flavor->read_only_on : b->flavor->read_only_off;
    if (!kept->closed || was_closed == b->closed)
        return true;
    if (was_closed && !count_others(b, &others, err))
        return false;
    if (others) {
        str_addf(b->out,
                 "left open: the first bootstrap found this server read-only, but %lld connections of "
                 "programs are on it; %s closes it\n",
                 (long long)others, sql);
        return true;
    }
    if (b->plan.dry_run) {
        str_addf(b->out, "%s;\n", sql);
        return true;
    }
    b->closed = was_closed;
    str_addf(b->out, "read_only is %s again, as before bootstrap\n", kept->closed);
    return true;
}

void bootstrap_remove_ballast(Bootstrap *b)
{
    Err err;
    AUTOFREE char *base = NULL;
    if (!db_value(b->db, &base, &err,
                  "SELECT COALESCE(NULLIF(@@GLOBAL.relay_log_basename, ''), CONCAT(@@GLOBAL.datadir, 'x'))",
                  "") ||
        !base)
        return;
    AUTOFREE char *dir = fs_dirname(base), *path = xasprintf("%s/siding.ballast", dir);
    if (fs_size(path) < 0)
        return;
    if (b->plan.dry_run)
        str_addf(b->out, "rm %s\n", path);
    else if (fs_remove(path, &err))
        str_addf(b->out, "removed %s\n", path);
    else
        str_addf(b->out, "left: %s\n", err.text);
}
