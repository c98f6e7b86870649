/* SPDX-License-Identifier: Apache-2.0 */
#include "jobd_config.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(name) offsetof(JobdConfig, name)

const ConfOption jobd_config_options[] = {
    {"agent_user", CONF_STR, FIELD(agent_user), .required = true,
     .doc =
         "Operating system user of siding-agent, the only one besides root that is listened to: \"mysql\"."},
    {"socket", CONF_PATH, FIELD(socket), .fallback = "/run/siding-jobd/jobd.sock",
     .doc = "Where it listens; jobd_socket of agent.conf says the same."},
    {"spool_dir", CONF_PATH, FIELD(spool_dir), .required = true,
     .doc = "The agent's spool_dir: only folders of runs in it are given to jobs."},
    {"users", CONF_STRS, FIELD(users), .required = true,
     .doc = "Operating system users that jobs may run as; the first one where a job names none. Not root."},
    {"programs", CONF_STRS, FIELD(programs), .required = true,
     .doc =
         "Programs that may be run, with whatever arguments the agent gives: each must do no harm with any, "
         "so that no shell and no interpreter belongs here. Root alone may be able to change them."},
    {"hide", CONF_STRS, FIELD(hide), .required = true,
     .doc = "Folders and files that no job sees: state_dir, the server's data folder, the folder of option "
            "files "
            "and keys. The spool_dir always is."},
    {"show", CONF_STRS, FIELD(show),
     .doc = "What of them jobs see all the same, read-only: the folder of job files, the server's socket."},
    {"memory_limit_bytes", CONF_INT, FIELD(memory_limit_bytes), .fallback = "0", .max = INT64_MAX,
     .doc = "Most memory of any job; 0: as the job file says."},
    {"tasks_limit", CONF_INT, FIELD(tasks_limit), .fallback = "1024", .min = 1, .max = 1000000,
     .doc = "Most processes and threads of any job."},
    {0},
};

static bool check_owner(const char *path, Err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(err, errno, "read %s", path);
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
        return err_set(err, ERR_REFUSED, 0,
                       "%s can be changed by others than root: chown root %s && chmod 644 %s", path, path,
                       path);
    return true;
}

bool jobd_config_load(const char *path, JobdConfig *ret, Err *err)
{
    JobdConfig c = {0};
    if (!check_owner(path, err) || !conf_load(path, jobd_config_options, &c, err))
        return false;
    if (!c.users.n || strlist_has(&c.users, "root")) {
        jobd_config_free(&c);
        return conf_error(err, path, "users", "wants at least one user, and never root");
    }
    *ret = c;
    return true;
}

void jobd_config_free(JobdConfig *c)
{
    conf_free(jobd_config_options, c);
}
