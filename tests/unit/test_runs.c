/* SPDX-License-Identifier: Apache-2.0
 * The term table and the external sort, against plain counting.
 */
#include "test.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "replica-agent/index/entries.h"
#include "replica-agent/index/runs.h"

enum { TERMS = 37, RECORDS = 50, FIELDS = 3, PARTS = 5 };

typedef struct Check {
    uint32_t counts[TERMS][RECORDS][FIELDS];
    char last[64];
    Posting last_posting;
    int64_t rows;
} Check;

static void term_text(unsigned t, char ret[64])
{
    /* Prefixes of each other and bytes above 127: order is that of unsigned bytes. */
    static const char *const heads[] = {"a", "ab", "abc", "\u00e9", "z", "\u4e2d"};
    snprintf(ret, 64, "%s%.*s", heads[t % 6], (int)(t / 6), "xyzxyzxyz");
}

static int64_t record_of(unsigned r)
{
    static const int64_t ends[] = {INT64_MIN, -7, INT64_MAX};
    return r < 3 ? ends[r] : r;
}

static bool check_row(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    (void)err;
    Check *c = arg;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)n, term);
    int order = strcmp(c->last, text);
    assert_true(order <= 0);
    if (order == 0)
        assert_true(p->record > c->last_posting.record ||
                    (p->record == c->last_posting.record && p->field > c->last_posting.field));
    memcpy(c->last, text, sizeof text);
    c->last_posting = *p;
    c->rows++;
    for (unsigned t = 0; t < TERMS; t++) {
        char known[64];
        term_text(t, known);
        for (unsigned r = 0; r < RECORDS; r++)
            if (strcmp(known, text) == 0 && record_of(r) == p->record) {
                assert_int_equal(c->counts[t][r][p->field - 1], p->number);
                c->counts[t][r][p->field - 1] = 0;
                return true;
            }
    }
    fail_msg("a row that was never added: %s", text);
    return false;
}

static void spill(const char *folder, Terms *terms, Runs *runs)
{
    static size_t number;
    Err err;
    RunFile file;
    AUTOFREE char *path = xasprintf("%s/run-%05zu", folder, number++);
    assert_ok(run_write(path, terms, &file, &err), err);
    runs_add(runs, file);
    terms_clear(terms);
}

static void sort_adds_up(size_t max_bytes, unsigned tokens, size_t at_least_runs)
{
    Err err;
    char folder[] = "/tmp/siding-runs-XXXXXX";
    assert_non_null(mkdtemp(folder));
    Check *c = NEW(Check);
    Terms *terms = terms_new(POSTING_COUNTS, max_bytes);
    size_t spilled = 0;
    Runs runs = {0};
    uint32_t seed = 7;
    for (unsigned i = 0; i < tokens; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned t = (seed >> 8) % TERMS, r = (seed >> 14) % RECORDS, f = (seed >> 20) % FIELDS;
        char text[64];
        term_text(t, text);
        terms_add(terms, text, strlen(text), record_of(r), f + 1, 0);
        c->counts[t][r][f]++;
        if (i % 100 == 99 || i + 1 == tokens) {
            spill(folder, terms, &runs);
            spilled++;
        }
    }
    assert_true(spilled >= at_least_runs);
    assert_ok(runs_reduce(&runs, POSTING_COUNTS, folder, &err), err);
    assert_true(runs.n <= RUNS_MAX_OPEN);
    RunsPart terms_of[PARTS];
    size_t parts = runs_cut(&runs, PARTS, terms_of);
    assert_in_range(parts, 1, PARTS);
    for (size_t i = 0; i < parts; i++)
        assert_ok(runs_merge(&runs, POSTING_COUNTS, terms_of[i], RUNFILE_MIN_BUFFER, check_row, c, &err),
                  err);
    for (unsigned i = 0; i < TERMS * RECORDS * FIELDS; i++)
        assert_int_equal((&c->counts[0][0][0])[i], 0);
    StrList left = STRLIST_INIT;
    assert_ok(fs_list(folder, &left, &err), err);
    assert_int_equal(left.n, runs.n);
    assert_ok(fs_remove_tree(folder, &err), err);
    strlist_done(&left);
    runs_done(&runs);
    terms_free(terms);
    free(c);
}

