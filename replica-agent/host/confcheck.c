/* SPDX-License-Identifier: Apache-2.0 */
#include "confcheck.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/net/certificate.h"
#include "common/wire/finding.h"

enum { INTERPRETER_BYTES = 256 };

/* ---- programs ------------------------------------------------------------------------------------- */

static char *file_trouble(const char *path, bool by_us)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return xstrdup(errno == ENOENT ? "there is no such file" : strerror(errno));
    if (!S_ISREG(st.st_mode))
        return xstrdup("is not a file");
    if (!(st.st_mode & 0111) || (by_us && access(path, X_OK) < 0))
        return xstrdup("may not be executed");
    return NULL;
}

/* The interpreter that "#!" names: without it the kernel says of the script that there is no such file. */
static char *interpreter_of(const char *path)
{
    char line[INTERPRETER_BYTES + 1];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(line, 1, INTERPRETER_BYTES, f) : 0;
    if (f)
        fclose(f);
    line[n] = 0;
    if (!str_starts(line, "#!"))
        return NULL;
    const char *p = line + 2 + strspn(line + 2, " \t");
    return xstrndup(p, strcspn(p, " \t\r\n"));
}

char *confcheck_program(const char *path, bool by_us)
{
    char *why = file_trouble(path, by_us);
    AUTOFREE char *interpreter = why ? NULL : interpreter_of(path);
    AUTOFREE char *its = interpreter ? file_trouble(interpreter, by_us) : NULL;
    return its ? xasprintf("its interpreter %s: %s", interpreter, its) : why;
}

static void check_program(const char *name, const char *option, const char *program, bool by_us,
                          WireList *findings)
{
    if (!program)
        return;
    AUTOFREE char *why = confcheck_program(program, by_us);
    AUTOFREE char *mend =
        xasprintf("install %s on this host, executable for who runs it, or mend %s", program, option);
    if (why)
        finding_add(findings, name, "error", mend, "%s: %s: %s", option, program, why);
}

void confcheck_job(const JobFile *f, const char *path, WireList *findings)
{
    const struct {
        const char *option, *program;
    } programs[] = {{"program", f->program},
                    {"upload_program", f->upload_program},
                    {"encryption.program", f->encryption.program}};
    size_t before = findings->n;
    for (size_t i = 0; i < COUNT(programs); i++) {
        AUTOFREE char *option =
            xasprintf("%s of job %s (%s)", programs[i].option, f->name, path ? path : "built in");
        check_program("job", option, programs[i].program, !f->user, findings);
    }
    if (findings->n == before)
        finding_add(findings, "job", "ok", NULL, "%s: %s", f->name, path ? path : "built in");
}

static void check_own_programs(WireList *findings)
{
    static const char *const names[] = {"siding-dump", "siding-index", "siding-load"};
    AUTOFREE char *dir = fs_program_dir();
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTOFREE char *path = xasprintf("%s/%s", dir, names[i]);
        AUTOFREE char *why = confcheck_program(path, true);
        if (why)
            finding_add(findings, "programs", "error", "install all programs of Siding into one folder",
                        "%s, which siding-agent runs: %s", path, why);
    }
}

/* ---- folders and files ---------------------------------------------------------------------------- */

static const char *who(void)
{
    return geteuid() == 0 ? "root" : "this user";
}

typedef enum FolderUse { FOLDER_READ, FOLDER_WRITE, FOLDER_OURS } FolderUse;

/* The agent makes its own folders, where it may. */
static bool can_be_made(const char *path)
{
    AUTOFREE char *above = fs_dirname(path);
    while (!fs_exists(above) && !str_eq(above, "/")) {
        char *next = fs_dirname(above);
        free(above);
        above = next;
    }
    return access(above, W_OK | X_OK) == 0;
}

