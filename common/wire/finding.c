/* SPDX-License-Identifier: Apache-2.0 */
#include "finding.h"

const WireField finding_fields[] = WIRE_FIELDS(Finding, FINDING_LIST);

void finding_add(WireList *findings, const char *name, const char *level, const char *mend, const char *fmt,
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

void finding_free(WireList *findings)
{
    for (size_t i = 0; i < findings->n; i++)
        wire_free(finding_fields, (Finding *)findings->v + i);
    free(findings->v);
    *findings = (WireList){0};
}

size_t finding_count(const WireList *findings, const char *level)
{
    const Finding *f = findings->v;
    size_t n = 0;
    for (size_t i = 0; i < findings->n; i++)
        n += str_eq(f[i].level, level);
    return n;
}

static void write_level(const WireList *findings, const char *level, Str *out)
{
    const Finding *f = findings->v;
    for (size_t i = 0; i < findings->n; i++) {
        if (!str_eq(f[i].level, level))
            continue;
        bool has_node = f[i].node && *f[i].node, has_text = f[i].text && *f[i].text;
        str_addf(out, "%-8s %s%s%s%s%s\n", level, has_node ? f[i].node : "", has_node ? ": " : "",
                 f[i].name ? f[i].name : "", has_text ? ": " : "", has_text ? f[i].text : "");
        if (f[i].mend && *f[i].mend && !str_eq(level, "ok"))
            str_addf(out, "         mend: %s\n", f[i].mend);
    }
}

void finding_write(const WireList *findings, bool all, Str *out)
{
    size_t errors = finding_count(findings, "error"), warnings = finding_count(findings, "warning"),
           ok = finding_count(findings, "ok");
    if (all)
        write_level(findings, "ok", out);
    write_level(findings, "warning", out);
    write_level(findings, "error", out);
    str_addf(out, "%zu check%s: %zu error%s, %zu warning%s, %zu ok%s\n", findings->n,
             findings->n == 1 ? "" : "s", errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s",
             ok, all || !ok ? "" : " (--all lists them)");
}
