/* SPDX-License-Identifier: Apache-2.0
 * What siding-restore makes of names and texts: kinds of files, statements, names of databases.
 */
#include "test.h"

#include "common/db/db.h"
#include "replica-agent/restore/blame.h"
#include "replica-agent/restore/connect.h"
#include "replica-agent/restore/content.h"
#include "replica-agent/restore/folder.h"
#include "replica-agent/restore/lines.h"
#include "replica-agent/restore/statements.h"

static void files_have_steps(void **state)
{
    (void)state;
    static const struct {
        const char *name, *database, *table;
        RestoreStep step;
        bool tsv;
    } cases[] = {
        {"d-schema-create.sql.gz", "d", NULL, STEP_DATABASES},
        {"d.t-schema.sql", "d", "t", STEP_TABLES},
        {"d.v-schema-view.sql.zst", "d", "v", STEP_VIEWS},
        {"d.s-schema-sequence.sql", "d", "s", STEP_SEQUENCES},
        {"d.t-schema-triggers.sql.gz", "d", "t", STEP_TRIGGERS},
        {"d-schema-post.sql.gz", "d", NULL, STEP_POST},
        {"d.t.00012.sql.gz", "d", "t", STEP_ROWS},
        {"d.t.123456.sql", "d", "t", STEP_ROWS},
        {"d.t.sql", "d", "t", STEP_ROWS},
        {"d.00001.sql", "d", "00001", STEP_ROWS},
        {"d-schema-triggers.sql", "d", NULL, STEP_TRIGGERS},
        {"d.t.00000.tsv.gz", "d", "t", STEP_ROWS, true},
    };
    static const char *const none[] = {
        "metadata", "files.json", "SHA256SUMS", ".part-1", "siding-users.ddl.gz", "x.sql", ".sql"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        RestoreFile f;
        assert_true(folder_classify(cases[i].name, &f));
        assert_string_equal(f.name, cases[i].name);
        assert_string_equal(f.database, cases[i].database);
        assert_true(str_eq(f.table, cases[i].table));
        assert_int_equal(f.step, cases[i].step);
        assert_int_equal(f.tsv, cases[i].tsv);
        free(f.name);
        free(f.database);
        free(f.table);
    }
    for (size_t i = 0; i < COUNT(none); i++) {
        RestoreFile f;
        assert_false(folder_classify(none[i], &f));
        free(f.database);
        free(f.table);
    }
}

static void rows_of_an_insert_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *rows; /* with | between them; NULL: there are none */
    } cases[] = {
        {"INSERT INTO `t` (`a`) VALUES\n(1),\n(2)", "(1)|(2)"},
        {"INSERT INTO `t` VALUES(1,\"x\")\n,(2,\"a\\\"),(b\")", "(1,\"x\")|(2,\"a\\\"),(b\")"},
        {"insert into `VALUES (` values (1,'it''s)','(')  ,  (NULL,0x00)", "(1,'it''s)','(')|(NULL,0x00)"},
        {"INSERT INTO t VALUES (1,_binary'),(',(2)),(3)", "(1,_binary'),(',(2))|(3)"},
        {"INSERT INTO t VALUES (1),(2", "(1)"},
        {"INSERT INTO t VALUES ('a),(2)", ""},
        {"INSERT INTO t SELECT 1", NULL},
        {"INSERT INTO t VALUES", NULL},
        {"INSERT INTO `t", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *sql = cases[i].sql, *end = sql + strlen(sql), *at = blame_rows_of(sql, strlen(sql)), *row;
        AUTO(str_done) Str rows = STR_INIT;
        size_t n;
        if (!cases[i].rows) {
            assert_null(at);
            continue;
        }
        assert_non_null(at);
        while (blame_next_row(&at, end, &row, &n)) {
            str_adds(&rows, rows.len ? "|" : "");
            str_add(&rows, row, n);
        }
        assert_string_equal(str_z(&rows), cases[i].rows);
    }
}

