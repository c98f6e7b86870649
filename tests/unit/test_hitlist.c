/* SPDX-License-Identifier: Apache-2.0
 * The compact layout: lists written and read again, rows cut, damaged bytes.
 */
#include "test.h"

#include "replica-agent/index/hitlist.h"
#include "replica-agent/index/layout.h"

static const uint32_t places[] = {1, 2, 300, POSTING_MAX_NUMBER};
static const Entry entries[] = {
    {INT64_MIN, 1, 1, places, 1},     {INT64_MIN, 2, 4, places, 4}, {-5, 1, 2, places + 1, 2},
    {0, 255, 1, places + 3, 1},       {127, 1, 1, places, 1},       {128, 1, 1, places + 2, 1},
    {INT64_MAX, 3, 2, places + 2, 2},
};

typedef struct Seen {
    bool positions;
    size_t n;
} Seen;

static bool same_entry(void *arg, const Entry *e, Err *err)
{
    (void)err;
    Seen *s = arg;
    const Entry *want = &entries[s->n++];
    assert_true(e->record == want->record);
    assert_int_equal(e->field, want->field);
    assert_int_equal(e->frequency, want->frequency);
    assert_int_equal(e->n_positions, s->positions ? want->n_positions : 0);
    for (size_t i = 0; i < e->n_positions; i++)
        assert_int_equal(e->positions[i], want->positions[i]);
    return true;
}

static void written_lists_are_read_again(void **state)
{
    (void)state;
    for (int positions = 0; positions < 2; positions++) {
        Err err;
        Hitlist h = {.positions = positions};
        AUTO(str_done) Str packed = STR_INIT;
        assert_true(hitlist_is_empty(&h));
        for (size_t i = 0; i < COUNT(entries); i++)
            hitlist_add(&h, &entries[i]);
        hitlist_pack(&h, &packed);
        assert_true(hitlist_is_empty(&h));
        assert_true(h.first == INT64_MIN);
        assert_int_equal(h.records, 6);
        Seen seen = {.positions = positions};
        assert_ok(hitlist_unpack(str_z(&packed), packed.len, h.first, positions, same_entry, &seen, &err),
                  err);
        assert_int_equal(seen.n, COUNT(entries));
        hitlist_done(&h);
    }
}

static bool any_entry(void *arg, const Entry *e, Err *err)
{
    (void)arg, (void)e, (void)err;
    return true;
}

/* Whatever the bytes are: an error or a list, nothing else. */
static void damaged_lists_are_seen(void **state)
{
    (void)state;
    Err err;
    Hitlist h = {.positions = true};
    AUTO(str_done) Str packed = STR_INIT;
    for (size_t i = 0; i < COUNT(entries); i++)
        hitlist_add(&h, &entries[i]);
    hitlist_pack(&h, &packed);
    for (size_t n = 0; n < packed.len; n++) {
        assert_false(hitlist_unpack(packed.p, n, 0, true, any_entry, NULL, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    for (size_t i = 0; i < packed.len; i++) {
        packed.p[i] = (char)(packed.p[i] ^ 0x41);
        bool ok = hitlist_unpack(packed.p, packed.len, 0, true, any_entry, NULL, &err);
        assert_true(ok || err.kind == ERR_CORRUPT);
        packed.p[i] = (char)(packed.p[i] ^ 0x41);
    }
    hitlist_done(&h);
}

typedef struct Rows {
    size_t n, hits;
    int64_t records;
    char last_first[32];
} Rows;

static bool count_row(void *arg, const RowSumField *columns, size_t n, Err *err)
{
    Rows *r = arg;
    (void)err;
    assert_int_equal(n, 4);
    r->n++;
    r->hits += columns[3].n;
    r->records += strtoll(columns[2].p, NULL, 10);
    snprintf(r->last_first, sizeof r->last_first, "%.*s", (int)columns[1].n, columns[1].p);
    return true;
}

static void long_lists_are_cut_between_records(void **state)
{
    (void)state;
    Err err;
    char layout[] = "hitlist";
    IndexDefinition d = {.layout = layout};
    Rows rows = {0};
    Layout *l = layout_new(&d, count_row, &rows);
    for (int64_t record = 0; record < 300000; record++)
        for (unsigned field = 1; field < 3; field++) {
            Entry e = {.record = record, .field = field, .frequency = 1};
            assert_ok(layout_put(l, "term", 4, &e, &err), err);
        }
    assert_int_equal(rows.n, 1);
    assert_string_equal(rows.last_first, "0");
    Entry e = {.record = 5, .field = 1, .frequency = 1};
    assert_ok(layout_put(l, "terms", 5, &e, &err), err);
    assert_int_equal(rows.n, 2);
    assert_string_equal(rows.last_first, "174763"); /* 1 MiB of 6 bytes a record */
    assert_int_equal(rows.records, 300000);
    assert_ok(layout_end(l, &err), err);
    assert_int_equal(rows.n, 3);
    assert_string_equal(rows.last_first, "5");
    layout_free(l);
}

static void rows_end_at_bounds(void **state)
{
    (void)state;
    static const int64_t bounds[] = {10, 20, 40};
    static const struct {
        int64_t records[5];
        size_t rows;
    } cases[] = {
        {{1, 2, 3, 4, 10}, 1},    {{-7, 10, 11, 20, 21}, 3},        {{11, 12, 13, 19, 20}, 1},
        {{1, 11, 21, 41, 90}, 4}, {{41, 50, 60, 70, INT64_MAX}, 1},
    };
    char layout[] = "hitlist";
    IndexDefinition d = {.layout = layout};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Rows rows = {0};
        Layout *l = layout_new(&d, count_row, &rows);
        layout_bound(l, bounds, COUNT(bounds));
        for (size_t k = 0; k < COUNT(cases[i].records); k++) {
            Entry e = {.record = cases[i].records[k], .field = 1, .frequency = 1};
            assert_ok(layout_put(l, "term", 4, &e, &err), err);
        }
        assert_ok(layout_end(l, &err), err);
        assert_int_equal(rows.n, cases[i].rows);
        assert_int_equal(rows.records, COUNT(cases[i].records));
        layout_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_lists_are_read_again),
        cmocka_unit_test(damaged_lists_are_seen),
        cmocka_unit_test(long_lists_are_cut_between_records),
        cmocka_unit_test(rows_end_at_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
