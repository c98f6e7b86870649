/* SPDX-License-Identifier: Apache-2.0 */
#include "align.h"

#include "common/db/gtid.h"

static bool is_ahead_of_all(DbFlavor flavor, const AlignPart *parts, size_t n, size_t i, size_t *ret_other)
{
    for (size_t j = 0; j < n; j++) {
        GtidOrder o = gtid_compare_text(flavor, parts[i].gtid, parts[j].gtid);
        if (o != GTID_EQUAL && o != GTID_AFTER) {
            *ret_other = j;
            return false;
        }
    }
    return true;
}

bool align_target(DbFlavor flavor, const AlignPart *parts, size_t n, RunAlign *ret, Err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!parts[i].gtid || !*parts[i].gtid)
            return err_set(err, ERR_CONFLICT, 0, "%s has applied nothing by GTID yet", parts[i].node);
    size_t other = 0;
    for (size_t i = 0; i < n; i++)
        if (is_ahead_of_all(flavor, parts, n, i, &other)) {
            *ret = (RunAlign){xstrdup(parts[i].gtid), xstrdup(parts[i].source_file), parts[i].source_pos};
            return true;
        }
    return err_set(
        err, ERR_CONFLICT, 0,
        "%s (at %s) and %s (at %s) have diverged: neither holds all that the other has applied, so that "
        "no common GTID can be reached",
        parts[n - 1].node, parts[n - 1].gtid, parts[other].node, parts[other].gtid);
}

bool align_is_equal(DbFlavor flavor, const AlignPart *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!parts[i].gtid || gtid_compare_text(flavor, parts[0].gtid, parts[i].gtid) != GTID_EQUAL)
            return false;
    return true;
}
