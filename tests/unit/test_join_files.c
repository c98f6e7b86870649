/* SPDX-License-Identifier: Apache-2.0
 * The files of a host that joins: all or none, nothing replaced, and gone on with after a kill at any point.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "replica-agent/agent/join.h"
#include "test.h"

static char dir[40];
static JoinPlace place;

static char *path(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static int make(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/join.XXXXXX");
    assert_non_null(mkdtemp(dir));
    place =
        (JoinPlace){.dir = dir, .state = "/srv/s", .socket = "/run/s.sock", .uid = getuid(), .gid = getgid()};
    return 0;
}

static int drop(void **state)
{
    Err err;
    (void)state;
    assert_ok(fs_remove_tree(dir, &err), err);
    return 0;
}

static json_t *bundle(const char *name)
{
    json_t *b = json_object(), *files = json_object();
    json_set_str(files, "agent.conf", "state = \"@STATE@/@DIR@\"; socket = \"@SOCKET@\";\n");
    json_set_str(files, "db4.key", "@DIR@\n");
    json_set_str(files, name, "x");
    json_set_str(b, "flavor", "mariadb");
    json_object_set_new(b, "files", files);
    return b;
}

static void expect_file(const char *name, const char *text)
{
    Err err;
    struct stat st;
    AUTO(str_done) Str is = STR_INIT;
    AUTOFREE char *at = path(name);
    assert_ok(fs_read(at, 1000, &is, &err), err);
    assert_string_equal(str_z(&is), text);
    assert_int_equal(stat(at, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static bool is_there(const char *name)
{
    AUTOFREE char *at = path(name);
    return fs_exists(at);
}

static void all_of_them(void **state)
{
    (void)state;
    Err err;
    bool staged;
    DbFlavor flavor;
    AUTOJSON json_t *b = bundle("agent.cnf");
    assert_ok(join_files_look(&place, "hash", &staged, &err), err);
    assert_false(staged);
    assert_ok(join_files_stage(&place, "hash", b, &err), err);
    assert_false(is_there("agent.conf") || is_there("db4.key") || is_there("agent.cnf"));
    assert_ok(join_files_look(&place, "hash", &staged, &err), err);
    assert_true(staged);
    assert_ok(join_files_move(&place, &flavor, &err), err);
    AUTOFREE char *conf = xasprintf("state = \"/srv/s/%s\"; socket = \"/run/s.sock\";\n", dir);
    expect_file("agent.conf", conf);
    expect_file("db4.key", "@DIR@\n");
    assert_ok(join_files_finish(&place, &err), err);
    assert_false(is_there(".joining"));
    assert_false(join_files_look(&place, "hash", &staged, &err));
    assert_non_null(strstr(err.text, "agent.conf is there already"));
}

static void a_kill_is_gone_on_from(void **state)
{
    (void)state;
    Err err;
    bool staged;
    DbFlavor flavor;
    AUTOJSON json_t *b = bundle("agent.cnf");
    assert_ok(join_files_stage(&place, "hash", b, &err), err);
    /* as killed before the last file was staged: begun anew */
    AUTOFREE char *marker = path(".joining/join.json"), *key = path("db4.key"),
                  *from = path(".joining/db4.key");
    assert_ok(fs_remove(marker, &err), err);
    assert_ok(join_files_look(&place, "hash", &staged, &err), err);
    assert_false(staged);
    assert_ok(join_files_stage(&place, "hash", b, &err), err);
    /* as killed between two moves: those that are left follow */
    assert_int_equal(rename(from, key), 0);
    assert_ok(join_files_look(&place, "hash", &staged, &err), err);
    assert_true(staged);
    assert_false(is_there("agent.conf"));
    assert_false(join_files_look(&place, "another", &staged, &err));
    assert_non_null(strstr(err.text, "db4.key"));
    assert_ok(join_files_move(&place, &flavor, &err), err);
    assert_ok(join_files_move(&place, &flavor, &err), err);
    assert_true(is_there("agent.conf") && is_there("db4.key") && is_there("agent.cnf"));
}

static void nothing_is_replaced(void **state)
{
    (void)state;
    Err err;
    AUTOJSON json_t *b = bundle("agent.cnf");
    AUTOFREE char *at = path("agent.cnf"), *jobs = path("jobs");
    assert_ok(fs_replace(at, "mine", 4, 0600, &err), err);
    assert_ok(fs_mkdirs(jobs, 0700, &err), err);
    assert_false(join_files_stage(&place, "hash", b, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    expect_file("agent.cnf", "mine");
    assert_false(is_there("agent.conf"));
}

/* They could lead elsewhere what is written in our name. */
static void a_folder_that_others_change_is_refused(void **state)
{
    (void)state;
    Err err;
    bool staged;
    AUTOFREE char *link = path("link"), *real = path("real");
    JoinPlace linked = place;
    linked.dir = link;
    assert_int_equal(mkdir(real, 0700) | symlink(real, link), 0);
    assert_false(join_files_look(&linked, "hash", &staged, &err));
    assert_non_null(strstr(err.text, "may change"));
    assert_int_equal(chmod(dir, 0770), 0);
    assert_false(join_files_look(&place, "hash", &staged, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_ok(join_files_look(&place, "hash", &staged, &err), err);
}

static void odd_names_go_nowhere(void **state)
{
    (void)state;
    Err err;
    static const char *const odd[] = {"../x", "/tmp/x", ".bashrc", "a/b", "", "a b", "join.json"};
    for (size_t i = 0; i < COUNT(odd); i++) {
        AUTOJSON json_t *b = bundle(odd[i]);
        if (join_files_stage(&place, "hash", b, &err))
            fail_msg("\"%s\" was taken", odd[i]);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_false(is_there("agent.conf"));
    }
    AUTOJSON json_t *none = json_object();
    assert_false(join_files_stage(&place, "hash", none, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_them, make, drop),
        cmocka_unit_test_setup_teardown(a_kill_is_gone_on_from, make, drop),
        cmocka_unit_test_setup_teardown(nothing_is_replaced, make, drop),
        cmocka_unit_test_setup_teardown(a_folder_that_others_change_is_refused, make, drop),
        cmocka_unit_test_setup_teardown(odd_names_go_nowhere, make, drop),
    };
    return cmocka_run_group_tests_name("join_files", tests, NULL, NULL);
}