static void statements_say_what_they_make(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        ContentKind kind;
        const char *name, *with_definer; /* 'me'@'here' */
    } cases[] = {
        {"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a.b` COLLATE z", CONTENT_DATABASE, "a.b", NULL},
        {"CREATE DATABASE `a``b`", CONTENT_DATABASE, "a`b", NULL},
        {"SELECT 1", CONTENT_OTHER, NULL, NULL},
        {"/* a */ -- b\n# c\nCREATE TABLE IF NOT EXISTS t (a int)", CONTENT_TABLE, "t", NULL},
        {"INSERT IGNORE INTO `d`.`x-schema` VALUES (1)", CONTENT_ROWS, "x-schema", NULL},
        {"REPLACE INTO `t.00000` VALUES (1)", CONTENT_ROWS, "t.00000", NULL},
        {"LOAD DATA LOCAL INFILE 'f' REPLACE INTO TABLE `t` FIELDS", CONTENT_LOAD_DATA, "t", NULL},
        {"CREATE ALGORITHM=UNDEFINED DEFINER=`r`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1", CONTENT_VIEW,
         "v", "CREATE ALGORITHM=UNDEFINED DEFINER='me'@'here' SQL SECURITY DEFINER VIEW `v` AS select 1"},
        {"CREATE /*!999999 \"*/ DEFINER=`a``@`@`b` TRIGGER `x` BEFORE INSERT ON t", CONTENT_TRIGGER, "x",
         "CREATE /*!999999 \"*/ DEFINER='me'@'here' TRIGGER `x` BEFORE INSERT ON t"},
        {"/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 PROCEDURE p() SELECT 'DEFINER=x'*/",
         CONTENT_PROCEDURE, "p",
         "/*!50003 CREATE*/ /*!50017 DEFINER='me'@'here'*/ /*!50003 PROCEDURE p() SELECT 'DEFINER=x'*/"},
        {"CREATE OR REPLACE DEFINER=CURRENT_USER() AGGREGATE FUNCTION IF NOT EXISTS f() RETURNS INT",
         CONTENT_FUNCTION, "f",
         "CREATE OR REPLACE DEFINER='me'@'here' AGGREGATE FUNCTION IF NOT EXISTS f() RETURNS INT"},
        {"CREATE DEFINER=r@h PACKAGE BODY `p` AS", CONTENT_PACKAGE_BODY, "p",
         "CREATE DEFINER='me'@'here' PACKAGE BODY `p` AS"},
        {"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", CONTENT_EVENT, "e",
         "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1"},
        {"CREATE", CONTENT_OTHER, NULL, NULL},
        {"CREATE /*", CONTENT_OTHER, NULL, NULL},
        {"CREATE TABLE `x", CONTENT_TABLE, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Content c;
        content_parse(cases[i].sql, &c);
        assert_int_equal(c.kind, cases[i].kind);
        if (cases[i].name)
            assert_string_equal(c.name, cases[i].name);
        AUTOFREE char *other = content_with_definer(cases[i].sql, &c, "'me'@'here'");
        assert_string_equal(other, cases[i].with_definer ? cases[i].with_definer : cases[i].sql);
        content_done(&c);
    }
}

static void texts_come_out_of_their_quotes(void **state)
{
    (void)state;
    static const char bytes[] = "it's \\ a\nb\r\032 \"`";
    const char *end;
    AUTO(str_done) Str literal = STR_INIT;
    db_quote_str(&literal, bytes, sizeof bytes - 1);
    str_adds(&literal, "; rest");
    AUTOFREE char *back = content_unquoted(literal.p, &end), *none = content_unquoted("'no end", &end);
    assert_string_equal(back, bytes);
    assert_null(none);
    free(content_unquoted(literal.p, &end));
    assert_string_equal(end, "; rest");
}

