/* SPDX-License-Identifier: Apache-2.0 */
#include "op_sample.h"

#include <string.h>

#include "op_impl.h"

void sample_in_done(SampleIn *in)
{
    op_server_done(&in->at);
    *in = (SampleIn){0};
}

void sample_out_done(SampleOut *out)
{
    keyless_done(&out->tables);
    *out = (SampleOut){0};
}

bool keyless_read(Db *db, Keyless *k, int64_t wall_ms, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, op_flavor(db)->keyless_changes_sql, ""))
        return false;
    keyless_begin(k);
    while ((ok = db_next(r, &more, err)) && more) {
        AUTOFREE char *name = xstrdup(db_text(r, "name"));
        char *slash = strchr(name, '/');
        if (slash)
            *slash = '.';
        keyless_add(k, name, db_int(r, "row_count"), db_int(r, "changed"), wall_ms);
    }
    db_rows_free(r);
    if (ok)
        keyless_end(k);
    return ok;
}

bool op_sample(const SampleIn *in, const Cancel *cancel, SampleOut *out)
{
    AUTODB Db *db = NULL;
    bool ok = op_open_as(&in->at.target, in->at.statement_ms, cancel, &db, &out->err) &&
              keyless_read(db, &out->tables, in->wall_ms, &out->err);
    out->result = ok ? OP_DONE : OP_FAILED;
    return ok;
}
