/* SPDX-License-Identifier: Apache-2.0
 * siding-run: what stands above each program of a run, and what seals its files. A program apart from
 * siding-agent, since it is started for each run, and needs few of that one's libraries.
 */
#include <stdio.h>

#include "common/base/proc.h"
#include "common/base/text.h"
#include "replica-agent/host/tools.h"
#include "supervise.h"

int main(int argc, char **argv)
{
    const char *tool = argc > 1 ? argv[1] : "";
    proc_no_core();
    if (str_eq(tool, "supervise") && argc == 3)
        return supervise_main(argv[2]);
    if (str_eq(tool, "seal"))
        return seal_main(argc - 1, argv + 1);
    text_print(
        stderr,
        "siding-run: \"%s\" is none of supervise and seal: siding-agent starts it, and siding submit a job\n",
        tool);
    return 2;
}
