/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_fault.h"

#include <errno.h>

/* A write and sync that takes longer than a busy disk lets others wait. */
enum { STALLED_MS = 1500 };

DiskFault disk_fault(int error, int64_t silent_ms)
{
    if (silent_ms >= STALLED_MS)
        return DISK_STALLED;
    switch (error) {
    case 0:
        return DISK_WELL;
    case ENOSPC:
    case EDQUOT:
        return DISK_FULL;
    case EROFS:
        return DISK_READ_ONLY;
    case EIO:
        return DISK_FAILING;
    default:
        return DISK_NONE; /* no right to write there, no such kind of file */
    }
}