static void a_file_of_an_object_in_quotes_is_read(void **state)
{
    (void)state;
    Content c;
    content_of_file(
        "/*!40101 SET NAMES utf8mb4*/;\nDROP VIEW IF EXISTS `v`;\n"
        "SET @siding_sql = 'CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW `it''s` AS\n"
        "SELECT ''x'' AS `x`';\nEXECUTE IMMEDIATE @siding_sql;\n",
        &c);
    assert_int_equal(c.kind, CONTENT_VIEW);
    assert_string_equal(c.name, "it's");
    content_done(&c);
    content_of_file("SET @siding_sql = 'CREATE VIEW `cut", &c);
    assert_int_equal(c.kind, CONTENT_OTHER);
    content_done(&c);
}

static void a_statement_has_an_end(void **state)
{
    (void)state;
    StatementCutter s;
    size_t n;
    statements_init(&s);
    assert_int_equal(s.longest, STATEMENTS_LONGEST);
    s.longest = 100;
    for (int i = 0; i < 20; i++) { /* each goes as it ends, however many there are */
        statements_feed(&s, "INSERT INTO t VALUES (1);\n", 26);
        assert_non_null(statements_next(&s, &n));
        assert_null(statements_next(&s, &n));
        assert_false(statements_is_endless(&s));
    }
    for (int i = 0; i < 11; i++) {
        assert_false(statements_is_endless(&s));
        statements_feed(&s, "INSERT INT", 10);
        assert_null(statements_next(&s, &n));
    }
    assert_true(statements_is_endless(&s));
    statements_done(&s);
}

static void statements_are_cut_however_they_come(void **state)
{
    (void)state;
    static const char text[] = "/*!40101 SET NAMES binary*/;\n\nINSERT INTO `t` (`a`) "
                               "VALUES\n('a;',1),\n('b\\n;',2);\nDELIMITER ;;\n"
                               "CREATE TRIGGER x\nBEGIN\n  SET @a = 1;\nEND ;;\nDELIMITER ;\nSELECT 1;\n";
    static const char *const want[] = {"/*!40101 SET NAMES binary*/",
                                       "INSERT INTO `t` (`a`) VALUES\n('a;',1),\n('b\\n;',2)",
                                       "CREATE TRIGGER x\nBEGIN\n  SET @a = 1;\nEND ", "SELECT 1"};
    for (size_t step = 1; step < sizeof text; step++) {
        StatementCutter s;
        size_t found = 0, n;
        const char *p;
        statements_init(&s);
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            statements_feed(&s, text + at, at + step < sizeof text - 1 ? step : sizeof text - 1 - at);
            while ((p = statements_next(&s, &n))) {
                assert_true(found < COUNT(want));
                assert_string_equal(p, want[found]);
                assert_int_equal(n, strlen(want[found]));
                found++;
            }
        }
        assert_int_equal(found, COUNT(want));
        assert_true(statements_ended(&s));
        statements_feed(&s, "INSERT INTO", 11);
        assert_null(statements_next(&s, &n));
        assert_false(statements_ended(&s));
        statements_done(&s);
    }
    assert_true(statements_is_insert("INSERT INTO t", 13));
    assert_false(statements_is_insert("SET x = 'INSERT '", 17));
}

