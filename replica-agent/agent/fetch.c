/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent fetch`: a sealed result from the agent that made it.
 */
#include "common/resultfetch.h"
#include "config.h"
#include "tools.h"

typedef struct FetchArgs {
    char *config, *url, *run, *to;
} FetchArgs;

#define FIELD(name) offsetof(FetchArgs, name)
static const Opt options[] = {
    {"config", 0, OPT_STR, FIELD(config), .arg = "FILE", .doc = "agent.conf, for its certificates."},
    {"url", 0, OPT_STR, FIELD(url), .arg = "URL", .doc = "The agent that has the result."},
    {"run", 0, OPT_STR, FIELD(run), .arg = "RUN", .doc = "The run, such as 12.1."},
    {"to", 0, OPT_STR, FIELD(to), .arg = "DIR", .doc = "The folder to put it in."},
    {0},
};

int fetch_main(int argc, char **argv)
{
    Err err;
    FetchArgs args = {0};
    AgentConfig conf = {0};
    OptSpecial special;
    StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("fetch", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent fetch --url URL --run RUN --to DIR",
                         "Fetches a sealed result.", special);
    bool ok = args.url && args.run && args.to;
    if (!ok)
        err_set(&err, ERR_USAGE, 0, "--url, --run and --to are needed");
    ok = ok && (!args.config || agent_config_load(args.config, &conf, &err));
    ResultSource from = {args.url, args.run, tls_is_set(&conf.tls) ? &conf.tls : NULL};
    ok = ok && resultfetch(&from, args.to, &err);
    agent_config_free(&conf);
    strlist_done(&words);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("fetch", &err);
}
