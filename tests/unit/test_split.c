/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/core/split.h"
#include "test.h"

#include <string.h>

typedef struct Fixture {
    Split *s;
    int64_t seq[4];
} Fixture;

/* What is answered, or the kind of the error in brackets. Borrowed until the next call. */
static const char *ask(Fixture *f, size_t shard, const char *request)
{
    static char *last;
    Err err;
    bool changed;
    json_t *j = NULL, *answer = NULL;
    assert_true(json_parse(request, strlen(request), &j, &err));
    json_set_int(j, "shard", (int64_t)shard);
    if (!json_object_get(j, "seq"))
        json_set_int(j, "seq", ++f->seq[shard]);
    free(last);
    last = split_do(f->s, j, &answer, &changed, &err) ? json_text(answer)
                                                      : xasprintf("[%s]", err_kind_name(err.kind));
    json_decref(j);
    json_decref(answer);
    return last;
}

static const char JOIN[] = "{\"op\":\"join\",\"identity\":1,\"streams\":[{\"name\":\"a\"},{\"name\":\"b\"}]}";
static const char COUNTED[] = "{\"op\":\"join\",\"streams\":[{\"name\":\"n\",\"count\":3}]}";
static const char BEAT[] = "{\"op\":\"beat\"}";
static const char TAKE[] = "{\"op\":\"take\"}";

typedef struct Said {
    size_t shard;
    const char *request, *answer;
} Said;

static void play(const Said *said, size_t n)
{
    Fixture f = {.s = split_new(3)};
    for (size_t i = 0; i < n; i++) {
        const char *got = ask(&f, said[i].shard, said[i].request);
        if (!str_eq(got, said[i].answer))
            fail_msg("%zu: %s gave %s, not %s", i, said[i].request, got, said[i].answer);
    }
    split_free(f.s);
}

static void a_counted_stream_is_given_out_once(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, TAKE, "[usage]"}, /* before joining */
        {0, COUNTED, "{}"},
        {1, COUNTED, "{}"},
        {0, TAKE, "{\"stream\":\"n\",\"number\":0}"},
        {1, TAKE, "{\"stream\":\"n\",\"number\":1}"},
        {0, "{\"op\":\"done\",\"stream\":\"n\",\"number\":1}", "[usage]"}, /* not its own */
        {0, "{\"op\":\"done\",\"stream\":\"n\",\"number\":0}", "{}"},
        {0, TAKE, "{\"stream\":\"n\",\"number\":2}"},
        {1, "{\"op\":\"done\",\"stream\":\"n\",\"number\":1}", "{}"},
        {1, TAKE, "{\"wait\":true}"},
        {0, "{\"op\":\"done\",\"stream\":\"n\",\"number\":2}", "{}"},
        {1, TAKE, "{\"wait\":true}"}, /* shard 2 may be dead */
        {2, BEAT, "{}"},
        {1, TAKE, "{\"end\":true}"},
        {0, TAKE, "{\"end\":true}"},
        {0, "{\"op\":\"nonsense\"}", "[usage]"},
    };
    play(said, COUNT(said));
}

static void of_a_cut_stream_one_cuts_at_a_time(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, JOIN, "{}"},
        {1, JOIN, "{}"},
        {2, JOIN, "{}"},
        {0, TAKE, "{\"stream\":\"a\",\"number\":0,\"after\":null,\"walked\":0}"},
        {1, TAKE, "{\"stream\":\"b\",\"number\":0,\"after\":null,\"walked\":0}"},
        {2, TAKE, "{\"wait\":true}"},
        {0, "{\"op\":\"done\",\"stream\":\"a\",\"number\":0}", "[usage]"}, /* no end yet */
        {0, "{\"op\":\"cut\",\"stream\":\"a\",\"number\":0,\"upto\":[\"7\"],\"walked\":10}", "{}"},
        {2, TAKE, "{\"stream\":\"a\",\"number\":1,\"after\":[\"7\"],\"walked\":10}"},
        {2, "{\"op\":\"cut\",\"stream\":\"a\",\"number\":1,\"upto\":null,\"walked\":20}", "{}"},
        {0, "{\"op\":\"done\",\"stream\":\"a\",\"number\":0}", "{}"},
        {0, TAKE, "{\"wait\":true}"},
        {1, "{\"op\":\"cut\",\"stream\":\"b\",\"number\":0,\"upto\":null,\"walked\":1}", "{}"},
        {1, "{\"op\":\"done\",\"stream\":\"b\",\"number\":0}", "{}"},
        {2, "{\"op\":\"done\",\"stream\":\"a\",\"number\":1}", "{}"},
        {0, TAKE, "{\"wait\":true}"}, /* shard 1 has not spoken since */
        {1, TAKE, "{\"end\":true}"},
        {0, TAKE, "{\"end\":true}"},
    };
    play(said, COUNT(said));
}

