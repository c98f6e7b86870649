/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_unread.h"

enum { CODE = 10001 }; /* no error number of the system, which a connection that fails may have */

bool queue_unread(Err *err, const char *why)
{
    return err_set(err, ERR_UNREACHABLE, CODE, "the queue cannot be read yet: %s", why);
}

bool queue_is_unread(const Err *err)
{
    return err->kind == ERR_UNREACHABLE && err->code == CODE;
}
