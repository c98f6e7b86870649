/* SPDX-License-Identifier: Apache-2.0
 * Dumps of BibSched's table schTASK.
 */
#include "test.h"

#include "orchestrator/cli/bibsched_dump.h"

enum { NOW_MS = 1000000000 };

static bool collect(void *arg, const BibschedRow *row, Err *err)
{
    Str *out = arg;
    AUTO(strlist_done) StrList lost = STRLIST_INIT;
    AUTOJSON json_t *body = bibsched_task(row, NOW_MS, &lost);
    AUTOFREE char *text = body ? json_dumps(body, JSON_SORT_KEYS | JSON_COMPACT) : xstrdup("-");
    (void)err;
    str_addf(out, "%s%s", out->len ? "\n" : "", text);
    for (size_t i = 0; i < lost.n; i++)
        str_addf(out, " | %s", lost.v[i]);
    return true;
}

static void check_dump(const char *dump, const char *expected)
{
    AUTO(str_done) Str got = STR_INIT;
    Err err;
    if (!bibsched_read(dump, strlen(dump), collect, &got, &err))
        str_addf(&got, "%s%s", got.len ? "\n" : "", err.text);
    if (!str_eq(str_z(&got), expected))
        fail_msg("%s\n  gives\n%s\n  not\n%s", dump, str_z(&got), expected);
}

#define INSERT "INSERT INTO `schTASK` VALUES "

