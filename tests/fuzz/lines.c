/* SPDX-License-Identifier: Apache-2.0
 * Lines, headers and texts.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/db/gtid.h"
#include "common/db/optionfile.h"
#include "common/db/rowsum.h"
#include "common/db/servercheck.h"
#include "common/net/http.h"
#include "common/wire/progress.h"
#include "common/wire/tasklet.h"
#include "fuzz.h"
#include "orchestrator/cli/result_verify.h"
#include "orchestrator/cli/when.h"
#include "replica-agent/core/ddl.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/core/own_gtids.h"
#include "replica-agent/core/tasklet_header.h"
#include "replica-agent/dump/portable_create.h"
#include "replica-agent/load/marker.h"
#include "replica-agent/restore/content.h"
#include "replica-agent/restore/folder.h"
#include "replica-agent/restore/statements.h"

/* "first|second": two texts of one input. The second is "" without a bar. */
static char *cut(const char *text, const char **ret_second)
{
    char *first = xstrdup(text), *bar = strchr(first, '|');
    *ret_second = bar ? bar + 1 : "";
    if (bar)
        *bar = '\0';
    return first;
}

static void progress(const char *text, size_t n)
{
    (void)n;
    Progress p = {0};
    if (!progress_parse(text, &p))
        return;
    MUST(memchr(p.unit, 0, sizeof p.unit) && memchr(p.note, 0, sizeof p.note));
    MUST(p.done >= 0 && p.total >= 0);
}

static const char *const progress_examples[] = {
    "{\"done\":12,\"total\":40,\"unit\":\"rows\",\"note\":\"reading\"}", "{\"done\":0}",
    "{\"done\":1e3,\"total\":null,\"unit\":\"caf\\u00e9\"}", "{\"done\":1,\"total\":1.5e3}", NULL};

static void range(const char *text, size_t n)
{
    (void)n;
    static const int64_t sizes[] = {0, 1, 1000, INT64_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int64_t from = -1, bytes = -1;
        if (http_parse_range(text, sizes[i], &from, &bytes) == HTTP_RANGE_PART)
            MUST(from >= 0 && bytes > 0 && from < sizes[i] && bytes <= sizes[i] - from);
    }
}

static const char *const range_examples[] = {"bytes=0-99",
                                             "bytes=100-",
                                             "bytes=-5",
                                             "bytes=1-2,4-5",
                                             "bytes=9223372036854775807-9223372036854775807",
                                             "bytes=0-9223372036854775807",
                                             NULL};

/* ---- GTIDs ---------------------------------------------------------------------------------------- */

static void compare(const Gtid *a, const Gtid *b)
{
    static const GtidOrder turned[] = {GTID_EQUAL, GTID_AFTER, GTID_BEFORE, GTID_DIVERGED};
    MUST(gtid_compare(b, a) == turned[gtid_compare(a, b)]);
    MUST(gtid_behind(a, b) >= 0 && gtid_behind(b, a) >= 0);
    Gtid *both = gtid_max(a, b);
    MUST(gtid_contains(both, a) && gtid_contains(both, b));
    MUST(gtid_behind(both, a) == 0 && gtid_behind(both, b) == 0);
    gtid_free(both);
}

/* What is taken is written so that it is taken again, as the same. */
static void write_again(DbFlavor flavor, const Gtid *g)
{
    Err err;
    Gtid *again;
    AUTOFREE char *written = gtid_text(g);
    MUST(gtid_parse(flavor, written, &again, &err));
    MUST(gtid_compare(g, again) == GTID_EQUAL && gtid_contains(g, again));
    gtid_free(again);
}

static void gtid(const char *text, size_t n)
{
    (void)n;
    const char *second;
    AUTOFREE char *first = cut(text, &second);
    for (int flavor = 0; flavor < FLAVORS; flavor++) {
        Err err;
        Gtid *a, *b;
        if (!gtid_parse((DbFlavor)flavor, first, &a, &err))
            continue;
        write_again((DbFlavor)flavor, a);
        if (gtid_parse((DbFlavor)flavor, second, &b, &err)) {
            compare(a, b);
            gtid_free(b);
        }
        gtid_free(a);
        free(gtids_position((DbFlavor)flavor, first, second));
    }
    free(gtids_without_own(first, second, 1));
    free(gtids_with(first, second));
}

static const char *const gtid_examples[] = {"0-1-77",
                                            "0-1-77,1-2-3,4294967295-1-18446744073709551615",
                                            "0-1-9223372036854775807,0-2-5|1-1-9223372036854775807",
                                            "0-1-270,1-1-5|0-2-271,7-1-5",
                                            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11-18",
                                            "3E11FA47-71CA-11E1-9E33-C80AA9429562:tag:1-3:other:7,\n"
                                            "4e11fa47-71ca-11e1-9e33-c80aa9429562:9223372036854775806",
                                            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9223372036854775806|"
                                            "4e11fa47-71ca-11e1-9e33-c80aa9429562:1-9223372036854775806",
                                            "",
                                            NULL};