static void what_a_lost_shard_had_goes_to_the_others(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, JOIN, "{}"},
        {1, JOIN, "{}"},
        {1, TAKE, "{\"stream\":\"a\",\"number\":0,\"after\":null,\"walked\":0}"},
        {1, "{\"op\":\"cut\",\"stream\":\"a\",\"number\":0,\"upto\":[\"7\"],\"walked\":10}", "{}"},
        {1, "{\"op\":\"done\",\"stream\":\"a\",\"number\":0}", "{}"},
        {1, TAKE, "{\"stream\":\"a\",\"number\":1,\"after\":[\"7\"],\"walked\":10}"},
        {1, "{\"op\":\"leave\"}", "{}"},
        {1, TAKE, "[conflict]"},
        /* what was done goes too, with its end; what had no end is cut anew */
        {0, TAKE, "{\"stream\":\"a\",\"number\":0,\"after\":null,\"walked\":10,\"upto\":[\"7\"]}"},
        {0, TAKE, "{\"stream\":\"a\",\"number\":1,\"after\":[\"7\"],\"walked\":10}"},
        {0, "{\"op\":\"cut\",\"stream\":\"a\",\"number\":1,\"upto\":null,\"walked\":10}", "{}"},
        {0, "{\"op\":\"done\",\"stream\":\"a\",\"number\":1}", "{}"},
        {0, "{\"op\":\"done\",\"stream\":\"a\",\"number\":0}", "{}"},
        {0, TAKE, "{\"stream\":\"b\",\"number\":0,\"after\":null,\"walked\":0}"},
    };
    play(said, COUNT(said));
}

static void nobody_is_lost_once_the_end_was_told(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, "{\"op\":\"leave\"}", "{}"}, /* a program that takes no part */
        {1, "{\"op\":\"join\",\"streams\":[{\"name\":\"n\",\"count\":1}]}", "{}"},
        {1, TAKE, "{\"stream\":\"n\",\"number\":0}"},
        {1, "{\"op\":\"done\",\"stream\":\"n\",\"number\":0}", "{}"},
        {0, BEAT, "{}"},
        {2, BEAT, "{}"},
        {1, TAKE, "{\"end\":true}"},
        {1, "{\"op\":\"leave\"}", "{}"},
        {1, TAKE, "{\"end\":true}"},
    };
    play(said, COUNT(said));
}

static void one_that_dies_with_all_done_is_missed(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, "{\"op\":\"join\",\"streams\":[{\"name\":\"n\",\"count\":1}]}", "{}"},
        {1, "{\"op\":\"join\",\"streams\":[{\"name\":\"n\",\"count\":1}]}", "{}"},
        {1, TAKE, "{\"stream\":\"n\",\"number\":0}"},
        {1, "{\"op\":\"done\",\"stream\":\"n\",\"number\":0}", "{}"},
        {0, TAKE, "{\"wait\":true}"},
        {1, "{\"op\":\"leave\"}", "{}"},
        {0, TAKE, "{\"stream\":\"n\",\"number\":0}"},
        {0, "{\"op\":\"done\",\"stream\":\"n\",\"number\":0}", "{}"},
        {0, TAKE, "{\"wait\":true}"},
        {2, BEAT, "{}"},
        {0, TAKE, "{\"end\":true}"},
    };
    play(said, COUNT(said));
}

static void a_repeated_request_gets_its_first_answer(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, COUNTED, "{}"},
        {0, "{\"op\":\"take\",\"seq\":2}", "{\"stream\":\"n\",\"number\":0}"},
        {0, "{\"op\":\"take\",\"seq\":2}", "{\"stream\":\"n\",\"number\":0}"},
        {0, "{\"op\":\"take\",\"seq\":3}", "{\"stream\":\"n\",\"number\":1}"},
        {0, "{\"op\":\"take\",\"seq\":2}", "[usage]"},
    };
    play(said, COUNT(said));
}

