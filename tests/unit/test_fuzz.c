/* SPDX-License-Identifier: Apache-2.0
 * The targets of tests/fuzz on their examples changed at random: a short run of what scripts/fuzz does by
 * coverage. The sanitizer builds see more. SIDING_FUZZ_ROUNDS and SIDING_FUZZ_SEED for more of it.
 */
#include "test.h"

#include "tests/fuzz/fuzz.h"

enum { ROUNDS = 1000, MOST_TARGETS = 100 };

static uint64_t state_of_chance;

static uint32_t chance(uint32_t below)
{
    state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_of_chance >> 33) % below;
}

static long setting(const char *name, long fallback)
{
    const char *text = getenv(name);
    return text ? atol(text) : fallback;
}

/* A copy with some bytes changed, left out, doubled or put in. */
static void mutate(const Str *from, Str *out)
{
    static const char *const odd[] = {
        "-1", "99999999999999999999", "\\", "\"", "{", "]", "\t", "\n", "null", "..", "/", "\xff", "0", ":",
        ","};
    str_clear(out);
    str_add(out, str_z(from), from->len);
    for (uint32_t i = chance(4); i-- > 0 && out->len;) {
        size_t at = chance((uint32_t)out->len), some = 1 + chance(8);
        some = some < out->len - at ? some : out->len - at;
        AUTO(str_done) Str rest = STR_INIT;
        switch (chance(5)) {
        case 0:
            out->p[at] = (char)chance(256);
            break;
        case 1:
            memmove(out->p + at, out->p + at + some, out->len - at - some);
            out->len -= some;
            break;
        case 2:
            out->len = at;
            break;
        case 3:
            str_add(&rest, out->p + at, out->len - at);
            str_add(out, str_z(&rest), rest.len);
            break;
        default:
            str_add(&rest, out->p + at, out->len - at);
            out->len = at;
            str_adds(out, odd[chance(COUNT(odd))]);
            str_add(out, str_z(&rest), rest.len);
        }
        if (out->p)
            out->p[out->len] = '\0';
    }
}

typedef struct Examples {
    Str v[64];
    size_t n;
} Examples;

static void keep(void *arg, const char *bytes, size_t n)
{
    Examples *e = arg;
    assert_true(e->n < COUNT(e->v));
    str_add(&e->v[e->n++], bytes, n);
}

static void holds(void **state)
{
    const FuzzTarget *t = *state;
    Examples e = {.n = 0};
    AUTO(str_done) Str text = STR_INIT;
    fuzz_examples(t, keep, &e);
    assert_true(e.n > 0);
    for (size_t i = 0; i < e.n; i++)
        t->feed(str_z(&e.v[i]), e.v[i].len);
    state_of_chance = (uint64_t)setting("SIDING_FUZZ_SEED", 1);
    for (long i = setting("SIDING_FUZZ_ROUNDS", ROUNDS) / (t->slow ? t->slow : 1); i > 0; i--) {
        mutate(&e.v[chance((uint32_t)e.n)], &text);
        t->feed(str_z(&text), text.len);
    }
    for (size_t i = 0; i < e.n; i++)
        str_done(&e.v[i]);
}

int main(void)
{
    struct CMUnitTest tests[MOST_TARGETS];
    size_t n = 0;
    for (const FuzzTarget *t; (t = fuzz_target(n)); n++)
        tests[n] = (struct CMUnitTest){t->name, holds, NULL, NULL, (void *)(uintptr_t)t};
    return _cmocka_run_group_tests("fuzz", tests, n, NULL, NULL);
}
