/* SPDX-License-Identifier: Apache-2.0
 * Sealing what a hostile or careless job has left: each story is a folder, and what is told of it.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "replica-agent/host/tools.h"
#include "test.h"

static struct {
    char *top, *dir, *manifest, *said;
} f;

static char *in_dir(const char *name)
{
    return xasprintf("%s/%s", f.dir, name);
}

static void put(const char *name, const char *text)
{
    Err err;
    AUTOFREE char *path = in_dir(name), *above = fs_dirname(path);
    assert_ok(fs_mkdirs(above, 0700, &err), err);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void rule(const char *text)
{
    Err err;
    assert_ok(fs_replace(f.manifest, text, strlen(text), 0600, &err), err);
}

static int set_up(void **state)
{
    (void)state;
    Err err;
    char top[] = "/tmp/siding-seal-XXXXXX";
    assert_non_null(mkdtemp(top));
    f.top = xstrdup(top);
    f.dir = xasprintf("%s/out", top);
    f.manifest = xasprintf("%s/run.json", top);
    f.said = xasprintf("%s/said", top);
    assert_ok(fs_mkdirs(f.dir, 0700, &err), err);
    rule("{\"run\":\"1.1\",\"job\":\"j\",\"kind\":\"command\",\"upload\":null}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    Err err;
    assert_ok(fs_remove_tree(f.top, &err), err);
    char *const owned[] = {f.top, f.dir, f.manifest, f.said};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    return 0;
}

/* What it says on stderr goes to a file. */
static int seal_once(void)
{
    char *argv[] = {(char *)"seal", (char *)"--dir", f.dir, (char *)"--manifest", f.manifest, NULL};
    int kept = dup(2), to = open(f.said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(to, 2);
    close(to);
    int status = seal_main(5, argv);
    dup2(kept, 2);
    close(kept);
    return status;
}

static json_t *sealed(void)
{
    Err err;
    json_t *m;
    AUTOFREE char *path = in_dir("manifest.json");
    if (seal_once() != 0) {
        AUTO(str_done) Str said = STR_INIT;
        assert_ok(fs_read(f.said, 65536, &said, &err), err);
        fail_msg("%s", str_z(&said));
    }
    assert_ok(json_read_file(path, &m, &err), err);
    return m;
}

static void refused(const char *why)
{
    Err err;
    AUTO(str_done) Str said = STR_INIT;
    AUTOFREE char *path = in_dir("SHA256SUMS");
    int status = seal_once();
    assert_ok(fs_read(f.said, 65536, &said, &err), err);
    if (status == 0 || !strstr(str_z(&said), why))
        fail_msg("status %d, not \"%s\" but: %s", status, why, str_z(&said));
    struct stat st;
    assert_true(lstat(path, &st) < 0 || st.st_size < 64); /* the job's own, or none */
}

static void files_are_compressed_and_described(void **state)
{
    (void)state;
    put("a.txt", "1\n2\n3\n");
    put("below/b", "x\n");
    json_t *m = sealed(), *files = json_object_get(m, "files");
    assert_int_equal(json_array_size(files), 2);
    assert_string_equal(json_str(json_array_get(files, 0), "name"), "a.txt.gz");
    assert_int_equal(json_int(json_array_get(files, 0), "rows"), 3);
    assert_string_equal(json_str(json_array_get(files, 1), "name"), "below/b.gz");
    json_t *again = sealed();
    assert_true(json_equal(again, m));
    json_decref(again);
    json_decref(m);
}

static void what_is_no_plain_file_of_the_job_is_refused(void **state)
{
    (void)state;
    AUTOFREE char *a = in_dir("a"), *b = in_dir("b");
    put("a", "x");
    assert_int_equal(symlink("/etc", b), 0);
    refused("\"b\" is a symbolic link");
    unlink(b);
    assert_int_equal(link(a, b), 0);
    refused("more than one name");
    unlink(b);
    assert_int_equal(mkfifo(b, 0600), 0);
    refused("neither a file nor a folder");
    unlink(b);
    put("b", "x");
    chmod(b, 04755);
    refused("setuid");
    chmod(b, 02755);
    refused("setuid or setgid");
    unlink(b);
    int fd = open(b, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && ftruncate(fd, INT64_C(1) << 40) == 0);
    close(fd);
    refused("holes");
    unlink(b);
    json_decref(sealed());
}

static void a_folder_that_is_a_link_is_not_entered(void **state)
{
    (void)state;
    AUTOFREE char *b = in_dir("b");
    AUTOFREE char *outside = xasprintf("%s/outside", f.top);
    Err err;
    assert_ok(fs_mkdirs(outside, 0700, &err) && fs_replace(f.said, "", 0, 0600, &err), err);
    assert_int_equal(symlink(outside, b), 0);
    refused("symbolic link");
}

static void names_that_seal_would_lose_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } bad[] = {{"manifest.json", "reserved"}, {"SHA256SUMS", "reserved"}, {"x.tmp", "reserved"},
               {"a\nb", "control"},           {"caf\xe9", "not UTF-8"},   {"d/x.siding-tmp", "reserved"},
               {"files.json", "must hold"},   {"a\x1b]0;b", "control"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTOFREE char *path = in_dir(bad[i].name);
        put(bad[i].name, "[]");
        refused(bad[i].why);
        unlink(path);
    }
    char most[241];
    memset(most, 'n', 240);
    most[240] = 0;
    AUTOFREE char *path = in_dir(most);
    put(most, "x"); /* .gz does not fit any more */
    refused("240 bytes");
    unlink(path);
    put("a.txt", "x");
    put("a.txt.gz", "y");
    refused("one of them would be lost");
}

