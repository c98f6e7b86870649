/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 against its published examples (FIPS 180-4).
 */
#include "test.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/sha256.h"

static void published_examples(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sha;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char path[64], sha[65];
    snprintf(path, sizeof path, "/tmp/test-sha256-%d", (int)getpid());
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        size_t n = strlen(cases[i].text);
        Sha256 *s = sha256_new();
        for (size_t at = 0; at < n; at++)
            sha256_add(s, cases[i].text + at, 1);
        sha256_finish(s, sha);
        assert_string_equal(sha, cases[i].sha);
        assert_ok(fs_replace(path, cases[i].text, n, 0600, &err), err);
        assert_ok(sha256_file(path, sha, &err), err);
        assert_string_equal(sha, cases[i].sha);
    }
    unlink(path);
}

static void unreadable_files_are_told(void **state)
{
    (void)state;
    Err err;
    char sha[65];
    assert_false(sha256_file("/nonexistent/x", sha, &err));
    assert_string_equal(err.text, "cannot open /nonexistent/x: No such file or directory");
    assert_false(sha256_file("/tmp", sha, &err));
    sha256_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(unreadable_files_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