static void check_folder(const char *option, const char *path, FolderUse use, WireList *findings)
{
    struct stat st;
    if (!path)
        return;
    AUTOFREE char *mend =
        xasprintf("install -d -o mysql -g mysql -m 0700 %s, owned by the user of siding-agent", path);
    if (stat(path, &st) < 0 && errno == ENOENT && use == FOLDER_OURS && can_be_made(path))
        finding_add(findings, option, "ok", NULL, "%s will be made", path);
    else if (stat(path, &st) < 0)
        finding_add(findings, option, "error", mend, "%s: %s", path,
                    errno == ENOENT ? "there is no such folder" : strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        finding_add(findings, option, "error", mend, "%s is not a folder", path);
    else if (access(path, use == FOLDER_READ ? R_OK | X_OK : R_OK | W_OK | X_OK) < 0)
        finding_add(findings, option, "error", mend, "%s may not %s %s", who(),
                    use == FOLDER_READ ? "read" : "write into", path);
    else
        finding_add(findings, option, "ok", NULL, "%s", path);
}

static void check_secret(const char *option, const char *path, const char *needed_for, WireList *findings)
{
    Err err;
    if (!path) {
        if (needed_for)
            finding_add(findings, option, "warning", "siding bootstrap writes it; name it in agent.conf",
                        "is not set: %s", needed_for);
        return;
    }
    AUTOFREE char *owner = xasprintf("chown mysql %s: its owner must be the user of siding-agent", path);
    if (!fs_exists(path))
        finding_add(findings, option, "error",
                    "copy it from credentials_dir of the coordinator's host, where siding "
                    "bootstrap writes it",
                    "%s: there is no such file", path);
    else if (access(path, R_OK) < 0)
        finding_add(findings, option, "error", owner, "%s may not read %s", who(), path);
    else if (!fs_check_private(path, &err))
        finding_add(findings, option, "error", NULL, "%s", err.text);
    else
        finding_add(findings, option, "ok", NULL, "%s", path);
}

static void check_listen(const StrList *listen, WireList *findings)
{
    for (size_t i = 0; i < listen->n; i++) {
        if (!str_starts(listen->v[i], "unix:"))
            continue;
        AUTOFREE char *folder = fs_dirname(listen->v[i] + strlen("unix:"));
        check_folder("listen", folder, FOLDER_WRITE, findings);
    }
}

void confcheck_files(const AgentConfig *c, WireList *findings)
{
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    AUTOFREE char *host = cert_host_of(c->advertise_url);
    if (host)
        strlist_add(&hosts, host);
    check_folder("state_dir", c->state_dir, FOLDER_OURS, findings);
    check_folder("spool_dir", c->spool_dir, FOLDER_OURS, findings);
    check_folder("jobs_dir", c->jobs_dir, FOLDER_READ, findings);
    check_folder("tasklets_dir", c->tasklets_dir, FOLDER_READ, findings);
    check_folder("server.vault_dir", c->server.vault_dir, FOLDER_OURS, findings);
    check_listen(&c->listen, findings);
    check_secret("server.defaults_file", c->server.defaults_file, NULL, findings);
    check_secret("server.rescue_defaults_file", c->server.rescue_defaults_file, NULL, findings);
    check_secret("server.replication_defaults_file", c->server.replication_defaults_file, NULL, findings);
    check_secret("server.provision_defaults_file", c->server.provision_defaults_file, NULL, findings);
    check_secret("server.donor_defaults_file", c->server.donor_defaults_file, NULL, findings);
    check_secret("job_defaults_file", c->job_defaults_file, "jobs have no account to read with", findings);
    check_secret("load_defaults_file", c->load_defaults_file,
                 "results cannot be loaded while this host is the primary", findings);
    check_program("hooks", "hooks.before_pause", c->hooks.before_pause, true, findings);
    check_program("hooks", "hooks.after_caught_up", c->hooks.after_caught_up, true, findings);
    check_program("hooks", "hooks.after_promotion", c->hooks.after_promotion, true, findings);
    check_program("hooks", "hooks.after_demotion", c->hooks.after_demotion, true, findings);
    check_program("dump_encryption", "dump_encryption.program", c->dump_encryption.program, true, findings);
    check_own_programs(findings);
    cert_check(&c->tls, &hosts, "siding-agent", findings);
}
