/* SPDX-License-Identifier: Apache-2.0
 * What the agents will change on the primary and nobody else writes down: whether it waits for
 * acknowledgements. The value that the first bootstrap finds is kept in the schema and put back when all is
 * taken away.
 */
#include <string.h>

#include "bootstrap_impl.h"
#include "common/base/password.h"
#include "common/db/repl.h"

#define KEPT_AS "semi_sync_before"

static bool waits_now(Bootstrap *b, bool *ret, Err *err)
{
    ReplSemiSync s;
    if (!repl_semi_sync_read(b->db, &s, err))
        return false;
    *ret = s.source_on;
    return true;
}

bool bootstrap_keep_settings(Bootstrap *b, Err *err)
{
    AUTOFREE char *kept = NULL;
    bool waits;
    if (!bootstrap_read_kept(b, &kept, err))
        return false;
    return kept || (waits_now(b, &waits, err) && bootstrap_write_meta(b, KEPT_AS, waits ? "on" : "off", err));
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

bool bootstrap_read_kept(Bootstrap *b, char **ret, Err *err)
{
    return bootstrap_read_meta(b, KEPT_AS, ret, err);
}

bool bootstrap_put_back(Bootstrap *b, const char *kept, Err *err)
{
    bool waits, wanted = str_eq(kept, "on");
    if (!kept)
        return true;
    if (!waits_now(b, &waits, err))
        return false;
    if (waits == wanted || b->plan.dry_run)
        return true;
    if (!repl_set_semi_sync_source(b->db, wanted, err))
        return false;
    str_addf(b->out, "semi-sync as a source is %s again, as before bootstrap\n", kept);
    return true;
}
