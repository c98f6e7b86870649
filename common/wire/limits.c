/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"

#define FIELD(f, type)                                                                                       \
    {                                                                                                        \
#f, type, offsetof(PauseLimits, f), NULL, 0                                                          \
    }

/* clang-format off */
const WireField pause_limits_fields[] = {
    FIELD(relay_bytes, WIRE_INT), FIELD(catchup_ms, WIRE_INT), FIELD(free_bytes, WIRE_INT), FIELD(at_limit, WIRE_STR),
    {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

bool limits_read(const json_t *options, PauseLimits *ret, Err *err)
{
    const json_t *o = json_object_get(options, "limits");
    if (!o || json_is_null(o) || wire_read(pause_limits_fields, o, ret, err))
        return true;
    err->kind = ERR_USAGE;
    return err_prefix(err, "limits");
}

bool limits_read_allow(const json_t *options, bool *ret_downstream, bool *ret_delayed, Err *err)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!options)
        return true;
    if (!json_opt_strs(options, "allow", &words, err))
        return false;
    for (size_t i = 0; i < words.n; i++) {
        if (str_eq(words.v[i], "downstream"))
            *ret_downstream = true;
        else if (str_eq(words.v[i], "delayed"))
            *ret_delayed = true;
        else
            return err_set(err, ERR_USAGE, 0, "allow: \"%s\" is neither downstream nor delayed", words.v[i]);
    }
    return true;
}
