/* SPDX-License-Identifier: Apache-2.0
 * gzip streams: what is written comes back, totals describe the file, damage is found.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/file/sha256.h"

enum { SIZE = 1 << 20 };
static char path[64];
static char data[SIZE], back[SIZE + 1];

static void make_data(void)
{
    uint64_t x = 88172645463325252ULL;
    for (size_t i = 0; i < SIZE; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        data[i] = i % 3 ? "etaoin shrdlu"[x % 13] : (char)(x >> 20);
    }
}

static GzTotals write_file(const char *codec, size_t n, size_t step, size_t member)
{
    Err err;
    GzWriter *w = NULL;
    GzTotals t = {0};
    assert_ok(gz_create(path, codec, &w, &err), err);
    for (size_t at = 0; at < n; at += step) {
        if (member && at % member == 0)
            assert_ok(gz_new_member(w, &err), err);
        assert_ok(gz_write(w, data + at, n - at < step ? n - at : step, &err), err);
    }
    assert_ok(gz_finish(w, &t, &err), err);
    return t;
}

static bool read_file(size_t step, size_t *ret_n, Err *err)
{
    GzReader *r = NULL;
    if (!gz_open(path, &r, err))
        return false;
    size_t total = 0, got = 0;
    bool ok;
    while ((ok = gz_read(r, back + total, SIZE + 1 - total < step ? SIZE + 1 - total : step, &got, err)) &&
           got)
        total += got;
    gz_close(r);
    *ret_n = total;
    return ok;
}

static void comes_back_with_every_codec(void **state)
{
    (void)state;
    static const char *const codecs[] = {"gzip",    "zlib:1",  "zlib:6", "zlib:9",
                                         "igzip:0", "igzip:3", "zstd:3", "none"};
    static const size_t sizes[] = {0, 1, 7, 65536, 131072, 131073, SIZE};
    for (size_t c = 0; c < COUNT(codecs); c++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            GzTotals t = write_file(codecs[c], sizes[i], 4099, i % 2 ? 4099 * 10 : 0);
            char sha[65];
            Err err;
            size_t n;
            assert_ok(sha256_file(path, sha, &err), err);
            assert_string_equal(t.sha256, sha);
            assert_int_equal(t.bytes, sizes[i]);
            assert_int_equal(t.compressed_bytes, fs_size(path));
            assert_ok(read_file(5000, &n, &err), err);
            assert_int_equal(n, sizes[i]);
            assert_memory_equal(back, data, n);
        }
    }
}

static void codecs_are_known_by_name(void **state)
{
    (void)state;
    assert_true(gz_codec_known("gzip"));
    assert_true(gz_codec_known("zlib:9"));
    assert_false(gz_codec_known("zlib:0"));
    assert_false(gz_codec_known("zlib:"));
    assert_false(gz_codec_known("lzma"));
    assert_string_equal(gz_codec_suffix("zlib:6"), ".gz");
    assert_string_equal(gz_codec_suffix("none"), "");
    GzWriter *w = NULL;
    Err err;
    assert_false(gz_create(path, "lzma", &w, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void damage_is_found(void **state)
{
    (void)state;
    write_file("gzip", 100000, 1000, 30000);
    Str file = STR_INIT;
    Err err;
    size_t n;
    assert_ok(fs_read(path, SIZE * 2, &file, &err), err);
    size_t cuts[] = {3, 9, file.len / 2, file.len - 9, file.len - 1};
    for (size_t i = 0; i < COUNT(cuts); i++) {
        assert_ok(fs_replace(path, file.p, cuts[i], 0600, &err), err);
        assert_false(read_file(5000, &n, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    file.p[file.len - 6] ^= 1; /* the stored checksum of the last member */
    assert_ok(fs_replace(path, file.p, file.len, 0600, &err), err);
    assert_false(read_file(5000, &n, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    file.p[file.len - 6] ^= 1;
    str_adds(&file, "garbage");
    assert_ok(fs_replace(path, file.p, file.len, 0600, &err), err);
    assert_false(read_file(5000, &n, &err));
    str_done(&file);
}

/* igzip says of this that it has read one byte more than there are. */
static void a_count_of_bytes_that_are_not_there_is_not_believed(void **state)
{
    (void)state;
    static const char bytes[] =
        "\x1f\x8b\x08\0\0\x0a\0\x04\xff\x0a\x0a\x09\x0a\x09\x04\x09\0\0\0\0\0\x03\x2b\xce"
        "\xcf\x4d\x55\x0a\x6e\x28";
    Err err;
    size_t n;
    assert_ok(fs_replace(path, bytes, sizeof bytes - 1, 0600, &err), err);
    assert_false(read_file(5000, &n, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void a_full_disk_is_told_and_the_file_goes(void **state)
{
    (void)state;
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){65536, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    GzWriter *w = NULL;
    Err err = {0};
    assert_ok(gz_create(path, "none", &w, &err), err);
    setrlimit(RLIMIT_FSIZE, &small);
    bool ok = gz_write(w, data, SIZE, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_false(ok);
    assert_int_equal(err.code, EFBIG);
    assert_non_null(strstr(err.text, path));
    gz_abandon(w);
    assert_false(fs_exists(path));
    gz_abandon(NULL);
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/test-gz-%d", (int)getpid());
    make_data();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_with_every_codec),
        cmocka_unit_test(codecs_are_known_by_name),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_count_of_bytes_that_are_not_there_is_not_believed),
        cmocka_unit_test(a_full_disk_is_told_and_the_file_goes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
