/* SPDX-License-Identifier: Apache-2.0 */
#include "tools.h"
#include "common/base/text.h"

#include <stdio.h>

int tool_failed(const char *what, const Err *err)
{
    text_print(stderr, "siding-agent %s: %s\n", what, err->text);
    return err_exit_status(err);
}

int tool_help(const Opt *table, const char *usage, const char *intro, OptSpecial special)
{
    AUTO(str_done) Str out = STR_INIT;
    if (special == OPT_VERSION)
        str_adds(&out, "siding-agent " SIDING_VERSION "\n");
    else
        opts_write_help(table, usage, intro, &out);
    fputs(str_z(&out), stdout);
    return 0;
}
