/* SPDX-License-Identifier: Apache-2.0
 * What the rounds of a look at a disk say of it.
 */
#include "replica-agent/core/disk_fault.h"

#include <errno.h>

#include "test.h"

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        int error;
        int64_t silent_ms;
        DiskFault fault;
    } rows[] = {
        {0, 0, DISK_WELL},      {0, 1499, DISK_WELL},      {0, 1500, DISK_STALLED},
        {ENOSPC, 0, DISK_FULL}, {EDQUOT, 0, DISK_FULL},    {EROFS, 0, DISK_READ_ONLY},
        {EIO, 0, DISK_FAILING}, {EACCES, 0, DISK_NONE},    {EOPNOTSUPP, 0, DISK_NONE},
        {ENOENT, 0, DISK_NONE}, {EIO, 5000, DISK_STALLED},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(disk_fault(rows[i].error, rows[i].silent_ms), rows[i].fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests_name("a disk's faults", tests, NULL, NULL);
}
