/* SPDX-License-Identifier: Apache-2.0
 * The journal over kills, cuts and flipped bits: what was acknowledged is there, or its loss is told.
 */
#include <fcntl.h>
#include <unistd.h>

#include "test.h"

#include "common/file/fs.h"
#include "common/file/recordlog.h"

static char dir[] = "/tmp/siding-recordlog-XXXXXX";

static int begin(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/siding-recordlog-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
    Err err;
    (void)state;
    return fs_remove_tree(dir, &err) ? 0 : -1;
}

static RecordLog *opened(char **damage)
{
    Err err;
    RecordLog *l;
    assert_ok(recordlog_open(dir, "journal", &l, damage, &err), err);
    return l;
}

static RecordLog *opened_whole(void)
{
    AUTOFREE char *damage = NULL;
    RecordLog *l = opened(&damage);
    assert_null(damage);
    return l;
}

static void put(RecordLog *l, const char *key, int value)
{
    Err err;
    Record r = {xstrdup(key), value < 0 ? NULL : json_integer(value)};
    assert_ok(recordlog_append(l, &r, 1, &err), err);
    free(r.key);
    json_decref(r.value);
}

typedef struct Wanted {
    const char *key;
    long long value;
    size_t n;
} Wanted;

static void see(void *arg, const char *key, const json_t *value)
{
    Wanted *w = arg;
    w->n++;
    if (str_eq(w->key, key))
        w->value = json_integer_value(value);
}

static long long get(const RecordLog *l, const char *key)
{
    Wanted w = {key, -1, 0};
    recordlog_each(l, see, &w);
    return w.value;
}

static char *path(int which)
{
    return xasprintf("%s/journal.%d", dir, which);
}

/* The file that was written last, and where its last record ends. */
static char *newest(const char *mark, size_t *ret_at)
{
    Err err;
    for (int i = 1; i <= 2; i++) {
        AUTO(str_done) Str s = STR_INIT;
        char *p = path(i);
        assert_ok(fs_read(p, 1 << 24, &s, &err), err);
        for (size_t k = 0; k + strlen(mark) < s.len; k++)
            if (memcmp(s.p + k, mark, strlen(mark)) == 0) {
                *ret_at = k;
                return p;
            }
        free(p);
    }
    fail_msg("%s is in neither file", mark);
    return NULL;
}

static void change_byte(const char *p, size_t at)
{
    char c;
    int fd = open(p, O_RDWR);
    assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
    c ^= 0x10;
    assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
    close(fd);
}

/* As a kill leaves a write: what it would have covered is zero, as it was reserved. */
static void tear(const char *p, off_t at)
{
    off_t size = (off_t)fs_size(p);
    assert_int_equal(truncate(p, at), 0);
    assert_int_equal(truncate(p, size), 0);
}

static void what_was_put_is_there(void **state)
{
    (void)state;
    RecordLog *l = opened_whole();
    assert_true(recordlog_is_new(l));
    put(l, "a", 1);
    put(l, "b", 2);
    put(l, "a", 3);
    put(l, "b", -1);
    recordlog_close(l);
    l = opened_whole();
    assert_false(recordlog_is_new(l));
    assert_int_equal(get(l, "a"), 3);
    assert_int_equal(get(l, "b"), -1);
    recordlog_close(l);
}

static void it_does_not_grow_for_ever(void **state)
{
    (void)state;
    RecordLog *l = opened_whole();
    AUTOFREE char *one = path(1), *two = path(2);
    for (int i = 0; i < 9000; i++) {
        AUTOFREE char *key = xasprintf("a key of some length %d %0200d", i % 7, 0);
        put(l, key, i);
    }
    recordlog_close(l);
    assert_true(fs_size(one) < 3 << 20 && fs_size(two) < 3 << 20);
    l = opened_whole();
    for (int i = 59993; i < 9000; i++) {
        AUTOFREE char *key = xasprintf("a key of some length %d %0200d", i % 7, 0);
        assert_int_equal(get(l, key), i);
    }
    recordlog_close(l);
}

/* A kill in the middle of a write: the record is not there, those before are, and nothing is said of it. */
static void a_torn_end_is_no_damage(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 20; cut++) {
        RecordLog *l = opened_whole();
        put(l, "before", 1);
        put(l, "torn-mark", 2);
        recordlog_close(l);
        size_t at;
        AUTOFREE char *p = newest("[\"torn-mark\"", &at);
        tear(p, (off_t)(at + cut - 8));
        l = opened_whole();
        assert_int_equal(get(l, "before"), 1);
        assert_int_equal(get(l, "torn-mark"), -1);
        put(l, "before", -1);
        recordlog_close(l);
    }
}

