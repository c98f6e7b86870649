/* SPDX-License-Identifier: Apache-2.0
 * siding: finds the command, reads its options and the configuration, runs it.
 */
#include "cmd.h"
#include "common/base/proc.h"

int main(int argc, char **argv)
{
    proc_no_core();
    return cli_main(argc, argv);
}
