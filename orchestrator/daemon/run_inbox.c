/* SPDX-License-Identifier: Apache-2.0 */
#include "run_inbox.h"

struct RunInbox {
    RunLetter *v;
    size_t n;
};

void run_inbox_put(Coord *c, const RunLetter *letter)
{
    if (!c->inbox)
        c->inbox = NEW(struct RunInbox);
    struct RunInbox *in = c->inbox;
    in->v = xrealloc(in->v, (in->n + 1) * sizeof *in->v);
    in->v[in->n++] = *letter;
    coord_step_soon(c);
}

RunLetter *run_inbox_take(Coord *c, size_t *ret_n)
{
    struct RunInbox *in = c->inbox;
    RunLetter *v = in ? in->v : NULL;
    *ret_n = in ? in->n : 0;
    if (in)
        *in = (struct RunInbox){0};
    return v;
}

void run_inbox_free(Coord *c)
{
    if (c->inbox)
        free(c->inbox->v);
    free(c->inbox);
    c->inbox = NULL;
}
