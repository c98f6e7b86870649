/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

/* Mermaid ends a label at a semicolon and reads a colon as its start. */
static void add_label(Str *out, const char *text)
{
    for (; *text; text++)
        str_addc(out, *text == ';' || *text == ':' ? ',' : *text);
}

void machine_draw_edge(Str *out, const char *from, const char *to, const char *event, const char *reason)
{
    str_addf(out, "    %s --> %s: ", from, to);
    add_label(out, event);
    str_adds(out, " (");
    add_label(out, reason);
    str_adds(out, ")\n");
}
