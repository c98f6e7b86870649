/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/file/fs.h"
#include "common/net/httpc.h"
#include "common/net/jointoken.h"
#include "replica-agent/host/config.h"
#include "replica-agent/host/tools.h"

enum { CALL_MS = 10000, PATIENCE_MS = 60000, AGAIN_MS = 1000 };

typedef struct JoinArgs {
    char *token, *dir, *state, *socket, *user, *admin;
} JoinArgs;

#define FIELD(name) offsetof(JoinArgs, name)
static const Opt options[] = {
    {"token", 't', OPT_STR, FIELD(token), .arg = "FILE",
     .doc =
         "The file with the token (mode 0600), or - for the standard input; without it the environment's "
         "SIDING_JOIN_TOKEN. The token itself is taken too, with a warning: whoever lists the processes of "
         "this host reads it."},
    {"dir", 'd', OPT_STR, FIELD(dir), .arg = "DIR", .fallback = "/etc/siding",
     .doc = "The folder for the files."},
    {"state", 0, OPT_STR, FIELD(state), .arg = "DIR", .fallback = "/var/lib/siding",
     .doc = "The folder of the agent's state, with that of results below it."},
    {"user", 'u', OPT_STR, FIELD(user), .arg = "NAME", .fallback = "mysql",
     .doc = "The account that the agent runs as, and the server: the files belong to it."},
    {"socket", 's', OPT_STR, FIELD(socket), .arg = "PATH", .fallback = "/run/mysqld/mysqld.sock",
     .doc = "The server's socket."},
    {"admin", 0, OPT_STR, FIELD(admin), .arg = "FILE",
     .doc = "Option file of an account with all rights on this server; without it root by the socket."},
    {0},
};

/* ---- the token -------------------------------------------------------------------------------------- */

static bool read_input(Str *ret, Err *err)
{
    char buffer[JOIN_TOKEN_BYTES + 2];
    size_t n = fread(buffer, 1, sizeof buffer - 1, stdin);
    str_add(ret, buffer, n);
    explicit_bzero(buffer, sizeof buffer);
    return n > 0 || err_set(err, ERR_USAGE, 0, "there is no token on the standard input");
}

static bool read_token(const JoinArgs *args, JoinToken *ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    const char *named = args->token ? args->token : getenv("SIDING_JOIN_TOKEN");
    if (!named)
        return err_set(err, ERR_USAGE, 0, "--token FILE is needed: siding replica invite makes one");
    bool literal = !args->token || jointoken_is(named);
    if (args->token && literal)
        text_print(stderr,
                   "warning: the token stands on the command line, where others on this host can read "
                   "it; put it into a file of mode 0600\n");
    bool ok = true;
    if (literal)
        str_adds(&text, named);
    else if (str_eq(named, "-"))
        ok = read_input(&text, err);
    else
        ok = fs_check_private(named, err) && fs_read(named, JOIN_TOKEN_BYTES, &text, err);
    ok = ok && jointoken_read(str_z(&text), ret, err);
    if (text.p)
        explicit_bzero(text.p, text.len);
    return ok;
}

/* ---- calls ------------------------------------------------------------------------------------------ */

static bool call_once(const JoinToken *t, const char *path, const json_t *body, json_t **ret, Err *err)
{
    AUTOFREE char *pin = xasprintf("sha256//%s", t->pin);
    for (size_t i = 0; i < t->addresses.n; i++) {
        AUTOFREE char *url = xasprintf("https://%s", t->addresses.v[i]);
        HttpCall call = {
            .base_url = url, .method = "POST", .path = path, .body = body, .timeout_ms = CALL_MS, .pin = pin};
        if (httpc_call(&call, ret, err))
            return true;
        if (!err_is_transient(err) && err->code != HTTPC_THEIR_CERTIFICATE)
            return false; /* sidingd has answered */
    }
    if (err->kind == ERR_AUTH)
        err_prefix(err,
                   "this is not the sidingd that the token was made by, or it has another key since; the "
                   "token was not shown to it");
    return false;
}

static bool call(const JoinToken *t, const char *path, json_t **ret, Err *err)
{
    char proof[JOIN_PROOF_CHARS + 1];
    AUTOJSON json_t *body = json_object();
    jointoken_proof(t, proof);
    json_set_str(body, "node", t->node);
    json_set_str(body, "proof", proof);
    for (int64_t until = clock_mono_ms() + PATIENCE_MS;; clock_sleep_ms(AGAIN_MS)) {
        if (call_once(t, path, body, ret, err))
            return true;
        if (!err_is_transient(err))
            return false;
        if (clock_mono_ms() >= until)
            return err_set(err, err->kind, err->code,
                           "%s; sidingd listens there only while a host is invited: siding replica invite "
                           "shows who is",
                           err->text);
    }
}