static void rows_become_tasks(void **state)
{
    (void)state;
    static const struct {
        const char *dump, *tasks;
    } rows[] = {
        {"-- MySQL dump 10.13\nINSERT INTO `other` VALUES (1,'x');\n", ""},
        {INSERT "(7,'bibindex','','admin','1970-01-02 00:00:00','1d',_binary "
                "'[\\0\\0\\0\\0','WAITING','',5,NULL);\n",
         "{\"job\":\"bibindex\",\"key\":\"bibsched-7\",\"priority\":5,\"sleeptime_ms\":86400000,\"user\":"
         "\"admin\"}"},
        /* ['bibupload', '-s', '1h', '--fixed-time', '-ir', 'a.xml'], marshalled */
        {INSERT "(8,'bibupload:pre','h1','ann','','1h',0x"
                "5b06000000"
                "7309000000"
                "62696275706c6f6164"
                "7302000000"
                "2d73"
                "7302000000"
                "3168"
                "730c000000"
                "2d2d66697865642d74696d65"
                "7303000000"
                "2d6972"
                "7305000000"
                "612e786d6c"
                ",'SLEEPING','',0,12);\n",
         "{\"args\":[\"-ir\",\"a.xml\"],\"fixed_time\":true,\"job\":\"bibupload\",\"key\":\"bibsched-8\","
         "\"name\":\"bibupload:pre\","
         "\"sequence_id\":12,\"sleeptime_ms\":3600000,\"user\":\"ann\"} | it was bound to host \"h1\": nodes "
         "have other names here"
         " | it was SLEEPING there: its next turn is taken"},
        {INSERT "(1,'a','','','','','','DONE','',0,0),(2,'b','','','','','','ERROR','',0,0),\n(3,'c''d','',''"
                ",'','','','waiting','',-11,0);\n",
         "-\n-\n{\"job\":\"c'd\",\"key\":\"bibsched-3\",\"priority\":-11}"},
        {"CREATE TABLE `schTASK` (\n  `id` int(15),\n  `status` varchar(50),\n  `proc` varchar(255),\n  "
         "PRIMARY KEY (`id`)\n);\n" INSERT "(4,'WAITING','webcoll');\n",
         "{\"job\":\"webcoll\",\"key\":\"bibsched-4\"}"},
        {"INSERT INTO `schTASK` (`proc`, `status`, `sleeptime`) VALUES ('x','WAITING','2w');\n",
         "{\"job\":\"x\",\"key\":\"bibsched-0\"} | its sleep time \"2w\": it runs once"},
        {INSERT "(5,'x','','','','','not marshal','WAITING','',0,0);\n",
         "{\"job\":\"x\",\"key\":\"bibsched-5\"} | its arguments cannot be read (they are no list of texts)"},
        {INSERT "(5,'x", "at byte 34: a text has no end"},
        {INSERT "(5 'x');", "at byte 32: a comma is expected between values"},
        {INSERT "(5,'x','','','','','','WAITING','',0,0)",
         "{\"job\":\"x\",\"key\":\"bibsched-5\"}\nat byte 68: a statement has no end"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check_dump(rows[i].dump, rows[i].tasks);
}

static void arguments_are_a_list_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *words; /* NULL: not read */
    } rows[] = {
        {"[\2\0\0\0t\1\0\0\0aR\0\0\0\0", 16, "a,a"}, /* the second is the first again */
        {"(\1\0\0\0u\2\0\0\0\xc3\xa9", 12, "\xc3\xa9"},
        {"[\0\0\0\0", 5, ""},
        {"[\1\0\0\0R\0\0\0\0", 10, NULL},
        {"[\1\0\0\0s\5\0\0\0a", 11, NULL},
        {"[\1\0\0\0i\5\0\0\0", 10, NULL},
        {"[\377\377\377\377", 5, NULL},
        {"[\0\0\0\0x", 6, NULL},
        {"{0", 2, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(str_done) Str bytes = STR_INIT;
        AUTO(strlist_done) StrList words = STRLIST_INIT;
        str_add(&bytes, rows[i].bytes, rows[i].n);
        bool ok = bibsched_words(&bytes, &words);
        if (ok != (rows[i].words != NULL))
            fail_msg("row %zu is %s", i, ok ? "read" : "not read");
        AUTOFREE char *joined = strlist_join(&words, ",");
        if (ok)
            assert_string_equal(joined ? joined : "", rows[i].words);
    }
}

/* A row of these words, which ';' parts; the first is the program's name. */
static void check_words(const char *proc, const char *words, const char *expected)
{
    AUTO(strlist_done) StrList list = STRLIST_INIT;
    AUTO(str_done) Str dump = STR_INIT;
    strlist_split(&list, words, ';');
    str_addf(&dump, INSERT "(9,'%s','','ann','','',0x5b%02zx000000", proc, list.n);
    for (size_t i = 0; i < list.n; i++) {
        str_addf(&dump, "73%02zx000000", strlen(list.v[i]));
        for (const char *c = list.v[i]; *c; c++)
            str_addf(&dump, "%02x", (unsigned char)*c);
    }
    str_adds(&dump, ",'WAITING','',0,0);\n");
    check_dump(str_z(&dump), expected);
}

static void what_follows_a_task_comes_along(void **state)
{
    (void)state;
    check_words(
        "bibindex",
        "bibindex;--post-process=bst_x[to='a, b',n=1];--email-logs-to;a@b, c@d;--email-logs-on-error",
        "{\"job\":\"bibindex\",\"key\":\"bibsched-9\",\"plan\":{\"email_logs_on_error\":true,"
        "\"email_logs_to\":[\"a@b\",\"c@d\"],\"post_args\":[\"to=a, b\",\"n=1\"],\"post_process\":\"bst_x\"},"
        "\"user\":\"ann\"}");
    check_words("bibindex", "bibindex;--post-process=bst_x[n",
                "{\"job\":\"bibindex\",\"key\":\"bibsched-9\",\"plan\":{},\"user\":\"ann\"} | --post-process "
                "bst_x[n is left "
                "out: \"bst_x[n\" has no closing bracket");
    check_words("bibtasklet:bst_foo", "bibtasklet;-T;bst_foo;-a;arg1=bar;--argument=arg2=b;-x",
                "{\"args\":[\"arg1=bar\",\"arg2=b\"],\"job\":\"bst_foo\",\"key\":\"bibsched-9\",\"name\":"
                "\"bibtasklet:bst_foo\",\"user\":\"ann\"} | its argument -x is left out");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_tasks),
        cmocka_unit_test(arguments_are_a_list_of_texts),
        cmocka_unit_test(what_follows_a_task_comes_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
