/* SPDX-License-Identifier: Apache-2.0
 * siding completion, siding man: what shells and man read, for packages and for one's own set-up.
 */
#include "completion.h"
#include "out.h"

static CLI_RUN(run_completion)
{
    AUTO(str_done) Str text = STR_INIT;
    (void)cli;
    (void)options;
    (void)rest;
    if (!completion_write(words->v[0], &text, err))
        return false;
    out_text(str_z(&text));
    return true;
}

const CliCommand cmd_completion = {
    .name = "completion",
    .args = "bash|zsh|fish",
    .summary = "Print the completion of siding's commands and options for a shell.",
    .detail = "Installed packages have it already. Else: source <(siding completion bash).",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .min_words = 1,
    .max_words = 1,
    .needs = CLI_NEEDS_NOTHING,
    .run = run_completion,
};

static CLI_RUN(run_man)
{
    AUTO(str_done) Str text = STR_INIT;
    (void)cli;
    (void)options;
    (void)words;
    (void)rest;
    (void)err;
    manpage_write(&text);
    out_text(str_z(&text));
    return true;
}

const CliCommand cmd_man = {
    .name = "man",
    .summary = "Print the manual page siding(1), as man -l reads it.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .needs = CLI_NEEDS_NOTHING,
    .run = run_man,
};
