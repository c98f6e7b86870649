/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent fetch`: a sealed result from the agent that made it.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "common/net/resultfetch.h"
#include "replica-agent/host/config.h"
#include "replica-agent/host/tools.h"

/* An agent that is started again, or a network that is gone for a while, does not cost a night's result. */
enum { PATIENCE_MS = 120000, AGAIN_MS = 1000 };

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

void fetch_words(StrList *to, const char *config, const char *url, const char *run, const char *dir)
{
    const char *const words[] = {"fetch", "--config", config, "--url", url, "--run", run, "--to", dir};
    for (size_t i = 0; i < COUNT(words); i++)
        strlist_add(to, words[i]);
}

static bool may_pass(const Err *err)
{
    return err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_LOST;
}

bool fetch_patiently(const ResultSource *from, const char *to, Err *err)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        int64_t had = fs_tree_bytes(to);
        if (resultfetch(from, NULL, to, err))
            return true;
        int64_t now = clock_mono_ms();
        if (fs_tree_bytes(to) >
            had) /* something has come; an attempt that only took long counts for nothing */
            until = now + PATIENCE_MS;
        if (!may_pass(err) || now >= until)
            return false;
        log_warn("%s, trying again", err->text);
        clock_sleep_ms(AGAIN_MS);
    }
}

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
    ResultSource from = {args.url, args.run, &conf.tls};
    ok = ok && fetch_patiently(&from, args.to, &err);
    agent_config_free(&conf);
    strlist_done(&words);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("fetch", &err);
}