static bool fetch(const JoinPlace *p, const JoinToken *t, const char *hash, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    AUTOJSON json_t *answer = NULL, *bundle = NULL;
    bool ok = call(t, "/v1/join", &answer, err) &&
              jointoken_open(t, json_str(answer, "bundle"), &text, err) &&
              json_parse(str_z(&text), text.len, &bundle, err) && join_files_stage(p, hash, bundle, err);
    if (text.p)
        explicit_bzero(text.p, text.len);
    return ok;
}

/* Too late is as good: nobody gets the files any more, and they are here. */
static bool say_received(const JoinToken *t, Err *err)
{
    AUTOJSON json_t *answer = NULL;
    if (call(t, "/v1/join/received", &answer, err))
        return true;
    if (err->kind == ERR_AUTH && !err->code)
        return true;
    return err_prefix(err, "the files are here, and sidingd does not know it yet: run the same again");
}

/* ---- all -------------------------------------------------------------------------------------------- */

static bool find_place(const JoinArgs *args, JoinPlace *ret, Err *err)
{
    const struct passwd *u = getpwnam(args->user);
    if (!u)
        return err_set(err, ERR_NOT_FOUND, 0,
                       "there is no account \"%s\" here: install the server first, or name the account that "
                       "it runs as with --user",
                       args->user);
    if (geteuid() != 0 && geteuid() != u->pw_uid)
        return err_set(err, ERR_REFUSED, 0, "the files shall belong to %s: run this as root", args->user);
    const char *const paths[] = {args->dir, args->state, args->socket};
    for (size_t i = 0; i < COUNT(paths); i++)
        if (*paths[i] != '/' || strpbrk(paths[i], "\"\\\n"))
            return err_set(err, ERR_USAGE, 0, "\"%s\" is no path from the root on", paths[i]);
    *ret = (JoinPlace){
        .dir = args->dir, .state = args->state, .socket = args->socket, .uid = u->pw_uid, .gid = u->pw_gid};
    return true;
}

/* Below a folder that is its already, where a link may stand by now: a new folder alone is given. */
static bool make_folder(const char *dir, const JoinPlace *p, Err *err)
{
    AUTOFREE char *above = fs_dirname(dir);
    if (!fs_mkdirs(above, 0755, err))
        return false;
    if (mkdir(dir, 0700) < 0)
        return errno == EEXIST || err_errno(err, errno, "create folder %s", dir);
    AUTOFD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return (fd >= 0 && fchown(fd, p->uid, p->gid) == 0) || err_errno(err, errno, "give %s to its user", dir);
}

/* Those that its agent.conf names, which is not asked: it is the agent's already, and may have been changed.
 */
static bool make_folders(const JoinPlace *p, Err *err)
{
    AUTOFREE char *spool = xasprintf("%s/spool", p->state), *jobs = xasprintf("%s/jobs", p->dir);
    return make_folder(p->state, p, err) && make_folder(spool, p, err) && fs_mkdirs(jobs, 0755, err);
}

static void tell(const JoinPlace *p, const JoinArgs *args, const char *node, DbFlavor flavor)
{
    int step = 1;
    AUTO(str_done) Str out = STR_INIT;
    str_addf(&out, "%s holds all that the agent of %s needs.\n", p->dir, node);
    join_server(p, flavor, args->admin, &step, &out);
    str_addf(&out,
             "%d. systemctl enable --now siding-agent\n"
             "%d. where sidingd runs, once it knows this node: siding replica add %s\n",
             step, step + 1, node);
    text_print(stdout, "%s", str_z(&out));
}

static bool join(const JoinArgs *args, Err *err)
{
    bool staged;
    char proof[JOIN_PROOF_CHARS + 1], hash[65];
    JoinPlace p;
    DbFlavor flavor;
    AUTO(jointoken_done) JoinToken t = {0};
    if (!read_token(args, &t, err) || !find_place(args, &p, err))
        return false;
    jointoken_proof(&t, proof);
    jointoken_proof_hash(proof, hash);
    if (!join_files_look(&p, hash, &staged, err) || (!staged && !fetch(&p, &t, hash, err)) ||
        !join_files_move(&p, &flavor, err) || !make_folders(&p, err) || !say_received(&t, err))
        return false;
    tell(&p, args, t.node, flavor);
    return join_files_finish(&p, err);
}

int join_main(int argc, char **argv)
{
    Err err;
    JoinArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    umask(022);
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("join", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent join --token FILE",
                         "Fetches what the agent of a new host needs, by the token of siding replica invite: "
                         "configuration, passwords, certificate. Makes the accounts that Siding fills the "
                         "server with, and says what its option file lacks. Whatever breaks it off, the same "
                         "again goes on.",
                         special);
    bool ok = !words.n || err_set(&err, ERR_USAGE, 0, "unexpected word; the token goes behind --token");
    ok = ok && join(&args, &err);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("join", &err);
}
