/* SPDX-License-Identifier: Apache-2.0 */
#include "task_log.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/runkey.h"

enum { CLOCKS_MS = 60000 }; /* of two hosts may differ */

void task_log_done(WireList *pieces)
{
    TaskLogPiece *p = pieces->v;
    for (size_t i = 0; i < pieces->n; i++) {
        free(p[i].run);
        free(p[i].node);
        free(p[i].text);
    }
    free(p);
    *pieces = (WireList){NULL, 0};
}

void task_log_add(WireList *pieces, const char *node, const json_t *answer, int64_t submitted_at)
{
    size_t i;
    json_t *o;
    json_array_foreach((json_t *)answer, i, o)
    {
        int64_t task, no, at = 0;
        (void)!clock_parse(json_str(o, "at"), &at);
        if (!wire_run_id(json_str(o, "run"), &task, &no) || at + CLOCKS_MS < submitted_at)
            continue;
        TaskLogPiece *p = wire_list_add(pieces, sizeof *p);
        *p = (TaskLogPiece){xstrdup(json_str(o, "run")),  xstrdup(node),        no, at,
                            xstrdup(json_str(o, "text")), json_bool(o, "whole")};
    }
}

static int in_order(const void *a, const void *b)
{
    const TaskLogPiece *x = a, *y = b;
    if (x->no != y->no)
        return x->no < y->no ? -1 : 1;
    return strcmp(x->node, y->node);
}

/* How many of the oldest are left out. */
static size_t left_out(const TaskLogPiece *p, size_t n, size_t most)
{
    size_t bytes = 0, i = n;
    while (i && (!most || (bytes += strlen(p[i - 1].text)) <= most))
        i--;
    return i == n && n ? n - 1 : i; /* the last stays */
}

static void write_piece(const TaskLogPiece *p, Str *out)
{
    char at[CLOCK_TEXT];
    clock_format(p->at, at);
    if (out->len && out->p[out->len - 1] != '\n')
        str_addc(out, '\n');
    str_addf(out, "==== run %.*s on %s, last written %s%s ====\n", RUN_TEXT(p->run), p->node, at,
             p->whole ? "" : "; its beginning is not kept");
    str_adds(out, p->text);
}

void task_log_write(WireList *pieces, size_t most, Str *out)
{
    TaskLogPiece *p = pieces->v;
    if (pieces->n == 1) {
        str_adds(out, p->text);
        return;
    }
    if (pieces->n)
        qsort(p, pieces->n, sizeof *p, in_order);
    for (size_t i = left_out(p, pieces->n, most); i < pieces->n; i++)
        write_piece(&p[i], out);
}