static void what_the_job_says_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *said, *why;
    } bad[] = {
        {"[]", "must hold"},
        {"{\"files\":{}}", "must hold"},
        {"{\"files\":[{\"name\":\"../../etc/passwd\"}]}", "empty"},
        {"{\"files\":[{\"name\":\"gone\"}]}", "did not leave"},
        {"{\"files\":[{\"name\":\"a.gz\",\"rows\":-1}]}", "rows"},
        {"{\"files\":[{\"name\":\"a.gz\",\"rows\":\"7\"}]}", "rows"},
        {"{\"files\":[{\"name\":\"a.gz\",\"sha256\":\"x\"}]}", "sha256"},
        {"{\"files\":[{\"name\":\"a.gz\"},{\"name\":\"a.gz\"}]}", "twice"},
        {"{\"files\":[\"a.gz\"]}", "name"},
        {"{\"files\":[{\"name\":\"a.gz\",\"sha256\":"
         "\"0000000000000000000000000000000000000000000000000000000000000000\",\"bytes\":1}]}",
         "is not what the job wrote"},
        {"{\"files\":[],\"upload\":{\"mode\":\"append\",\"target\":\"mysql.user\"}}", "names none"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTOFREE char *plan = xasprintf("%s/" SEAL_PLAN_FILE, f.top);
        unlink(plan);
        put("a.gz", "no gzip at all");
        put("files.json", bad[i].said);
        refused(bad[i].why);
    }
}

static void a_job_does_not_write_the_agents_facts(void **state)
{
    (void)state;
    put("rows", "1\n");
    put(".siding-sealed", "");
    put(".siding-facts.json", "[]");
    put("files.json",
        "{\"files\":[],\"run\":\"9.9\",\"gathered\":true,\"encrypted\":\".age\",\"lag_ms\":5,\"tables\":[]}");
    json_t *m = sealed();
    assert_string_equal(json_str(m, "run"), "1.1");
    static const char *const ours[] = {"gathered", "encrypted", "lag_ms"};
    for (size_t i = 0; i < COUNT(ours); i++)
        assert_null(json_object_get(m, ours[i]));
    assert_non_null(json_object_get(m, "tables"));
    assert_int_equal(json_array_size(json_object_get(m, "files")),
                     2); /* .siding-facts.json is a file like others */
    json_decref(m);
}

/* The agent reads manifests again and again, on the thread that lets replicas go on. */
static void a_job_says_little_of_its_result(void **state)
{
    (void)state;
    AUTO(str_done) Str said = STR_INIT;
    str_adds(&said, "{\"files\":[],\"note\":[0");
    while (said.len < 3 << 20)
        str_adds(&said, ",0");
    str_adds(&said, "]}");
    put("rows", "1\n");
    put("files.json", str_z(&said));
    refused("beside its files; at most 1048576 are kept");
    while (said.len < 20 << 20)
        str_adds(&said, "          ");
    for (int i = 0; i < 6 << 20; i++)
        str_adds(&said, ",{}");
    AUTOFREE char *plan = xasprintf("%s/" SEAL_PLAN_FILE, f.top);
    unlink(plan);
    put("files.json", str_z(&said));
    refused("too many values");
}

static void rows_that_no_rule_loads_fail_the_seal(void **state)
{
    (void)state;
    rule("{\"run\":\"1.1\",\"job\":\"j\",\"kind\":\"command\",\"upload\":{\"mode\":\"append\",\"target\":\"s."
         "t\",\"job\":\"j\"}}");
    put("s.t.0.tsv", "1\n");
    put("totals.tsv", "1\n");
    refused("totals.tsv.gz would not be loaded");
}

static void a_folder_deeper_than_the_stack_is_refused(void **state)
{
    (void)state;
    int at = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    refused("too deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_compressed_and_described, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_plain_file_of_the_job_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_a_link_is_not_entered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_seal_would_lose_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_job_says_is_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_does_not_write_the_agents_facts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_says_little_of_its_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_that_no_rule_loads_fail_the_seal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_deeper_than_the_stack_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
