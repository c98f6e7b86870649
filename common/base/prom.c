/* SPDX-License-Identifier: Apache-2.0 */
#include "prom.h"

#include <math.h>
#include <string.h>

static void add_escaped(Str *out, const char *text, bool quoted)
{
    for (const char *p = text ? text : ""; *p; p++) {
        if (*p == '\n')
            str_adds(out, "\\n");
        else if (*p == '\\' || (quoted && *p == '"'))
            str_addf(out, "\\%c", *p);
        else
            str_addc(out, *p);
    }
}

void prom_family(Prom *m, const char *name, PromType type, const char *help)
{
    if (m->family && str_eq(m->family, name))
        return;
    m->family = name;
    str_addf(&m->text, "# HELP %s ", name);
    add_escaped(&m->text, help, false);
    str_addf(&m->text, "\n# TYPE %s %s\n", name, type == PROM_COUNTER ? "counter" : "gauge");
}

/* Whole numbers are written as such: counters of bytes go beyond what %g shows. */
static void add_value(Str *out, double value)
{
    if (isnan(value))
        str_adds(out, "NaN");
    else if (isinf(value))
        str_adds(out, value < 0 ? "-Inf" : "+Inf");
    else if (value == floor(value) && fabs(value) < 1e15)
        str_addf(out, "%.0f", value + 0.0);
    else
        str_addf(out, "%.15g", value);
}

void prom_add(Prom *m, double value, const char *const *labels)
{
    str_adds(&m->text, m->family);
    for (size_t i = 0; labels && labels[i]; i += 2) {
        str_addf(&m->text, "%s%s=\"", i ? "," : "{", labels[i]);
        add_escaped(&m->text, labels[i + 1], true);
        str_addc(&m->text, '"');
    }
    str_adds(&m->text, labels && labels[0] ? "} " : " ");
    add_value(&m->text, value);
    str_addc(&m->text, '\n');
}

void prom_one(Prom *m, const char *name, PromType type, const char *help, double value,
              const char *const *labels)
{
    prom_family(m, name, type, help);
    prom_add(m, value, labels);
}

void prom_done(Prom *m)
{
    str_done(&m->text);
}