/* What a refused request had brought is gone. */
static void a_wrong_join_leaves_nothing(void **state)
{
    (void)state;
    static const Said said[] = {
        {0,
         "{\"op\":\"join\",\"streams\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"},{\"name\":\"c\"}]"
         "}",
         "[usage]"},
        {0, "{\"op\":\"join\",\"streams\":[{\"name\":\"a\"},{\"count\":1}]}", "[usage]"},
        {0, TAKE, "[usage]"},
        {1, COUNTED, "{}"},
        {0, COUNTED, "{}"},
        {0, TAKE, "{\"stream\":\"n\",\"number\":0}"},
    };
    play(said, COUNT(said));
}

static void all_must_find_the_same(void **state)
{
    (void)state;
    static const Said said[] = {
        {0, JOIN, "{}"},
        /* another order is fine */
        {1, "{\"op\":\"join\",\"identity\":1,\"streams\":[{\"name\":\"b\"},{\"name\":\"a\"}]}", "{}"},
        {1, "{\"op\":\"join\",\"identity\":1,\"streams\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
         "[usage]"}, /* twice */
        {2, "{\"op\":\"join\",\"identity\":2,\"streams\":[{\"name\":\"b\"},{\"name\":\"a\"}]}", "[refused]"},
        {2, "{\"op\":\"join\",\"identity\":1,\"streams\":[{\"name\":\"b\"}]}", "[refused]"},
        {2, "{\"op\":\"join\",\"identity\":1,\"streams\":7}", "[refused]"},
        {2, TAKE, "[usage]"},
    };
    play(said, COUNT(said));
}

/* Any order of takes, losses and ends: every piece is done by one shard that is not lost. */
static void random_splits_end_with_each_piece_done_once(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 300; round++) {
        Fixture f = {.s = split_new(4)};
        int64_t pieces = 1 + round % 17;
        AUTOFREE char *join =
            xasprintf("{\"op\":\"join\",\"streams\":[{\"name\":\"n\",\"count\":%lld}]}", (long long)pieces);
        long long held[4] = {-1, -1, -1, -1};
        bool gone[4] = {false}, over = false;
        int lost = 0;
        for (size_t i = 0; i < 4; i++)
            assert_string_equal(ask(&f, i, join), "{}");
        for (int step = 0; !over && step < 10000; step++) {
            seed = seed * 1103515245 + 12345;
            size_t who = seed >> 16 & 3;
            if (gone[who])
                continue;
            if (lost < 3 && (seed >> 20) % 40 == 0) {
                gone[who] = split_lose(f.s, who);
                lost += gone[who];
            } else if (held[who] >= 0) {
                AUTOFREE char *done =
                    xasprintf("{\"op\":\"done\",\"stream\":\"n\",\"number\":%lld}", held[who]);
                assert_string_equal(ask(&f, who, done), "{}");
                held[who] = -1;
            } else {
                const char *got = ask(&f, who, TAKE);
                const char *number = strstr(got, "\"number\":");
                held[who] = number ? strtoll(number + 9, NULL, 10) : -1;
                over = strstr(got, "end") != NULL;
            }
        }
        int64_t sum = 0;
        for (size_t i = 0; i < 4; i++)
            sum += split_is_lost(f.s, i) ? 0 : split_done_by(f.s, i);
        assert_true(over);
        assert_int_equal(sum, pieces);
        split_free(f.s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counted_stream_is_given_out_once),
        cmocka_unit_test(of_a_cut_stream_one_cuts_at_a_time),
        cmocka_unit_test(what_a_lost_shard_had_goes_to_the_others),
        cmocka_unit_test(nobody_is_lost_once_the_end_was_told),
        cmocka_unit_test(one_that_dies_with_all_done_is_missed),
        cmocka_unit_test(a_repeated_request_gets_its_first_answer),
        cmocka_unit_test(a_wrong_join_leaves_nothing),
        cmocka_unit_test(all_must_find_the_same),
        cmocka_unit_test(random_splits_end_with_each_piece_done_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