static void inserts_become_lines(void **state)
{
    (void)state;
    static const char sql[] = "INSERT INTO `t``x` (`a`,`b,`,`j`,`h`) VALUES\n"
                              "(1,'it\\'s \\\\N\\n\t,(end)\\0\\Z',_utf8mb4'{\"a\":\\\\1}',0x00090A5C41),\n"
                              "(-1.5e+10,'',NULL,''),\n"
                              "(-0e0,'\\r0123456789abcdef0123456789abcde\xff\xfe',NULL,0xFF)";
    static const char text[] = "1\tit\\'s \\\\N\\n\\t,(end)\\0\\Z\t{\"a\":\\\\1}\t\\0\\t\\n\\\\A\n"
                               "-1.5e+10\t\t\\N\t\n"
                               "-0\t\\r0123456789abcdef0123456789abcde\xff\xfe\t\\N\t\xff\n";
    Lines l = {0};
    for (int again = 0; again < 2; again++) {
        assert_true(lines_of_insert(sql, sizeof sql - 1, &l));
        assert_int_equal(l.rows, 3);
        assert_int_equal(l.text.len, sizeof text - 1);
        assert_memory_equal(l.text.p, text, sizeof text - 1);
        assert_string_equal(str_z(&l.statement), "LOAD DATA LOCAL INFILE 'siding' INTO TABLE `t``x` "
                                                 "CHARACTER SET binary FIELDS TERMINATED BY '\\t' "
                                                 "ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' "
                                                 "(`a`,`b,`,@v2,`h`) SET `j` = CONVERT(@v2 USING utf8mb4)");
    }
    lines_done(&l);
}

/* What others write, and what is cut short, stays an INSERT. */
static void other_inserts_do_not(void **state)
{
    (void)state;
    static const char *const others[] = {
        "INSERT INTO `t` VALUES\n(1)",
        "INSERT INTO `d`.`t` (`a`) VALUES\n(1)",
        "INSERT IGNORE INTO `t` (`a`) VALUES\n(1)",
        "INSERT INTO `t` (`a`) VALUES (1)",
        "INSERT INTO `t` (`a`) VALUES\n(1,2)",
        "INSERT INTO `t` (`a`,`b`) VALUES\n(1)",
        "INSERT INTO `t` (`a`) VALUES\n(1)\n,(2)",
        "INSERT INTO `t` (`a`) VALUES\n('a''b')",
        "INSERT INTO `t` (`a`) VALUES\n('a\\\"b')",
        "INSERT INTO `t` (`a`) VALUES\n('a\nb')",
        "INSERT INTO `t` (`a`) VALUES\n(\"a\")",
        "INSERT INTO `t` (`a`) VALUES\n(_binary 'a')",
        "INSERT INTO `t` (`a`) VALUES\n(CONVERT('a' USING utf8mb4))",
        "INSERT INTO `t` (`a`) VALUES\n(0x1)",
        "INSERT INTO `t` (`a`) VALUES\n(0x)",
        "INSERT INTO `t` (`a`) VALUES\n()",
        "INSERT INTO `t` (`a`) VALUES\n('a",
        "INSERT INTO `t` (`a`) VALUES\n(1",
        "INSERT INTO `t` (`a`) VALUES\n",
        "INSERT INTO `t` (`a`) VALUES\n(1) ON DUPLICATE KEY UPDATE a = 1",
    };
    Lines l = {0};
    for (size_t i = 0; i < COUNT(others); i++)
        if (lines_of_insert(others[i], strlen(others[i]), &l))
            fail_msg("taken for lines: %s", others[i]);
    lines_done(&l);
}

/* Growing, and not for ever. */
static void waits_for_locks_end(void **state)
{
    (void)state;
    int64_t all = 0, before = 0, ms;
    int try = 1;
    for (; (ms = connect_pause_ms(try)) >= 0; try++) {
        assert_true(ms >= before && ms > 0 && ms <= 5000 && try < 100);
        before = ms;
        all += ms;
    }
    assert_int_equal(try, 20);
    assert_true(all > 30000);
    assert_int_equal(connect_pause_ms(try + 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_have_steps),
        cmocka_unit_test(statements_say_what_they_make),
        cmocka_unit_test(texts_come_out_of_their_quotes),
        cmocka_unit_test(a_file_of_an_object_in_quotes_is_read),
        cmocka_unit_test(rows_of_an_insert_are_told_apart),
        cmocka_unit_test(inserts_become_lines),
        cmocka_unit_test(other_inserts_do_not),
        cmocka_unit_test(statements_are_cut_however_they_come),
        cmocka_unit_test(a_statement_has_an_end),
        cmocka_unit_test(waits_for_locks_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
