/* SPDX-License-Identifier: Apache-2.0 */
#include "loss.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/db/gtid.h"

/* Two positions side by side; one that is not known adds nothing. */
static char *both(DbFlavor flavor, const char *a, const char *b)
{
    char *sum = a && b ? gtid_max_text(flavor, a, b) : NULL;
    return sum ? sum : xstrdup(a ? a : b);
}

/* Together, what those have that can be asked. */
static char *kept(const LossFacts *f)
{
    char *all = NULL;
    for (size_t i = 0; i < f->n; i++) {
        if (!f->nodes[i].asked || f->nodes[i].old)
            continue;
        char *more = both(f->flavor, all, f->nodes[i].position);
        free(all);
        all = more;
    }
    return all;
}

static bool is_complete(const LossFacts *f)
{
    int members = 0, asked = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->nodes[i].old && f->nodes[i].asked && f->nodes[i].ended)
            return true;
        members += f->nodes[i].member;
        asked += f->nodes[i].member && f->nodes[i].asked;
    }
    return f->strict && f->acks > 0 && asked >= members - f->acks + 1;
}

static void tell_of(const LossFacts *f, const LossNode *x, const char *have, StrList *ret)
{
    char at[CLOCK_TEXT];
    if (!x->position) {
        strlist_addf(ret,
                     "%s has not been heard since this coordinator was started: nobody knows what it has",
                     x->name);
        return;
    }
    int64_t more = gtid_behind_text(f->flavor, have ? have : "", x->position);
    AUTOFREE char *lacking = gtid_lacking_text(f->flavor, x->position, have ? have : "", NULL);
    clock_format(x->read_at, at);
    if (more < 1)
        strlist_addf(ret, "%s had nothing more at %s, when it was heard last", x->name, at);
    else
        strlist_addf(ret, "%s had %" PRId64 " transactions more at %s, when it was heard last (%.300s)",
                     x->name, more, at, lacking ? lacking : x->position);
}

static void tell(const LossFacts *f, Loss *ret)
{
    if (ret->complete) {
        strlist_add(&ret->lines, "no acknowledged commit is lost");
        return;
    }
    AUTOFREE char *have = kept(f);
    if (!f->strict)
        strlist_add(&ret->lines, "commits of the primary did not wait for acknowledgements when it was seen "
                                 "last: what it alone has is lost");
    for (size_t i = 0; i < f->n; i++)
        if (!f->nodes[i].asked && (f->nodes[i].old || f->nodes[i].member))
            tell_of(f, &f->nodes[i], have, &ret->lines);
    strlist_add(&ret->lines, "what came after that is not known");
}

void loss_look(const LossFacts *f, Loss *ret)
{
    size_t asked = 0;
    *ret = (Loss){.lines = STRLIST_INIT};
    for (size_t i = 0; i < f->n; i++)
        asked += f->nodes[i].asked;
    ret->majority = 2 * asked > f->n;
    ret->complete = is_complete(f);
    ret->command =
        xasprintf("siding cluster failover%s%s", ret->majority ? "" : " --force --old-primary-is-off",
                  ret->complete ? "" : " --accept-data-loss");
    tell(f, ret);
}

void loss_done(Loss *l)
{
    strlist_done(&l->lines);
    free(l->command);
    *l = (Loss){.lines = STRLIST_INIT};
}
