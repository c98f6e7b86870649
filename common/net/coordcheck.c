/* SPDX-License-Identifier: Apache-2.0 */
#include "coordcheck.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificate.h"
#include "common/file/fs.h"
#include "common/wire/finding.h"
#include "http.h"

static void check_secret(const char *option, const char *path, const char *absent, WireList *findings)
{
    Err err;
    if (!path)
        return;
    AUTOFREE char *owner = xasprintf("run as the user of sidingd, or: chown it to that user: %s", path);
    if (!fs_exists(path))
        finding_add(findings, option, "error", absent, "%s: there is no such file", path);
    else if (access(path, R_OK) < 0)
        finding_add(findings, option, "warning", owner, "%s is not readable by this user", path);
    else if (!fs_check_private(path, &err))
        finding_add(findings, option, "error", NULL, "%s", err.text);
    else
        finding_add(findings, option, "ok", NULL, "%s", path);
}

static void check_folder(const char *option, const char *path, WireList *findings)
{
    struct stat st;
    AUTOFREE char *mend =
        xasprintf("install -d -o siding -g siding -m 0750 %s, owned by the user of sidingd", path);
    if (stat(path, &st) < 0)
        finding_add(findings, option, "error", mend, "%s: %s", path,
                    errno == ENOENT ? "there is no such folder" : strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        finding_add(findings, option, "error", mend, "%s is not a folder", path);
    else
        finding_add(findings, option, "ok", NULL, "%s", path);
}

static void check_certificate(const SidingConfig *c, WireList *findings)
{
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    for (size_t i = 0; i < c->listen.n; i++) {
        AUTOFREE char *host = cert_host_of(c->listen.v[i]);
        bool plain = !host || (http_address_is_local(c->listen.v[i]) && !str_starts(c->listen.v[i], "tls:"));
        if (!plain && !strlist_has(&hosts, host))
            strlist_add(&hosts, host);
    }
    cert_check(&c->tls, &hosts, "sidingd", findings);
}

void coordcheck_files(const SidingConfig *c, WireList *findings)
{
    check_folder("state_dir", c->state_dir, findings);
    for (size_t i = 0; i < c->listen.n; i++) {
        AUTOFREE char *folder =
            str_starts(c->listen.v[i], "unix:") ? fs_dirname(c->listen.v[i] + strlen("unix:")) : NULL;
        if (folder && !fs_exists(folder))
            finding_add(
                findings, "listen", "warning",
                "RuntimeDirectory= in the unit makes it, or install -d with the user of sidingd as owner",
                "%s: there is no such folder yet", folder);
        else if (folder)
            check_folder("listen", folder, findings);
    }
    check_secret("database_defaults_file", c->database_defaults_file,
                 "siding bootstrap writes it where credentials_dir is set", findings);
    if (c->credentials_dir)
        check_folder("credentials_dir", c->credentials_dir, findings);
    check_certificate(c, findings);
}

void coordcheck_admin(const SidingConfig *c, WireList *findings)
{
    check_secret("admin_defaults_file", c->admin_defaults_file, "create it with mode 0600, group [client]",
                 findings);
}
