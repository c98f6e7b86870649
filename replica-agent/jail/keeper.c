/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "handover.h"

enum { GROUP_END_MS = 5000 };

typedef struct Keeper {
    int socket;
    const KeeperRules *rules;
    JailOrder order;
    CageOrder cage_order;
    Cage cage;
    char *cgroup;
    int folder; /* of the result, locked while the job is; -1: nothing was handed over */
    bool started, told;
} Keeper;

static CageKind kind_of(void)
{
    return geteuid() == 0 ? CAGE_ROOT : CAGE_USERNS;
}

/* ---- what may be asked ---------------------------------------------------------------------------- */

static bool is_run_name(const char *run)
{
    return *run && *run != '.' && strlen(run) <= 40 &&
           run[strspn(run, "0123456789.-abcdefghijklmnopqrstuvwxyz")] == 0;
}

/* A program that somebody else than root can change would be run as whoever is named. */
static bool check_program(const char *path, Err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(err, errno, "find %s", path);
    return (st.st_uid == 0 && !(st.st_mode & 022)) ||
           err_set(err, ERR_REFUSED, 0,
                   "%s can be changed by others than root: siding-jobd runs only what root alone can change",
                   path);
}

/* Of the environment only what the contract has; the rest decides what an interpreter loads. */
static void keep_contract(StrList *env, const char *home)
{
    StrList kept = STRLIST_INIT;
    for (size_t i = 0; i < env->n; i++)
        if (str_starts(env->v[i], "SIDING_"))
            strlist_add(&kept, env->v[i]);
    AUTOFREE char *bin = fs_program_dir();
    strlist_addf(&kept, "PATH=%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin);
    strlist_add(&kept, "LANG=C.UTF-8");
    strlist_addf(&kept, "HOME=%s", home);
    strlist_done(env);
    *env = kept;
}

static int64_t at_most(int64_t asked, int64_t most)
{
    return most && (!asked || asked > most) ? most : asked;
}

/* What stands in siding-jobd's own configuration goes before what was asked. */
static bool apply_rules(const KeeperRules *r, JailOrder *o, Err *err)
{
    if (!is_run_name(o->run))
        return err_set(err, ERR_REFUSED, 0, "\"%.40s\" is no run", o->run);
    if (!*o->user)
        str_set(&o->user, r->users->v[0]);
    if (!strlist_has(r->users, o->user))
        return err_set(err, ERR_REFUSED, 0, "siding-jobd runs nothing as %.40s: its users name who may be",
                       o->user);
    if (!strlist_has(r->programs, o->program))
        return err_set(err, ERR_REFUSED, 0,
                       "siding-jobd does not run %.200s: name it in programs of its configuration",
                       o->program);
    AUTOFREE char *result = xasprintf("%s/%s", r->spool_dir, o->run);
    if (!str_eq(result, o->result))
        return err_set(err, ERR_REFUSED, 0, "%.200s is not the folder of run %s in siding-jobd's spool_dir",
                       o->result, o->run);
    strlist_done(&o->hide);
    strlist_done(&o->show);
    strlist_add_all(&o->hide, r->hide);
    strlist_add(&o->hide, r->spool_dir);
    strlist_add_all(&o->show, r->show);
    AUTOFREE char *home = fs_dirname(o->cnf);
    keep_contract(&o->env, home);
    o->memory_bytes = at_most(o->memory_bytes, r->memory_bytes);
    o->tasks = at_most(o->tasks, r->tasks);
    o->nice = o->nice < 0 ? 0 : o->nice;
    return check_program(o->program, err);
}

static bool find_user(Keeper *k, Err *err)
{
    CageOrder *c = &k->cage_order;
    c->user = (JobUser){geteuid(), getegid()};
    if (!*k->order.user)
        return true;
    const struct passwd *p = getpwnam(k->order.user);
    if (!p)
        return err_set(err, ERR_CONFIG, 0, "there is no operating system user \"%s\"", k->order.user);
    if (k->rules && p->pw_uid == 0)
        return err_set(err, ERR_REFUSED, 0, "siding-jobd runs no job as root");
    if (c->kind == CAGE_USERNS && p->pw_uid != geteuid())
        return err_set(err, ERR_REFUSED, 0, "only root or siding-jobd can run a job as %s", k->order.user);
    c->user = (JobUser){p->pw_uid, p->pw_gid};
    c->user_name = k->order.user;
    return true;
}

/* ---- its folder ----------------------------------------------------------------------------------- */

static int open_folder(const Keeper *k, Err *err)
{
    AUTOFD int spool = k->rules ? open(k->rules->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
    const char *name = k->rules ? k->order.run : k->order.result;
    if (!k->rules)
        return open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (spool < 0)
        err_errno(err, errno, "open %s", k->rules->spool_dir);
    return spool < 0 ? -1 : fs_open_beneath(spool, name, O_RDONLY | O_DIRECTORY, 0, err);
}

static uid_t asker_of(const Keeper *k)
{
    return k->rules ? k->rules->asker : geteuid();
}

static gid_t asker_group_of(const Keeper *k)
{
    return k->rules ? k->rules->asker_group : getegid();
}

static bool give_folder(Keeper *k, Err *err)
{
    struct stat st;
    JobUser u = k->cage_order.user;
    k->folder = open_folder(k, err);
    if (k->folder < 0)
        return false;
    if (flock(k->folder, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, 0, "run %s has a keeper already", k->order.run);
    if (fstat(k->folder, &st) < 0 || (st.st_uid != asker_of(k) && st.st_uid != u.uid))
        return err_set(err, ERR_REFUSED, 0, "the folder of run %s is not the agent's", k->order.run);
    /* Its group stays the asker's, who watches how much is in it. */
    return u.uid == st.st_uid ||
           (fchown(k->folder, u.uid, asker_group_of(k)) == 0 && fchmod(k->folder, 02750) == 0) ||
           err_errno(err, errno, "give the folder of run %s to the job", k->order.run);
}

static void take_folder_back(Keeper *k)
{
    Err err;
    if (k->folder >= 0 && k->cage_order.user.uid != asker_of(k) &&
        !handover(k->folder, k->cage_order.user.uid, asker_of(k), asker_group_of(k), &err))
        log_error("run %s: %s", k->order.run, err.text);
    if (k->folder >= 0)
        close(k->folder);
    k->folder = -1;
}

/* ---- its life ------------------------------------------------------------------------------------- */

static void tell(Keeper *k, JailMessage *m)
{
    Err ignored;
    k->told = k->told || m->type == JAIL_ENDED || m->type == JAIL_FAILED;
    (void)!jail_send(k->socket, m, &ignored); /* who is gone is seen by the next look */
}

static void tell_failed(Keeper *k, const Err *why)
{
    JailMessage m = {.type = JAIL_FAILED};
    snprintf(m.text, sizeof m.text, "%.390s", why->text);
    tell(k, &m);
}

/* Nothing is left of it when this returns. */
static int end_job(Keeper *k)
{
    int status = 0;
    if (k->cage.init > 0)
        status = cage_close(&k->cage);
    if (k->cgroup && !cgroup_end(k->cgroup, GROUP_END_MS))
        log_error("run %s: processes in %s cannot be killed", k->order.run, k->cgroup);
    free(STEAL(k->cgroup));
    take_folder_back(k);
    return status;
}

static bool spawn(Keeper *k, JailMessage *m, Err *err)
{
    k->order = m->order;
    m->order = (JailOrder){0};
    k->cage_order = (CageOrder){.kind = kind_of(), .job = &k->order};
    memcpy(k->cage_order.fds, m->fds, sizeof m->fds);
    if (k->rules && !apply_rules(k->rules, &k->order, err))
        return false;
    if (!find_user(k, err) || !give_folder(k, err) || !cage_open(&k->cage_order, &k->cage, err))
        return false;
    AUTOFREE char *name = xasprintf("siding-job-%s-%d", k->order.run, (int)getpid());
    k->cgroup = cgroup_make(name, k->order.memory_bytes, k->order.tasks);
    if (k->cgroup && !cgroup_enter(k->cgroup, k->cage.init)) {
        (void)cgroup_end(k->cgroup, 0);
        free(STEAL(k->cgroup));
    }
    return cage_begin(&k->cage, err);
}

static void take_signal(Keeper *k, int signo)
{
    static const int known[] = {SIGTERM, SIGTSTP, SIGSTOP, SIGCONT};
    Err ignored;
    if (k->cage.init <= 0)
        return;
    if (signo == SIGKILL)
        kill(k->cage.init, SIGKILL);
    for (size_t i = 0; i < COUNT(known); i++)
        if (known[i] == signo)
            (void)!jail_send_plain(k->cage.channel, JAIL_SIGNAL, signo, NULL, &ignored);
}

static void tell_level(Keeper *k)
{
    Err why;
    bool root = kind_of() == CAGE_ROOT, ok = cage_probe(kind_of(), &why);
    JailMessage m = {.type = JAIL_LEVEL};
    snprintf(m.text, sizeof m.text, "%s",
             !ok    ? JAIL_LEVEL_PROCESS
             : root ? JAIL_LEVEL_HELPER
                    : JAIL_LEVEL_NAMESPACE);
    if (!ok)
        log_info("jobs cannot be kept apart by namespaces: %s", why.text);
    tell(k, &m);
}

static bool take_request(Keeper *k, JailMessage *m)
{
    Err err;
    switch (m->type) {
    case JAIL_PROBE:
        tell_level(k);
        return true;
    case JAIL_SPAWN:
        if (k->started || !(k->started = true))
            return false;
        if (!spawn(k, m, &err)) {
            (void)end_job(k);
            tell_failed(k, &err);
        }
        return true;
    case JAIL_GO:
        return k->cage.init > 0 && cage_begin(&k->cage, &err);
    case JAIL_SIGNAL:
        take_signal(k, (int)m->number);
        return true;
    default:
        return false; /* an answer is no request */
    }
}

/* What the init says; its process may be the program's by now, so it is not believed more than that. */
static void take_news(Keeper *k)
{
    Err err;
    JailMessage m;
    if (!jail_receive(k->cage.channel, 0, &m, &err)) {
        int status = end_job(k);
        tell(k, &(JailMessage){.type = JAIL_ENDED, .end = {.status = status}});
        return;
    }
    if (m.type == JAIL_READY)
        m.number = m.sender;
    JailMessage out = {.type = m.type, .number = m.number, .end = m.end};
    snprintf(out.text, sizeof out.text, "%s", m.text);
    jail_message_done(&m);
    if (out.type == JAIL_ENDED || out.type == JAIL_FAILED)
        (void)end_job(k);
    if (out.type >= JAIL_READY && out.type != JAIL_GO && out.type != JAIL_SIGNAL)
        tell(k, &out);
}

static bool turn(Keeper *k)
{
    Err err;
    JailMessage m;
    struct pollfd p[] = {{k->socket, POLLIN, 0}, {k->cage.init > 0 ? k->cage.channel : -1, POLLIN, 0}};
    if (poll(p, COUNT(p), -1) < 0)
        return errno == EINTR;
    if (p[1].revents)
        take_news(k);
    if (!p[0].revents)
        return !k->told;
    if (!jail_receive(k->socket, 0, &m, &err))
        return false;
    bool ok = take_request(k, &m);
    jail_message_done(&m);
    return ok && !k->told;
}

int keeper_main(int socket, const KeeperRules *rules)
{
    Keeper k = {.socket = socket, .rules = rules, .cage = {.channel = -1}, .folder = -1};
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    while (turn(&k))
        ;
    (void)end_job(&k);
    jail_order_done(&k.order);
    close(socket);
    return 0;
}

/* ---- what killed keepers have left ---------------------------------------------------------------- */

static void sweep_one(const KeeperRules *r, int spool, const char *run)
{
    Err err;
    struct stat st;
    AUTOFD int folder = fs_open_beneath(spool, run, O_RDONLY | O_DIRECTORY, 0, &err);
    if (folder < 0 || fstat(folder, &st) < 0 || st.st_uid == r->asker || flock(folder, LOCK_EX | LOCK_NB) < 0)
        return;
    if (handover(folder, st.st_uid, r->asker, r->asker_group, &err))
        log_info("the folder of run %s is the agent's again: its keeper was killed", run);
    else
        log_error("run %s: %s", run, err.text);
}

void keeper_sweep(const KeeperRules *rules)
{
    Err err;
    AUTO(strlist_done) StrList runs = STRLIST_INIT;
    AUTOFD int spool = open(rules->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool < 0 || !fs_list(rules->spool_dir, &runs, &err))
        return;
    for (size_t i = 0; i < runs.n; i++)
        sweep_one(rules, spool, runs.v[i]);
}