/* ---- times, sums, names --------------------------------------------------------------------------- */

static void moment(const char *text, size_t n)
{
    (void)n;
    enum { NOW = 1764000000 };
    Err err;
    int64_t ms, again;
    char written[CLOCK_TEXT];
    if (clock_parse(text, &ms)) {
        clock_format(ms, written);
        MUST(clock_parse(written, &again) && again == ms);
    }
    if (clock_parse_duration(text, &ms)) {
        clock_format_duration(ms, written);
        MUST(ms >= 0);
    }
    if (when_parse_span(text, &ms, &err))
        MUST(ms >= 0);
    (void)!when_parse(text, NOW * INT64_C(1000), &ms, &err);
}

static const char *const moment_examples[] = {"2026-11-23T20:37:00.123Z",
                                              "1970-01-01T00:00:00Z",
                                              "9999-12-31T23:59:60Z",
                                              "1h30m",
                                              "26000000000d26000000000d",
                                              "+15s",
                                              "22:00",
                                              "2002-10-27 13:57:26",
                                              "now",
                                              NULL};

static void sum(const char *text, size_t n)
{
    (void)n;
    Err err;
    RowSum s, again;
    GtidEntry entry;
    int64_t task, no;
    AUTO(strlist_done) StrList sums = STRLIST_INIT, names = STRLIST_INIT;
    if (rowsum_parse(text, &s)) {
        AUTOFREE char *written = rowsum_text(&s);
        MUST(rowsum_parse(written, &again) && again.rows == s.rows && again.sum == s.sum);
    }
    if (verify_parse_sums(text, &sums, &names, &err)) {
        MUST(sums.n == names.n);
        for (size_t i = 0; i < names.n; i++)
            MUST(*names.v[i] != '/' && !str_starts(names.v[i], "../") && !strstr(names.v[i], "/../"));
    }
    if (wire_run_id(text, &task, &no))
        MUST(task > 0 && no >= 0);
    if (gtid_entry_parse(text, &entry)) {
        AUTOFREE char *written = gtid_entry_text(&entry);
        MUST(gtid_entry_parse(written, &entry));
    }
    for (int flavor = 0; flavor < FLAVORS; flavor++)
        marker_forbids((DbFlavor)flavor, text, 1764000000000, "0-1-9");
}

static const char *const sum_examples[] = {
    "1200:2576980377600",
    "12.1",
    "0-1-270",
    "siding 12.1 2026-11-23T20:37:00.123Z 0-1-10",
    "siding 12.1 2026-11-23T20:37:00.123Z",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a/b.tsv.gz\n"
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../c\n",
    NULL};

static void name(const char *text, size_t n)
{
    (void)n;
    RestoreFile f;
    if (folder_classify(text, &f))
        MUST(f.name && f.database && f.step < N_STEPS);
    free(f.name);
    free(f.database);
    free(f.table);
}

static const char *const name_examples[] = {"shop-schema-create.sql",
                                            "shop.orders-schema.sql.gz",
                                            "shop.orders.00012.sql.zst",
                                            "shop.orders.tsv",
                                            "shop-schema-post.sql",
                                            "shop.v-schema-view.sql",
                                            "metadata",
                                            NULL};

/* ---- option files, SQL ---------------------------------------------------------------------------- */

static OptionValue nothing_included(void *arg, const OptionLine *line)
{
    (void)arg;
    (void)line;
    return OPTION_ABSENT;
}

static void options(const char *text, size_t n)
{
    (void)n;
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    ClientCnf c = {0};
    AUTO(str_done) Str out = STR_INIT;
    optionfile_parse(text, "skip_slave_start", nothing_included, NULL);
    optionfile_word(text, "skip_slave_start");
    client_cnf_parse(text, &c);
    client_cnf_write(&out, &c);
    client_cnf_done(&c);
    strlist_split(&lines, text, '\n');
    free(servercheck_missing(&lines, "SELECT, REPLICATION SLAVE ADMIN, PROCESS", "*.*"));
}

static const char *const options_examples[] = {
    "[mysqld]\nskip-slave-start=1\n!includedir /etc/mysql/conf.d/\n[mariadb-10.11]\nloose_skip_slave_start\n",
    "[client]\nuser = siding\npassword='x y'\nhost=\"127.0.0.1\"\n# port=1\nport=3306\nsocket=/run/s\n",
    "GRANT SELECT, PROCESS ON *.* TO `a`@`b` IDENTIFIED BY PASSWORD '*x'\nGRANT `role` TO `a`@`b`\n"
    "GRANT ALL PRIVILEGES ON `x\\_y`.* TO `a`@`b` WITH GRANT OPTION\n",
    NULL};

/* All statements, whatever the pieces in which the text comes. */
static void collect(const char *text, size_t n, size_t piece, Str *out)
{
    AUTO(statements_done) StatementCutter s;
    const char *p;
    size_t length;
    statements_init(&s);
    for (size_t at = 0; at < n; at += piece) {
        statements_feed(&s, text + at, piece < n - at ? piece : n - at);
        while ((p = statements_next(&s, &length))) {
            MUST(p[length] == '\0');
            str_add(out, p, length);
            str_add(out, statements_is_insert(p, length) ? "\0i" : "\0-", 2);
        }
    }
    str_adds(out, statements_ended(&s) ? "whole" : "torn");
}

