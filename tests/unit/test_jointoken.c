/* SPDX-License-Identifier: Apache-2.0
 * Tokens of new hosts: as a word and back, and what is sealed with one opens with no other.
 */
#include "common/net/jointoken.h"

#include "test.h"

static JoinToken token(void)
{
    JoinToken t = {.node = xstrdup("db4"), .pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="};
    strlist_add(&t.addresses, "10.0.0.1:3311");
    strlist_add(&t.addresses, "[fd00::1]:3311");
    jointoken_draw(&t);
    return t;
}

static void as_a_word_and_back(void **state)
{
    (void)state;
    Err err;
    AUTO(jointoken_done) JoinToken t = token(), read = {0};
    AUTOFREE char *text = jointoken_text(&t), *with_end = xasprintf(" %s\n", text);
    assert_null(strpbrk(text, " \t\n'\"$"));
    assert_true(jointoken_is(text));
    assert_false(jointoken_is("/root/db4.token"));
    assert_ok(jointoken_read(with_end, &read, &err), err);
    AUTOFREE char *again = jointoken_text(&read);
    assert_string_equal(again, text);
    assert_int_equal(read.addresses.n, 2);
    assert_memory_equal(read.secret, t.secret, sizeof t.secret);
}

static void nothing_else_is_one(void **state)
{
    (void)state;
    Err err;
    AUTO(jointoken_done) JoinToken t = token();
    AUTOFREE char *text = jointoken_text(&t);
    for (size_t n = 0; n < strlen(text); n++) {
        JoinToken read = {0};
        AUTOFREE char *cut = xstrndup(text, n);
        if (jointoken_read(cut, &read, &err))
            fail_msg("%zu bytes of it were taken", n);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_null(strstr(err.text, "db4"));
    }
    AUTOFREE char *longer = xasprintf("%s0", text), *two = xasprintf("%s~%s", text, text);
    JoinToken read = {0};
    assert_false(jointoken_read(longer, &read, &err));
    assert_false(jointoken_read(two, &read, &err));
    text[strlen(text) - 1] = 'x';
    assert_false(jointoken_read(text, &read, &err));
}

static void what_is_sealed_opens_with_it_alone(void **state)
{
    (void)state;
    Err err;
    static const char bytes[] = "the key of db4";
    AUTO(jointoken_done) JoinToken t = token(), other = token();
    AUTO(str_done) Str sealed = STR_INIT, open = STR_INIT, none = STR_INIT;
    jointoken_seal(&t, bytes, strlen(bytes), &sealed);
    assert_ok(jointoken_open(&t, str_z(&sealed), &open, &err), err);
    assert_string_equal(str_z(&open), bytes);
    assert_false(jointoken_open(&other, str_z(&sealed), &none, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    for (size_t i = 0; i < sealed.len; i++) {
        char was = sealed.p[i];
        sealed.p[i] = was == '0' ? '1' : '0';
        if (jointoken_open(&t, str_z(&sealed), &none, &err))
            fail_msg("digit %zu may be changed", i);
        sealed.p[i] = was;
    }
    sealed.p[sealed.len - 2] = 0;
    assert_false(jointoken_open(&t, str_z(&sealed), &none, &err));
    assert_false(jointoken_open(&t, "", &none, &err));
    assert_int_equal(none.len, 0);
}

/* sidingd is shown the proof and keeps its hash: neither has the secret or anything of the key in it. */
static void the_proof_gives_nothing_away(void **state)
{
    (void)state;
    char proof[JOIN_PROOF_CHARS + 1], again[JOIN_PROOF_CHARS + 1], others[JOIN_PROOF_CHARS + 1], hash[65];
    AUTO(jointoken_done) JoinToken t = token(), other = token();
    AUTOFREE char *text = jointoken_text(&t);
    jointoken_proof(&t, proof);
    jointoken_proof(&t, again);
    jointoken_proof(&other, others);
    jointoken_proof_hash(proof, hash);
    assert_int_equal(strlen(proof), JOIN_PROOF_CHARS);
    assert_string_equal(proof, again);
    assert_string_not_equal(proof, others);
    assert_string_not_equal(proof, hash);
    assert_null(strstr(text, proof));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_word_and_back),
        cmocka_unit_test(nothing_else_is_one),
        cmocka_unit_test(what_is_sealed_opens_with_it_alone),
        cmocka_unit_test(the_proof_gives_nothing_away),
    };
    return cmocka_run_group_tests_name("jointoken", tests, NULL, NULL);
}
