/* SPDX-License-Identifier: Apache-2.0 */
#include "separation.h"

#include "common/base/str.h"

static const char *const names[] = {"process", "namespace", "helper"};
static const char mend[] = "start siding-jobd on this host and set jobd_socket in agent.conf";

const char *separation_name(Separation s)
{
    return names[s];
}

bool separation_from_name(const char *name, Separation *ret, Err *err)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(name, names[i])) {
            *ret = (Separation)i;
            return true;
        }
    return err_set(err, ERR_USAGE, 0, "\"%.40s\" is no separation: helper, namespace or process", name);
}

bool separation_choose(Separation have, const char *wanted, bool names_user, Separation *ret, Err *err)
{
    Separation want = have;
    if (!str_eq(wanted, "best") && !separation_from_name(wanted, &want, err))
        return false;
    if (want > have)
        return err_set(err, ERR_REFUSED, 0,
                       "it demands separation = \"%s\", and this host gives \"%s\" only: %s", names[want],
                       names[have], mend);
    if (names_user && want < SEPARATION_HELPER)
        return err_set(err, ERR_REFUSED, 0,
                       "it names a user, which needs separation \"helper\", and it would get \"%s\": %s",
                       names[want], mend);
    *ret = want;
    return true;
}
