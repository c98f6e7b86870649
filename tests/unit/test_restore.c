/* SPDX-License-Identifier: Apache-2.0
 * What siding-restore makes of names and texts: kinds of files, statements, names of databases.
 */
#include "test.h"

#include "replica-agent/restore/folder.h"
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

static void databases_are_named_in_their_files(void **state)
{
    (void)state;
    AUTOFREE char *plain = folder_created_database(
                      "SET x;\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `a.b` COLLATE z;"),
                  *quote = folder_created_database("CREATE DATABASE `a``b`;"),
                  *none = folder_created_database("SELECT 1;");
    assert_string_equal(plain, "a.b");
    assert_string_equal(quote, "a`b");
    assert_null(none);
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
        Statements s;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_have_steps),
        cmocka_unit_test(databases_are_named_in_their_files),
        cmocka_unit_test(statements_are_cut_however_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
