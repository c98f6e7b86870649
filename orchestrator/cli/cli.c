/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/file/fs.h"
#include "out.h"

/* Where to look if nothing is said, for whoever may read it. */
static const char *const default_configs[] = {"/etc/siding/sidingd.conf", "/etc/siding/client.conf"};
static const char default_socket[] = "/run/siding/siding.sock";

static const CliCommand *find(const char *group, const char *name)
{
    for (const CliCommand *const *c = cli_commands; *c; c++)
        if (str_eq((*c)->group, group) && str_eq((*c)->name, name))
            return *c;
    return NULL;
}

/* First words where group is NULL, else the verbs of a group. */
static void known_words(const char *group, StrList *ret)
{
    for (const CliCommand *const *c = cli_commands; *c; c++) {
        const char *word = group ? (str_eq((*c)->group, group) ? (*c)->name : NULL)
                                 : ((*c)->group ? (*c)->group : (*c)->name);
        if (word && !strlist_has(ret, word))
            strlist_add(ret, word);
    }
}

static bool unknown_word(const char *group, const char *word, Err *err)
{
    AUTO(strlist_done) StrList known = STRLIST_INIT;
    AUTO(str_done) Str all = STR_INIT;
    known_words(group, &known);
    for (size_t i = 0; i < known.n; i++)
        str_addf(&all, "%s%s", i ? ", " : "", known.v[i]);
    if (!word)
        return err_set(err, ERR_USAGE, 0, "siding %s needs a verb: %s", group, str_z(&all));
    const char *near = str_nearest(word, (const char *const *)known.v);
    const char *g = group ? group : "", *space = group ? " " : "";
    if (near)
        return err_set(err, ERR_USAGE, 0, "unknown command \"%s%s%s\"; did you mean \"%s%s%s\"?", g, space,
                       word, g, space, near);
    return err_set(err, ERR_USAGE, 0, "unknown command \"%s%s%s\"; there are: %s", g, space, word,
                   str_z(&all));
}

/* The command the words begin with, and how many words that took. */
static const CliCommand *find_command(const StrList *words, size_t *ret_taken, Err *err)
{
    AUTO(strlist_done) StrList first = STRLIST_INIT;
    const CliCommand *c = find(NULL, words->v[0]);
    *ret_taken = 1;
    if (c)
        return c;
    known_words(NULL, &first);
    if (!strlist_has(&first, words->v[0])) {
        unknown_word(NULL, words->v[0], err);
        return NULL;
    }
    const char *verb = words->n > 1 && words->v[1][0] != '-' ? words->v[1] : NULL;
    c = verb ? find(words->v[0], verb) : NULL;
    if (!c)
        unknown_word(words->v[0], verb, err);
    *ret_taken = 2;
    return c;
}

static bool is_group(const char *word)
{
    for (const CliCommand *const *c = cli_commands; *c; c++)
        if (str_eq((*c)->group, word))
            return true;
    return false;
}

static bool find_config(Cli *cli, const char *given, Err *err)
{
    const char *path = given ? given : getenv("SIDING_CONFIG");
    for (size_t i = 0; i < COUNT(default_configs) && (!path || !*path); i++)
        path = access(default_configs[i], R_OK) == 0 ? default_configs[i] : NULL;
    if ((!path || !*path) && fs_exists(default_socket)) {
        cli->config_path = xasprintf("unix:%s", default_socket);
        return true;
    }
    if (!path)
        return err_set(
            err, ERR_USAGE, 0,
            "no configuration: give --config FILE or set SIDING_CONFIG (a sandbox's file \"env\" sets "
            "it; neither %s nor %s can be read, and there is no %s)",
            default_configs[0], default_configs[1], default_socket);
    cli->config_path = xstrdup(path);
    return true;
}

static bool prepare(Cli *cli, const CliCommand *c, const CliCommon *global, const CliCommon *own, Err *err)
{
    cli->json = global->json || own->json;
    if (c->needs == CLI_NEEDS_NOTHING)
        return true;
    if (!find_config(cli, own->config ? own->config : global->config, err))
        return false;
    if (c->needs == CLI_NEEDS_PATH)
        return true;
    if (!coordconf_load_client(cli->config_path, &cli->config, &cli->url, &cli->whole, err))
        return false;
    return cli->whole || c->needs != CLI_NEEDS_CONFIG ||
           err_set(err, ERR_USAGE, 0, "siding %s needs sidingd.conf, and %s is a client's", c->name,
                   cli->config_path);
}

