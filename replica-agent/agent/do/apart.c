/* SPDX-License-Identifier: Apache-2.0 */
#include "apart.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/helper/supervise_jail.h"

void apart_look(Agent *a)
{
    Err err = {0};
    char level[JAIL_TEXT];
    Apart *p = &a->apart;
    *p = (Apart){.have = a->conf.jobd_socket ? SEPARATION_HELPER : SEPARATION_PROCESS};
    bool told = jailed_probe(a->conf.jobd_socket, level, &err) && separation_from_name(level, &p->have, &err);
    if (!told)
        snprintf(p->why, sizeof p->why, "%.290s", err.text);
    else if (a->conf.jobd_socket && p->have < SEPARATION_HELPER)
        snprintf(p->why, sizeof p->why, "siding-jobd may not make namespaces on this host");
    if (told && a->conf.jobd_socket)
        p->have =
            SEPARATION_HELPER; /* what was set up is not replaced by less, even while it does not work */
    log_info("jobs are kept apart by: %s%s%s", separation_name(p->have), *p->why ? "; " : "", p->why);
}

static const char *wanted(const Agent *a, const JobConfig *j)
{
    return j->f.separation ? j->f.separation : a->conf.separation;
}

bool apart_check(const Agent *a, const JobConfig *j, Err *err)
{
    Separation ignored;
    return separation_choose(a->apart.have, wanted(a, j), j->f.user != NULL, &ignored, err) ||
           err_prefix(err, "job \"%s\"", j->f.name);
}

/* ---- what is hidden ------------------------------------------------------------------------------- */

static void hide(StrList *to, const char *path)
{
    if (path && *path == '/' && path[1] && !strlist_has(to, path))
        strlist_add(to, path);
}

/* A folder that only its owner enters holds secrets; of one that everybody enters only the file is one. */
static void hide_secret(StrList *to, const char *path)
{
    struct stat st;
    if (!path || *path != '/')
        return;
    AUTOFREE char *folder = fs_dirname(path);
    bool is_private = stat(folder, &st) == 0 && !(st.st_mode & 007) && folder[1];
    hide(to, is_private ? folder : path);
}

static void hide_sockets(StrList *to, const StrList *listen)
{
    for (size_t i = 0; i < listen->n; i++)
        if (str_starts(listen->v[i], "unix:"))
            hide(to, listen->v[i] + strlen("unix:"));
}

/* By which others steer this agent. */
static void hide_tokens(StrList *to, const StrList *entries)
{
    for (size_t i = 0; i < entries->n; i++)
        if (str_starts(entries->v[i], "token:"))
            hide_secret(to, entries->v[i] + strlen("token:"));
}

static void hide_copies(StrList *to, const StrList *destinations)
{
    for (size_t i = 0; i < destinations->n; i++)
        hide(to, destinations->v[i]);
}

static void hide_all(const Agent *a, StrList *to)
{
    const AgentConfig *c = &a->conf;
    const char *const folders[] = {c->state_dir, c->spool_dir, c->server.vault_dir, a->s.known.relay_dir,
                                   a->data_dir};
    const char *const secrets[] = {a->config_path,
                                   c->server.defaults_file,
                                   c->server.rescue_defaults_file,
                                   c->server.replication_defaults_file,
                                   c->server.provision_defaults_file,
                                   c->server.donor_defaults_file,
                                   c->job_defaults_file,
                                   c->load_defaults_file,
                                   c->tls.key_file,
                                   c->tls.certificate_file,
                                   c->tls.token_file,
                                   c->jobd_socket};
    for (size_t i = 0; i < COUNT(folders); i++)
        hide(to, folders[i]);
    for (size_t i = 0; i < COUNT(secrets); i++)
        hide_secret(to, secrets[i]);
    const StrList *const roles[] = {&c->roles.coordinator, &c->roles.peer, &c->roles.viewer,
                                    &c->roles.operators, &c->roles.admin};
    for (size_t i = 0; i < COUNT(roles); i++)
        hide_tokens(to, roles[i]);
    hide_sockets(to, &c->listen);
    hide_copies(to, &c->result.destinations);
    for (size_t i = 0; i < a->jobs.n; i++)
        hide_copies(to, &a->jobs.v[i].f.destinations);
}

bool apart_fill(const Agent *a, const JobConfig *j, const char *run, const char *cnf, ProgramSpec *ret,
                Err *err)
{
    Separation s;
    if (!separation_choose(a->apart.have, wanted(a, j), j->f.user != NULL, &s, err))
        return false;
    ret->is_job = true;
    ret->tasks_limit = j->f.tasks_limit;
    if (s == SEPARATION_PROCESS)
        return true;
    ret->separation = xstrdup(separation_name(s));
    ret->jobd_socket = s == SEPARATION_HELPER ? xstrdup(a->conf.jobd_socket) : NULL;
    ret->run = xstrdup(run);
    ret->cnf = xstrdup(cnf);
    hide_all(a, &ret->hide);
    const char *const shown[] = {a->conf.jobs_dir, j->tasklet ? a->conf.tasklets_dir : NULL, j->path,
                                 a->conf.server.socket};
    for (size_t i = 0; i < COUNT(shown); i++)
        hide(&ret->show, shown[i]);
    strlist_add_all(&ret->show, &j->f.show);
    return true;
}

/* ---- told ----------------------------------------------------------------------------------------- */

const char *apart_finding(const Agent *a, char *text, size_t n, const char **ret_mend)
{
    Err err = {0};
    const Apart *p = &a->apart;
    static const char *const what[] = {
        [SEPARATION_PROCESS] =
            ("jobs run as the agent's user and can read what it can: its option files, keys "
             "and state, and the server's data"),
        [SEPARATION_NAMESPACE] = "jobs run as the agent's user in namespaces of their own, without its files",
        [SEPARATION_HELPER] = "jobs run in namespaces of their own, without the agent's files"};
    *ret_mend = "install siding-jobd and set jobd_socket in agent.conf: see docs/jobs.md";
    bool lost = a->conf.jobd_socket && !jailed_answers(a->conf.jobd_socket, &err);
    if (lost)
        *ret_mend = "systemctl start siding-jobd";
    snprintf(text, n, "%s: %s%s%s", separation_name(p->have), lost ? err.text : what[p->have],
             *p->why && !lost ? "; " : "", lost ? "" : p->why);
    return lost ? "error" : p->have == SEPARATION_PROCESS || *p->why ? "warning" : "ok";
}
