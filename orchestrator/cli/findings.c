/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include <string.h>

#include "out.h"

static const Finding *at(const Findings *f, size_t i)
{
    return (const Finding *)f->list.v + i;
}

void findings_done(Findings *f)
{
    for (size_t i = 0; i < f->list.n; i++)
        wire_free(finding_fields, (Finding *)f->list.v + i);
    free(f->list.v);
    f->list = (WireList){NULL, 0};
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

static size_t count(const Findings *f, const char *level)
{
    size_t n = 0;
    for (size_t i = 0; i < f->list.n; i++)
        n += str_eq(at(f, i)->level, level);
    return n;
}

static void view_level(const Findings *f, const char *level, Str *out)
{
    for (size_t i = 0; i < f->list.n; i++) {
        const Finding *x = at(f, i);
        if (!str_eq(x->level, level))
            continue;
        bool has_node = x->node && *x->node;
        str_addf(out, "%-8s %s%s%s%s%s\n", level, has_node ? x->node : "", has_node ? ": " : "",
                 x->name ? x->name : "", x->text && *x->text ? ": " : "", x->text ? x->text : "");
        if (x->mend && *x->mend && !str_eq(level, "ok"))
            str_addf(out, "         mend: %s\n", x->mend);
    }
}

void findings_view(const Findings *f, Str *out)
{
    static const char *const levels[] = {"ok", "warning", "error"};
    for (size_t i = 0; i < COUNT(levels); i++)
        view_level(f, levels[i], out);
    str_addf(out, "%zu checks: %zu ok, %zu warnings, %zu errors\n", f->list.n, count(f, "ok"),
             count(f, "warning"), count(f, "error"));
}

bool findings_print(const Findings *f, bool as_json, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    json_t *all = json_array();
    for (size_t i = 0; i < f->list.n; i++)
        json_array_append_new(all, wire_write(finding_fields, at(f, i)));
    findings_view(f, &text);
    if (as_json)
        out_json(all);
    else
        out_text(str_z(&text));
    json_decref(all);
    return count(f, "error") ? err_set(err, ERR_REFUSED, 0, "%s", "") : true;
}
