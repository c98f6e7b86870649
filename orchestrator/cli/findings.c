/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include "common/wire/finding.h"
#include "out.h"

const Opt check_options[] = {
    {"all", 'a', OPT_FLAG, offsetof(CheckOptions, all), .doc = "Also what is well."},
    CLI_COMMON_OPTIONS,
};

void findings_done(Findings *f)
{
    finding_free(&f->list);
}

void findings_add(Findings *f, const char *node, const char *name, const char *level, const char *text,
                  const char *mend)
{
    Finding *x = wire_list_add(&f->list, sizeof *x);
    *x = (Finding){xstrdup(node), xstrdup(name), xstrdup(level), xstrdup(text), xstrdup(mend)};
}

/* Agents say "ok": false, the coordinator a level. */
static const char *level_of(const json_t *o)
{
    if (*json_str(o, "level"))
        return json_str(o, "level");
    return json_bool(o, "ok") ? "ok" : "error";
}

bool findings_add_json(Findings *f, const json_t *a, const char *node, const char *only, Err *err)
{
    if (json_is_object(a))
        a = json_object_get(a, "findings");
    if (!json_is_array(a))
        return err_set(err, ERR_PROTOCOL, 0, "the check answered with something other than a list");
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *o = json_array_get(a, i);
        const char *of = *json_str(o, "node") ? json_str(o, "node") : node;
        if (!only || str_eq(of, only))
            findings_add(f, of, json_str(o, "name"), level_of(o), json_str(o, "text"), json_str(o, "mend"));
    }
    return true;
}

bool findings_print(const Findings *f, bool all, bool as_json, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    json_t *list = json_array();
    for (size_t i = 0; i < f->list.n; i++)
        json_array_append_new(list, wire_write(finding_fields, (const Finding *)f->list.v + i));
    finding_write(&f->list, all, &text);
    if (as_json)
        out_json(list);
    else
        out_text(str_z(&text));
    json_decref(list);
    return finding_count(&f->list, "error") ? err_set(err, ERR_REFUSED, 0, "%s", "") : true;
}
