/* SPDX-License-Identifier: Apache-2.0
 * What agent.conf and job files name is looked for: programs that are not there or cannot run, folders,
 * secrets.
 */
#include "replica-agent/host/confcheck.h"

#include <sys/stat.h>

#include "common/file/fs.h"
#include "common/wire/finding.h"
#include "test.h"

#define S(text) ((char *)text)

static char dir[40];

static char *file(const char *name, const char *text, mode_t mode)
{
    Err err;
    char *path = xasprintf("%s/%s", dir, name);
    assert_ok(fs_replace(path, text, strlen(text), mode, &err), err);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static const Finding *found(const WireList *l, const char *name, const char *text)
{
    const Finding *f = l->v;
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(f[i].name, name) && strstr(f[i].text, text))
            return &f[i];
    return NULL;
}

static void expect(const WireList *l, const char *name, const char *level, const char *text)
{
    const Finding *f = found(l, name, text);
    if (!f || !str_eq(f->level, level)) {
        AUTO(str_done) Str all = STR_INIT;
        finding_write(l, true, &all);
        fail_msg("no %s %s \"%s\" in\n%s", level, name, text, str_z(&all));
    }
}

static void programs(void **state)
{
    (void)state;
    AUTOFREE char *good = file("good", "#!/bin/sh\n", 0755), *plain = file("plain", "#!/bin/sh\n", 0644),
                  *lost = file("lost", "#! /nonexistent/perl -w\n", 0755),
                  *binary = file("binary",
                                 "\x7f"
                                 "ELF",
                                 0755);
    const struct {
        const char *path, *why;
    } rows[] = {{good, NULL},
                {binary, NULL},
                {plain, "may not be executed"},
                {lost, "its interpreter /nonexistent/perl: there is no such file"},
                {dir, "is not a file"},
                {"/nonexistent/x", "there is no such file"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *why = confcheck_program(rows[i].path, true);
        if (!str_eq(why, rows[i].why))
            fail_msg("%s: %s", rows[i].path, why);
    }
}

static void jobs(void **state)
{
    (void)state;
    WireList l = {0};
    AUTOFREE char *good = file("good", "#!/bin/sh\n", 0755);
    const JobFile bad = {.name = S("rows"),
                         .program = S("/nonexistent/rows"),
                         .upload_program = good,
                         .encryption = {.program = S("/nonexistent/age")}},
                  well = {.name = S("fine"), .program = good};
    confcheck_job(&bad, "/etc/siding/jobs/rows.conf", &l);
    assert_int_equal(l.n, 2);
    expect(&l, "job", "error",
           "program of job rows (/etc/siding/jobs/rows.conf): /nonexistent/rows: there is no such file");
    expect(&l, "job", "error", "encryption.program of job rows");
    confcheck_job(&well, NULL, &l);
    expect(&l, "job", "ok", "fine: built in");
    finding_free(&l);
}

static void files(void **state)
{
    (void)state;
    WireList l = {0};
    AUTOFREE char *secret = file("agent.cnf", "[client]\n", 0600),
                  *open = file("job.cnf", "[client]\n", 0644), *plain = file("plain", "x", 0644),
                  *below = xasprintf("%s/plain/spool", dir), *made = xasprintf("%s/a/vault", dir),
                  *unix_socket = xasprintf("unix:%s/nowhere/agent.sock", dir);
    char *listen[] = {unix_socket, NULL};
    AgentConfig c = {.state_dir = dir,
                     .spool_dir = below,
                     .jobs_dir = plain,
                     .advertise_url = S("http://127.0.0.1:1"),
                     .listen = {listen, 1, 0},
                     .server = {.defaults_file = secret,
                                .vault_dir = made,
                                .rescue_defaults_file = S("/nonexistent/rescue.cnf"),
                                .provision_defaults_file = open},
                     .job_defaults_file = open,
                     .hooks = {.before_pause = S("/nonexistent/hook")}};
    confcheck_files(&c, &l);
    expect(&l, "state_dir", "ok", dir);
    expect(&l, "spool_dir", "error", "/plain/spool: Not a directory");
    expect(&l, "jobs_dir", "error", "is not a folder");
    expect(&l, "server.vault_dir", "ok", "will be made");
    expect(&l, "listen", "error", "/nowhere: there is no such folder");
    expect(&l, "server.defaults_file", "ok", secret);
    expect(&l, "server.rescue_defaults_file", "error", "there is no such file");
    expect(&l, "server.provision_defaults_file", "error", "run chmod 600");
    expect(&l, "job_defaults_file", "error", "run chmod 600");
    expect(&l, "load_defaults_file", "warning", "is not set: results cannot be loaded");
    expect(&l, "hooks", "error", "hooks.before_pause: /nonexistent/hook: there is no such file");
    assert_null(found(&l, "certificate", ""));
    finding_free(&l);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/siding-confcheck-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    Err err;
    assert_ok(fs_remove_tree(dir, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs),
        cmocka_unit_test(jobs),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
