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

static bool is_policy(const char *word)
{
    return str_eq(word, "stop") || str_eq(word, "kill") || str_eq(word, "let-finish");
}

static bool check(const PauseLimits *l, Err *err)
{
    if (l->relay_bytes < 0 || l->catchup_ms < 0 || l->free_bytes < 0)
        return err_set(err, ERR_USAGE, 0,
                       "limits: relay_bytes, catchup_ms and free_bytes must not be negative");
    if (l->at_limit && !is_policy(l->at_limit))
        return err_set(err, ERR_USAGE, 0, "limits: at_limit \"%s\" is not one of stop, kill, let-finish",
                       l->at_limit);
    return true;
}

bool limits_read(const json_t *options, PauseLimits *ret, Err *err)
{
    static const char *const known[] = {"relay_bytes", "catchup_ms", "free_bytes", "at_limit", NULL};
    const json_t *o = json_object_get(options, "limits");
    PauseLimits l = {0};
    if (!o || json_is_null(o))
        return true;
    if (!json_is_object(o))
        return err_set(err, ERR_USAGE, 0, "option \"limits\" must be an object");
    if (!json_only_keys(o, known, err))
        return err_prefix(err, "limits");
    if (!wire_read(pause_limits_fields, o, &l, err)) {
        err->kind = ERR_USAGE;
        return err_prefix(err, "limits");
    }
    if (!check(&l, err)) {
        wire_free(pause_limits_fields, &l);
        return false;
    }
    *ret = l;
    return true;
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

bool limits_check(const json_t *options, Err *err)
{
    PauseLimits l = {0};
    bool ignored;
    bool ok = limits_read(options, &l, err) && limits_read_allow(options, &ignored, &ignored, err);
    wire_free(pause_limits_fields, &l);
    return ok;
}
