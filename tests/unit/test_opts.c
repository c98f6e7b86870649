/* SPDX-License-Identifier: Apache-2.0
 * Command lines: values, words, errors and the help text made from the rows.
 */
#include "test.h"

#include "common/base/opts.h"

typedef struct Sample {
    bool verify, loud;
    char *host;
    int64_t threads, wait_ms, bytes;
    StrList databases;
} Sample;

static const Opt rows[] = {
    {"host", 'h', OPT_STR, offsetof(Sample, host), "NAME", NULL, 0, 0, "The server's host.", "Server"},
    {"threads", 't', OPT_INT, offsetof(Sample, threads), "N", "4", 1, 64, "Connections at work.", "Work"},
    {"wait", 0, OPT_DURATION, offsetof(Sample, wait_ms), "TIME", NULL, 0, 0, "How long."},
    {"bytes", 0, OPT_SIZE, offsetof(Sample, bytes), "SIZE", "64M", 0, 0, "How much."},
    {"database", 'D', OPT_STRS, offsetof(Sample, databases), "NAME", NULL, 0, 0, "May be repeated."},
    {"verify", 0, OPT_FLAG, offsetof(Sample, verify), NULL, NULL, 0, 0, "Checks."},
    {"loud", 'l', OPT_FLAG, offsetof(Sample, loud), NULL, NULL, 0, 0, "Says more."},
    {0},
};

static StrList words, rest;

static bool parse(const char *line, bool posix, Sample *s, OptSpecial *special, Err *err)
{
    StrList argv = STRLIST_INIT;
    strlist_add(&argv, "prog");
    strlist_split(&argv, line, ' ');
    memset(s, 0, sizeof *s);
    strlist_done(&words);
    strlist_done(&rest);
    bool ok = opts_parse(rows, (int)argv.n, argv.v, posix, s, &words, &rest, special, err);
    strlist_done(&argv);
    return ok;
}

static void reads_values_and_words(void **state)
{
    (void)state;
    Sample s;
    Err err;
    OptSpecial special;
    assert_ok(parse("-t 8 one --host=h1 --host h2 --wait 90s -D a --database b --bytes 2K -l two -- --x y",
                    false, &s, &special, &err),
              err);
    assert_int_equal(special, OPT_RUN);
    assert_int_equal(s.threads, 8);
    assert_string_equal(s.host, "h2");
    assert_int_equal(s.wait_ms, 90000);
    assert_int_equal(s.bytes, 2048);
    assert_int_equal(s.databases.n, 2);
    assert_true(s.loud);
    assert_false(s.verify);
    assert_int_equal(words.n, 2);
    assert_string_equal(words.v[1], "two");
    assert_int_equal(rest.n, 2);
    assert_string_equal(rest.v[0], "--x");
    opts_free(rows, &s);
    assert_ok(parse("", false, &s, &special, &err), err);
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.bytes, 64 << 20);
    opts_free(rows, &s);
}

static void posix_stops_at_the_first_word(void **state)
{
    (void)state;
    Sample s;
    Err err;
    OptSpecial special;
    assert_ok(parse("-l submit --host x -- y", true, &s, &special, &err), err);
    assert_true(s.loud);
    assert_null(s.host);
    assert_int_equal(words.n, 5);
    assert_string_equal(words.v[1], "--host");
    assert_int_equal(rest.n, 0);
    opts_free(rows, &s);
}

static void errors_name_the_option(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"--thread", "option --thread needs a value"}, /* an unambiguous start of a name is enough */
        {"--treads 4", "unknown option --treads; did you mean --threads?"},
        {"--databse=x", "unknown option --databse; did you mean --database?"},
        {"--qqqqqqqqqq", "unknown option --qqqqqqqqqq; --help lists them"},
        {"-z", "unknown option -z; --help lists them"},
        {"a -lz", "unknown option -z; --help lists them"},
        {"--host", "option --host needs a value"},
        {"-h", "option -h needs a value"},
        {"--loud=1", "option --loud takes no value"},
        {"--threads x", "option --threads: \"x\" is not a whole number"},
        {"--threads 65", "option --threads: 65 is outside 1 to 64"},
        {"--wait never", "option --wait: \"never\" is not a duration such as 90s, 15m or 6h"},
        {"--bytes 5X", "option --bytes: \"5X\" is not a size such as 4096, 64M or 1G"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        Sample s;
        Err err = {0};
        OptSpecial special;
        assert_false(parse(bad[i].line, false, &s, &special, &err));
        assert_int_equal(err.kind, ERR_USAGE);
        assert_string_equal(err.text, bad[i].says);
        assert_null(s.host);
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"0", 0},          {"4096", 4096},    {"1k", 1024},
                {"64M", 64 << 20}, {"1GiB", 1 << 30}, {"2TB", 2LL << 40}};
    int64_t n;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(opts_parse_size(good[i].text, &n));
        assert_int_equal(n, good[i].bytes);
    }
    static const char *const bad[] = {"", "M", "1X", "1.5G", "-1", "1GG", "99999999999P"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(opts_parse_size(bad[i], &n));
}

static void help_is_made_from_the_rows(void **state)
{
    (void)state;
    Sample s;
    Err err;
    OptSpecial special;
    assert_ok(parse("--help --nonsense", false, &s, &special, &err), err);
    assert_int_equal(special, OPT_HELP);
    opts_free(rows, &s);
    assert_ok(parse("--version", false, &s, &special, &err), err);
    assert_int_equal(special, OPT_VERSION);
    opts_free(rows, &s);
    AUTO(str_done) Str help = STR_INIT;
    opts_write_help(rows, "prog [options]", "Does it.", &help);
    assert_true(str_starts(help.p, "Usage: prog [options]\n\nDoes it.\n\nServer:\n  -h, --host NAME"));
    assert_non_null(
        strstr(help.p, "\nWork:\n  -t, --threads N             Connections at work. (default: 4)\n"));
    assert_non_null(strstr(help.p, "\n      --verify                Checks.\n"));
    assert_non_null(strstr(help.p, "--help"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_and_words),     cmocka_unit_test(posix_stops_at_the_first_word),
        cmocka_unit_test(errors_name_the_option),     cmocka_unit_test(sizes),
        cmocka_unit_test(help_is_made_from_the_rows),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    strlist_done(&words);
    strlist_done(&rest);
    return failed;
}