static void a_flipped_bit_in_the_middle_is_told(void **state)
{
    (void)state;
    RecordLog *l = opened_whole();
    put(l, "before", 1);
    put(l, "flipped-mark", 2);
    put(l, "behind", 3);
    recordlog_close(l);
    size_t at;
    AUTOFREE char *p = newest("[\"flipped-mark\"", &at), *damage = NULL;
    change_byte(p, at + 3);
    l = opened(&damage);
    assert_non_null(damage);
    assert_int_equal(get(l, "before"), 1);
    assert_int_equal(get(l, "flipped-mark"), -1);
    assert_int_equal(get(l, "behind"), 3);
    recordlog_close(l);
    l = opened_whole(); /* told once */
    recordlog_close(l);
}

/* A generation whose opening was cut off was never relied on: the one before has all. */
static void an_unfinished_generation_is_left_out(void **state)
{
    (void)state;
    RecordLog *l = opened_whole();
    put(l, "kept-mark", 7);
    recordlog_close(l);
    size_t at;
    AUTOFREE char *older = newest("[\"kept-mark\"", &at);
    l = opened_whole(); /* begins the next generation in the other file */
    recordlog_close(l);
    AUTOFREE char *newer = path(str_ends(older, ".1") ? 2 : 1);
    for (off_t cut = 0; cut < 60; cut += 7) {
        tear(newer, cut);
        l = opened_whole();
        assert_int_equal(get(l, "kept-mark"), 7);
        recordlog_close(l);
        assert_int_equal(truncate(older, 0), 0);
        AUTOFREE char *swap = older;
        older = STEAL(newer);
        newer = STEAL(swap);
        l = opened_whole();
        recordlog_close(l);
    }
}

static void nothing_readable_is_told(void **state)
{
    (void)state;
    RecordLog *l = opened_whole();
    put(l, "a", 1);
    recordlog_close(l);
    for (int i = 1; i <= 2; i++) {
        AUTOFREE char *p = path(i);
        change_byte(p, 9);
    }
    AUTOFREE char *damage = NULL;
    l = opened(&damage);
    assert_non_null(damage);
    assert_int_equal(get(l, "a"), -1);
    put(l, "a", 2);
    recordlog_close(l);
    l = opened_whole();
    assert_int_equal(get(l, "a"), 2);
    recordlog_close(l);
}

static void it_can_be_read_while_it_is_open(void **state)
{
    Err err;
    (void)state;
    RecordLog *l = opened_whole(), *reader;
    AUTOFREE char *damage = NULL;
    put(l, "a", 5);
    assert_ok(recordlog_read(dir, "journal", &reader, &damage, &err), err);
    assert_int_equal(get(reader, "a"), 5);
    recordlog_close(reader);
    put(l, "a", 6);
    recordlog_close(l);
    l = opened_whole();
    assert_int_equal(get(l, "a"), 6);
    recordlog_close(l);
}

static void random_cuts_lose_only_the_end(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 60; round++) {
        RecordLog *l = opened_whole();
        for (int i = 0; i < 20; i++)
            put(l, "n", i);
        recordlog_close(l);
        size_t at;
        AUTOFREE char *p = newest("[\"n\",19]", &at);
        seed = seed * 1103515245 + 12345;
        tear(p, (off_t)(at + 8 - (seed >> 16) % 120));
        AUTOFREE char *damage = NULL;
        l = opened(&damage);
        assert_null(damage);
        assert_in_range(get(l, "n") + 1, 0, 20);
        recordlog_close(l);
    }
}

/* What a kill does not do: the file is shorter than what was reserved before anything was written. */
static void a_file_that_was_cut_short_is_told(void **state)
{
    (void)state;
    static const off_t sizes[] = {60, 300, 400 << 10};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        RecordLog *l = opened_whole();
        size_t at;
        put(l, "a", 7);
        recordlog_close(l);
        AUTOFREE char *p = newest("[\"a\",7]", &at);
        assert_int_equal(truncate(p, sizes[i]), 0);
        AUTOFREE char *damage = NULL;
        l = opened(&damage);
        assert_non_null(strstr(damage, "was cut short"));
        recordlog_close(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_there, begin, end),
        cmocka_unit_test_setup_teardown(it_does_not_grow_for_ever, begin, end),
        cmocka_unit_test_setup_teardown(a_torn_end_is_no_damage, begin, end),
        cmocka_unit_test_setup_teardown(a_flipped_bit_in_the_middle_is_told, begin, end),
        cmocka_unit_test_setup_teardown(an_unfinished_generation_is_left_out, begin, end),
        cmocka_unit_test_setup_teardown(nothing_readable_is_told, begin, end),
        cmocka_unit_test_setup_teardown(it_can_be_read_while_it_is_open, begin, end),
        cmocka_unit_test_setup_teardown(random_cuts_lose_only_the_end, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_was_cut_short_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
