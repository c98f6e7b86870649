/* SPDX-License-Identifier: Apache-2.0
 * Stored passwords, as MariaDB 10.11 and MySQL 9.7 have made them.
 */
#include "test.h"

#include <string.h>

#include "common/db/passhash.h"

static const unsigned char of_old[] = {0x24, 0x41, 0x24, 0x30, 0x30, 0x41, 0x24, 0x29, 0x4A, 0x77, 0x01, 0x2D,
                                       0x46, 0x38, 0x68, 0x03, 0x01, 0x64, 0x5E, 0x12, 0x62, 0x6F, 0x59, 0x10,
                                       0x16, 0x33, 0x3C, 0x77, 0x73, 0x35, 0x79, 0x72, 0x37, 0x43, 0x51, 0x4D,
                                       0x66, 0x31, 0x52, 0x56, 0x54, 0x6D, 0x4D, 0x46, 0x74, 0x4A, 0x6E, 0x62,
                                       0x31, 0x32, 0x55, 0x77, 0x6A, 0x2F, 0x2F, 0x67, 0x63, 0x53, 0x71, 0x75,
                                       0x4B, 0x30, 0x73, 0x71, 0x6C, 0x7A, 0x62, 0x56, 0x52, 0x44};

static void servers_hashes(void **state)
{
    (void)state;
    AUTOFREE char *native = passhash_native("old");
    assert_string_equal(native, "*CD02AC33DE7D3D2AFEDF5F2BAB51B07CDB499E79");
    assert_int_equal(passhash_match("mysql_native_password", native, strlen(native), "old"), PASS_MATCHES);
    assert_int_equal(passhash_match("mysql_native_password", native, strlen(native), "new"), PASS_DIFFERS);
    const char *sha2 = (const char *)of_old;
    assert_int_equal(passhash_match("caching_sha2_password", sha2, sizeof of_old, "old"), PASS_MATCHES);
    assert_int_equal(passhash_match("caching_sha2_password", sha2, sizeof of_old, "Old"), PASS_DIFFERS);
    assert_int_equal(passhash_match("caching_sha2_password", sha2, sizeof of_old - 1, "old"), PASS_UNKNOWN);
    assert_int_equal(passhash_match("ed25519", native, strlen(native), "old"), PASS_UNKNOWN);
    assert_int_equal(passhash_match("mysql_native_password", "", 0, "old"), PASS_UNKNOWN);
}

static char *unhex(const char *hex, size_t *ret_n)
{
    *ret_n = strlen(hex) / 2;
    char *out = xcalloc(*ret_n + 1, 1);
    for (size_t i = 0; i < *ret_n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (char)byte;
    }
    return out;
}

static void what_is_made_matches(void **state)
{
    (void)state;
    static const char *const passwords[] = {
        "", "a", "0123456789012345678901234567890123456789",
        "a password of sixty-four bytes and more, longer than two digests of SHA-256 are"};
    for (size_t i = 0; i < COUNT(passwords); i++) {
        size_t n;
        AUTOFREE char *hex = passhash_sha2(passwords[i]);
        AUTOFREE char *again = passhash_sha2(passwords[i]);
        AUTOFREE char *stored = unhex(hex, &n);
        assert_string_not_equal(hex, again);
        assert_int_equal(passhash_match("caching_sha2_password", stored, n, passwords[i]), PASS_MATCHES);
        assert_int_equal(passhash_match("caching_sha2_password", stored, n, "another"), PASS_DIFFERS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_hashes),
        cmocka_unit_test(what_is_made_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