static void few_runs(void **state)
{
    (void)state;
    sort_adds_up(1 << 20, 500, 5);
}

static void more_runs_than_may_be_open(void **state)
{
    (void)state;
    sort_adds_up(1 << 20, 30000, 300);
}

static void table_says_when_it_is_full(void **state)
{
    (void)state;
    Terms *t = terms_new(POSTING_COUNTS, 200000);
    assert_true(terms_are_empty(t));
    char text[32];
    unsigned i = 0;
    for (; !terms_are_full(t); i++) {
        snprintf(text, sizeof text, "term%u", i);
        terms_add(t, text, strlen(text), i, 1, 0);
    }
    assert_in_range(i, 500, 5000);
    terms_clear(t);
    assert_true(terms_are_empty(t));
    terms_free(t);
}

static bool accept_row(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    (void)arg, (void)term, (void)n, (void)p, (void)err;
    return true;
}

static void damaged_run_is_seen(void **state)
{
    (void)state;
    Err err;
    char folder[] = "/tmp/siding-runs-XXXXXX";
    assert_non_null(mkdtemp(folder));
    Runs runs = {0};
    Terms *t = terms_new(POSTING_COUNTS, 1 << 20);
    for (unsigned i = 0; i < 100; i++)
        terms_add(t, "word", 4, i, 1, 0);
    spill(folder, t, &runs);
    const char *path = runs.v[0].path;
    assert_int_equal(truncate(path, fs_size(path) - 5), 0);
    terms_free(t);
    assert_false(runs_merge(&runs, POSTING_COUNTS, (RunsPart){NULL, NULL}, RUNFILE_MIN_BUFFER, accept_row,
                            NULL, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    runs_done(&runs);
    assert_ok(fs_remove_tree(folder, &err), err);
}

/* ---- positions ----------------------------------------------------------------------------------- */

static bool collect_entry(void *arg, const char *term, size_t n, const Entry *e, Err *err)
{
    (void)err;
    Str *s = arg;
    str_addf(s, "%.*s %lld.%u %u:", (int)n, term, (long long)e->record, e->field, (unsigned)e->frequency);
    for (size_t i = 0; i < e->n_positions; i++)
        str_addf(s, " %u", (unsigned)e->positions[i]);
    str_addc(s, '\n');
    return true;
}

static bool put_posting(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    return entries_put(arg, term, n, p, err);
}

static void positions_of_several_runs_come_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *term;
        int64_t record;
        unsigned field;
        uint32_t position;
        bool spill; /* after it */
    } words[] = {
        {"b", 7, 1, 1, false}, {"a", 7, 1, 2, false},       {"b", 7, 1, 3, true},  {"b", 7, 1, 20, false},
        {"a", 3, 2, 1, false}, {"a", 3, 1, 1u << 31, true}, {"b", 7, 1, 5, false}, {"a", -1, 1, 4, true},
    };
    Err err;
    char folder[] = "/tmp/siding-runs-XXXXXX";
    assert_non_null(mkdtemp(folder));
    Terms *terms = terms_new(POSTING_POSITIONS, 1 << 20);
    Runs runs = {0};
    for (size_t i = 0; i < COUNT(words); i++) {
        terms_add(terms, words[i].term, 1, words[i].record, words[i].field, words[i].position);
        if (!words[i].spill)
            continue;
        spill(folder, terms, &runs);
    }
    AUTO(str_done) Str got = STR_INIT;
    Entries *entries = entries_new(POSTING_POSITIONS, collect_entry, &got);
    RunsPart all = {NULL, NULL};
    assert_ok(runs_merge(&runs, POSTING_POSITIONS, all, RUNFILE_MIN_BUFFER, put_posting, entries, &err), err);
    assert_ok(entries_end(entries, &err), err);
    assert_string_equal(str_z(&got), "a -1.1 1: 4\n"
                                     "a 3.1 1: 16777215\n"
                                     "a 3.2 1: 1\n"
                                     "a 7.1 1: 2\n"
                                     "b 7.1 4: 1 3 5 20\n");
    entries_free(entries);
    terms_free(terms);
    runs_done(&runs);
    assert_ok(fs_remove_tree(folder, &err), err);
}

