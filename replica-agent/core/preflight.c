/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/servercheck.h"

void preflight_add(WireList *findings, const char *name, const char *level, const char *mend, const char *fmt,
                   ...)
{
    Finding *f = wire_list_add(findings, sizeof *f);
    f->name = xstrdup(name);
    f->level = xstrdup(level);
    f->mend = xstrdup(mend);
    va_list ap;
    va_start(ap, fmt);
    f->text = xvasprintf(fmt, ap);
    va_end(ap);
}

void preflight_threads(const Flavor *f, const ReplStatus *s, WireList *ret)
{
    if (!s->is_replica)
        return;
    if (!s->sql_running)
        preflight_add(ret, "applier_stopped", "error", f->start_sql,
                      "the applier is stopped and Siding did not stop it%s%s",
                      s->sql_error && *s->sql_error ? ": " : "", s->sql_error ? s->sql_error : "");
    if (s->io == REPL_IO_NO)
        preflight_add(ret, "receiver_stopped", "error", f->start_both,
                      "the receiver is stopped%s%s: nothing would be buffered",
                      s->io_error && *s->io_error ? ": " : "", s->io_error ? s->io_error : "");
    else if (s->io == REPL_IO_CONNECTING)
        preflight_add(ret, "receiver_connecting", "warning", "look at the source and the network",
                      "the receiver is not connected to %s:%lld%s%s", s->source_host,
                      (long long)s->source_port, s->io_error && *s->io_error ? ": " : "",
                      s->io_error ? s->io_error : "");
}

bool preflight_allows(const WireList *findings, Err *err)
{
    const Finding *f = servercheck_first_error(findings);
    if (!f)
        return true;
    return err_set(err, ERR_REFUSED, 0, "%s; to mend it: %s", f->text,
                   f->mend ? f->mend : "see siding check");
}

/* ---- boost ---------------------------------------------------------------------------------------- */

static long long number(const char *text)
{
    return text ? strtoll(text, NULL, 10) : 0;
}

void boost_settings(const Flavor *f, const LeaseSettings *own, int64_t workers, LeaseSettings *ret)
{
    wire_free(lease_settings_fields, ret);
    bool relaxed = number(own->flush_log) == 2 || number(own->flush_log) == 0;
    ret->sync_binlog = xstrdup("0");
    ret->flush_log = xstrdup(relaxed ? own->flush_log : "2");
    bool more = number(own->workers) < workers;
    ret->workers = more ? xasprintf("%lld", (long long)workers) : xstrdup(own->workers);
    bool has_mode = f->parallel_mode_var && own->parallel_mode && *own->parallel_mode;
    bool better =
        has_mode && (str_eq(own->parallel_mode, "aggressive") || str_eq(own->parallel_mode, "optimistic"));
    ret->parallel_mode = xstrdup(!has_mode || better ? own->parallel_mode : "optimistic");
}