static bool check_words(const CliCommand *c, const StrList *words, const StrList *rest, Err *err)
{
    AUTOFREE char *name = cli_command_name(c);
    if (words->n < c->min_words)
        return err_set(err, ERR_USAGE, 0, "siding %s needs %s; see --help", name, c->args);
    if (words->n > c->max_words)
        return err_set(err, ERR_USAGE, 0, "siding %s does not take \"%s\"; see --help", name,
                       words->v[c->max_words]);
    if (rest->n && !c->takes_rest)
        return err_set(err, ERR_USAGE, 0, "siding %s takes no arguments behind \"--\"", name);
    return true;
}

/* JSON would carry other bytes than those that were typed. */
static bool check_utf8(int argc, char **argv, Err *err)
{
    for (int i = 1; i < argc; i++)
        if (!text_is_utf8(argv[i], strlen(argv[i]))) {
            AUTO(str_done) Str shown = STR_INIT;
            text_clean(&shown, argv[i]);
            return err_set(err, ERR_USAGE, 0, "argument %d, \"%.100s\", holds bytes that are no UTF-8", i,
                           str_z(&shown));
        }
    return true;
}

static bool run_command(const CliCommand *c, const CliCommon *global, int argc, char **argv, Err *err)
{
    Cli cli = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    AUTO(strlist_done) StrList rest = STRLIST_INIT;
    AUTOFREE void *options = xcalloc(1, c->size);
    if (!opts_parse(c->options, argc, argv, false, options, &words, &rest, &special, err))
        return false;
    bool ok = check_utf8(argc, argv, err);
    if (!ok) {
        opts_free(c->options, options);
        return false;
    }
    if (special != OPT_RUN) {
        AUTO(str_done) Str text = STR_INIT;
        if (special == OPT_HELP)
            cli_write_help(c, &text);
        else
            str_addf(&text, "siding %s\n", SIDING_VERSION);
        out_text(str_z(&text));
    } else {
        ok = check_words(c, &words, &rest, err) && prepare(&cli, c, global, options, err) &&
             c->run(&cli, options, &words, &rest, err);
    }
    opts_free(c->options, options);
    coordconf_free(&cli.config);
    free(cli.config_path);
    free(cli.url);
    return ok;
}

/* As a bare bibsched does: the screen with keys. A program that calls us so has forgotten something. */
static bool run_bare(const CliCommon *global, char **argv, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        return run_command(&cmd_monitor, global, 1, argv, err);
    cli_write_overview(NULL, &text);
    text_print(stderr, "%s\n", str_z(&text));
    return err_set(err, ERR_USAGE, 0, "no command; on a terminal that opens the monitor");
}

static bool run(int argc, char **argv, Err *err)
{
    CliPlain global = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    AUTO(str_done) Str text = STR_INIT;
    if (!opts_parse(cli_plain_options, argc, argv, true, &global, &words, NULL, &special, err))
        return false;
    bool ok = true;
    if (special == OPT_VERSION)
        str_addf(&text, "siding %s\n", SIDING_VERSION);
    else if (special == OPT_HELP || (words.n == 1 && str_eq(words.v[0], "help")))
        cli_write_overview(NULL, &text);
    else if (words.n == 2 && str_eq(words.v[1], "--help") && is_group(words.v[0]))
        cli_write_overview(words.v[0], &text);
    else if (words.n == 0)
        ok = run_bare(&global.common, argv, err);
    else {
        size_t taken;
        const CliCommand *c = find_command(&words, &taken, err);
        /* The last word of the command stands in the place of the program's name. */
        ok = c && run_command(c, &global.common, (int)(words.n - taken + 1), words.v + taken - 1, err);
    }
    out_text(str_z(&text));
    opts_free(cli_plain_options, &global);
    return ok;
}

int cli_main(int argc, char **argv)
{
    Err err = {0};
    log_setup("siding", LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
    out_start();
    bool ok = run(argc, argv, &err);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE && ok)
            text_print(stderr, "siding: cannot write the output: %s\n", strerror(errno));
        ok = false;
    }
    if (ok)
        return 0;
    if (err.text[0])
        text_print(stderr, "siding: %s\n", err.text);
    return err_exit_status(&err);
}