static bool count_posting(void *arg, const char *term, size_t n, const Posting *p, Err *err)
{
    (void)term, (void)n, (void)p, (void)err;
    ++*(int64_t *)arg;
    return true;
}

/* Many terms, over many marks: the parts hold all, and about as many each. */
static void parts_are_about_equal(void **state)
{
    (void)state;
    enum { MANY = 400000, EQUAL = 4 };
    Err err;
    char folder[] = "/tmp/siding-runs-XXXXXX";
    assert_non_null(mkdtemp(folder));
    Runs runs = {0};
    Terms *terms = terms_new(POSTING_COUNTS, 1 << 28);
    for (unsigned i = 0; i < MANY; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "t%u", i * 7919 % 50021);
        terms_add(terms, text, (size_t)n, i, 1, 0);
        if (i % 100000 == 99999)
            spill(folder, terms, &runs);
    }
    RunsPart parts[EQUAL];
    assert_int_equal(runs_cut(&runs, EQUAL, parts), EQUAL);
    int64_t all = 0;
    for (size_t i = 0; i < EQUAL; i++) {
        int64_t count = 0;
        assert_ok(
            runs_merge(&runs, POSTING_COUNTS, parts[i], RUNFILE_MIN_BUFFER, count_posting, &count, &err),
            err);
        assert_in_range(count, MANY / EQUAL * 2 / 3, MANY / EQUAL * 4 / 3);
        all += count;
    }
    assert_int_equal(all, MANY);
    terms_free(terms);
    runs_done(&runs);
    assert_ok(fs_remove_tree(folder, &err), err);
}

static void so_many_positions_are_kept(void **state)
{
    (void)state;
    Err err;
    Terms *terms = terms_new(POSTING_POSITIONS, 1 << 24);
    for (uint32_t i = 0; i < ENTRY_MAX_POSITIONS + 10; i++)
        terms_add(terms, "a", 1, 1, 1, i + 1);
    terms_sort(terms);
    AUTO(str_done) Str got = STR_INIT;
    Entries *entries = entries_new(POSTING_POSITIONS, collect_entry, &got);
    assert_ok(entries_put_terms(entries, terms, &err), err);
    assert_true(str_starts(str_z(&got), "a 1.1 16394: 1 2 "));
    assert_true(str_ends(str_z(&got), " 16384\n"));
    entries_free(entries);
    terms_free(terms);
}

/* Fields of ranges one after the other, ranges out of order, all the wrong way round: however they were read.
 */
static void postings_are_sorted_from_any_order(void **state)
{
    (void)state;
    enum { RANGE = 7, N = 700 };
    for (int way = 0; way < 3; way++) {
        Terms *t = terms_new(POSTING_POSITIONS, 1 << 24);
        for (int i = 0; i < N; i++)
            for (unsigned field = 1; field <= 2; field++) {
                int at = way == 2 ? N - 1 - i : way == 1 ? (i + 350) % N : i;
                int within = at % (2 * RANGE), record = at / (2 * RANGE) * RANGE + within % RANGE;
                if ((unsigned)within / RANGE + 1 == field)
                    terms_add(t, "a", 1, record, field, 1);
            }
        terms_sort(t);
        const char *term;
        const Posting *p;
        size_t n, count;
        terms_at(t, 0, &term, &n, &p, &count);
        assert_int_equal(count, N);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(p[i].record, i / 2);
            assert_int_equal(p[i].field, 1 + i % 2);
        }
        terms_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_runs),
        cmocka_unit_test(more_runs_than_may_be_open),
        cmocka_unit_test(table_says_when_it_is_full),
        cmocka_unit_test(damaged_run_is_seen),
        cmocka_unit_test(positions_of_several_runs_come_in_order),
        cmocka_unit_test(parts_are_about_equal),
        cmocka_unit_test(so_many_positions_are_kept),
        cmocka_unit_test(postings_are_sorted_from_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