static void sql(const char *text, size_t n)
{
    AUTO(str_done) Str whole = STR_INIT, pieces = STR_INIT, enclosed = STR_INIT;
    collect(text, n, n + 1, &whole);
    collect(text, n, 3, &pieces);
    MUST(whole.len == pieces.len && memcmp(whole.p, pieces.p, whole.len) == 0);
    const DdlText own = {"s", text}, next = {"s", "DROP TABLE x"};
    size_t index = 0;
    MUST(ddl_judge(&own, &next, 1, &index) == DDL_FOREIGN || index == 0);
    AUTOFREE char *again = ddl_again(text), *twice = ddl_again(again);
    MUST(!twice); /* what may be done again is not changed once more */
    Content made;
    const char *end;
    content_of_file(text, &made);
    content_done(&made);
    content_parse(text, &made);
    MUST(made.definer_at + made.definer_n <= strlen(text));
    free(content_with_definer(text, &made, "'a'@'b'"));
    free(content_unquoted(text, &end));
    content_done(&made);
    for (int escapes = 0; escapes < 2; escapes++)
        if (!portable_create(&enclosed, text, escapes))
            MUST(!enclosed.len);
        else
            str_clear(&enclosed);
}

static const char *const sql_examples[] = {
    "/*!40101 SET NAMES binary*/;\nCREATE TABLE `t` (\n`a` int -- ;\n);\nINSERT INTO `t` "
    "VALUES\n(1,'a;\\n'),\n(2,NULL);\n",
    "DELIMITER ;;\nCREATE PROCEDURE p() BEGIN\n SELECT 1;\nEND;;\nDELIMITER ;\nDROP TABLE x;\n",
    "CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS `a``b`.`c` (x INT)",
    "CREATE /* x */ TABLE s.t LIKE u",
    "DROP PACKAGE BODY /*!50000 x */ IF EXISTS p",
    "CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a = \"it's; \\\";\n\"",
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a``b` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\n",
    "DROP TABLE IF EXISTS `x` /* generated by server */",
    NULL};

/* A header that is read has what its header promises, and its own defaults fit it. */
static void tasklet_header(const char *text, size_t n)
{
    Err err;
    TaskletHeader h = {0};
    AUTO(strlist_done) StrList none = STRLIST_INIT, all = STRLIST_INIT;
    (void)n;
    if (!tasklet_header_read(text, &h, &err))
        return;
    const TaskletParam *p = h.t.params.v;
    MUST(*h.name && (h.on == ROLE_PRIMARY || h.on == ROLE_REPLICA) && h.time_limit_ms >= 0);
    MUST(h.t.params.n <= TASKLET_MOST_PARAMS);
    for (size_t i = 0; i < h.t.params.n; i++) {
        MUST(tasklet_is_key(p[i].name, strlen(p[i].name)) && tasklet_is_type(p[i].type));
        MUST(!p[i].fallback || tasklet_check_value(&p[i], p[i].fallback, &err));
    }
    tasklet_arguments(&h.t, &none, &all);
    MUST(all.n == h.t.params.n);
    tasklet_header_done(&h);
}

static const char *const tasklet_header_examples[] = {
    "#!/bin/sh\n# tasklet: a\n# text: b\n# on: replica\n# time-limit: 10m\n# param: n int = 3 -- Text.\n# "
    "param: w x|y\n\n",
    "-- tasklet: a\n-- param: to text = \n", "// tasklet: a\n// param: b bool = true\n", NULL};

static void tasklet_call(const char *text, size_t n)
{
    Err err;
    AUTOFREE char *tasklet = NULL;
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    (void)n;
    if (!tasklet_read_call(text, &tasklet, &args, &err))
        return;
    MUST(*tasklet && !strchr(tasklet, '['));
    for (size_t i = 0; i < args.n; i++)
        MUST(tasklet_is_key(args.v[i], strcspn(args.v[i], "=")) && strchr(args.v[i], '='));
}

static const char *const tasklet_call_examples[] = {"bst_x", "bst_x[a=1, b='it\\'s', c=\"d,]\",]", "x[a=\\]",
                                                    NULL};

const FuzzTarget fuzz_lines[] = {
    {"progress", progress, progress_examples, NULL},
    {"range", range, range_examples, NULL},
    {"gtid", gtid, gtid_examples, NULL},
    {"moment", moment, moment_examples, NULL},
    {"sum", sum, sum_examples, NULL},
    {"name", name, name_examples, NULL},
    {"options", options, options_examples, NULL},
    {"sql", sql, sql_examples, NULL},
    {"tasklet_header", tasklet_header, tasklet_header_examples, NULL},
    {"tasklet_call", tasklet_call, tasklet_call_examples, NULL},
    {0},
};
