/* SPDX-License-Identifier: Apache-2.0
 * Rows as INSERT text, definitions as loadable text, file names, the metadata page.
 */
#include "test.h"

#include "common/file/crc.h"
#include "replica-agent/dump/format.h"
#include "replica-agent/dump/members.h"
#include "replica-agent/dump/metadata.h"
#include "replica-agent/dump/names.h"
#include "replica-agent/dump/portable_create.h"
#include "replica-agent/dump/reread.h"
#include "replica-agent/dump/schema.h"

static void values_by_kind(void **state)
{
    (void)state;
    static const struct {
        ValueKind kind;
        const char *p;
        size_t n;
        const char *text;
    } cases[] = {
        {VALUE_NUMBER, "-12.50", 6, "-12.50"},
        {VALUE_NUMBER, "0007", 4, "0007"},
        {VALUE_REAL, "1.5e300", 7, "1.5e300"},
        {VALUE_REAL, "-0", 2, "-0e0"},
        {VALUE_REAL, "-0.0", 4, "-0.0e0"},
        {VALUE_TEXT, "", 0, "''"},
        {VALUE_TEXT, "a'b\"c\\d\ne\rf\0g\x1ah;\n", 17, "'a\\'b\"c\\\\d\\ne\\rf\\0g\\Zh;\\n'"},
        {VALUE_TEXT, "\x81\xe9\xff", 3, "'\x81\xe9\xff'"},
        {VALUE_WORDS, "{\"a\": 1}", 8, "_utf8mb4'{\"a\": 1}'"},
        {VALUE_HEX, "\0\xff;\n", 4, "0x00FF3B0A"},
        {VALUE_HEX, "", 0, "''"}, /* a bare 0x would be an error */
        {VALUE_TEXT, NULL, 0, "NULL"},
        {VALUE_HEX, NULL, 0, "NULL"},
        {VALUE_TEXT, "NULL", 4, "'NULL'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[200];
        const Value v = {cases[i].p, cases[i].n};
        const Format f = {FORMAT_SQL, &cases[i].kind, 1};
        assert_true(format_most(&v, 1) <= sizeof out);
        *format_row(&f, out, &v) = 0;
        AUTOFREE char *want = xasprintf("(%s)", cases[i].text);
        assert_string_equal(out, want);
        assert_null(strchr(out, '\n')); /* ";\n" ends statements and nothing else */
    }
}

static void rows_and_heads(void **state)
{
    (void)state;
    static const ValueKind kinds[] = {VALUE_NUMBER, VALUE_TEXT, VALUE_HEX};
    const Value values[] = {{"1", 1}, {"a\t\n\\'", 5}, {NULL, 0}};
    const Format sql = {FORMAT_SQL, kinds, 3}, tsv = {FORMAT_TSV, kinds, 3};
    char row[200];
    *format_row(&sql, row, values) = 0;
    assert_string_equal(row, "(1,'a\t\\n\\\\\\'',NULL)");
    *format_row(&tsv, row, values) = 0;
    assert_string_equal(row, "1\ta\\t\\n\\\\'\t\\N\n");
    AUTO(str_done) Str head = STR_INIT, load = STR_INIT;
    char name[] = "t`x", a[] = "a", b[] = "b", c[] = "sel ect", d[] = "j";
    Column columns[] = {{.name = a},
                        {.name = b, .generated = true},
                        {.name = c, .kind = VALUE_REAL},
                        {.name = d, .kind = VALUE_WORDS}};
    DumpTable t = {.name = name, .columns = columns, .n_columns = 4};
    format_insert_head(&head, &t);
    assert_string_equal(head.p, "INSERT INTO `t``x` (`a`,`sel ect`,`j`) VALUES\n");
    format_load_data(&load, &t);
    assert_string_equal(
        load.p, "LOAD DATA LOCAL INFILE '%s' INTO TABLE `t``x` CHARACTER SET binary FIELDS TERMINATED BY "
                "'\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (`a`,`sel ect`,@v3) SET `j` = "
                "CONVERT(@v3 USING utf8mb4)");
}

/* What is written is read back alike, however the text is cut; the sum is zlib's over the joined values. */
static void rows_are_read_back(void **state)
{
    (void)state;
    static const ValueKind kinds[] = {VALUE_NUMBER, VALUE_TEXT, VALUE_HEX, VALUE_WORDS, VALUE_REAL};
    char long_text[3000];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (char)(i * 7 % 256);
    const Value rows[][5] = {
        {{"-1", 2}, {long_text, sizeof long_text}, {"\0\xff", 2}, {"{}", 2}, {"-0", 2}},
        {{NULL, 0}, {"", 0}, {"", 0}, {NULL, 0}, {"1.5", 3}},
        {{"7", 1}, {NULL, 0}, {NULL, 0}, {"it's", 4}, {NULL, 0}},
    };
    char int_[] = "int", text_[] = "text", blob_[] = "longblob", json_[] = "json", double_[] = "double";
    Column columns[] = {{.type = int_, .nullable = true},
                        {.type = text_, .nullable = true},
                        {.type = blob_, .nullable = true},
                        {.type = json_, .nullable = true},
                        {.type = double_, .nullable = true}};
    DumpTable t = {.columns = columns, .n_columns = 5};
    for (int kind = FORMAT_SQL; kind <= FORMAT_TSV; kind++) {
        const Format f = {(FormatKind)kind, kinds, 5};
        static char text[30000];
        char *to = text;
        if (kind == FORMAT_SQL)
            to += sprintf(to, "/*!40101 SET NAMES binary*/;\nINSERT INTO `t` (`a`,`b\n`) VALUES\n");
        for (size_t i = 0; i < COUNT(rows); i++) {
            to = format_row(&f, to, rows[i]);
            if (kind == FORMAT_SQL)
                to += sprintf(to, i + 1 < COUNT(rows) ? ",\n" : ";\n");
        }
        for (size_t step = 1; step < 4000; step = step * 3 + 1) {
            RowCheck check;
            Reread r;
            rowcheck_init(&check, &t);
            reread_init(&r, (FormatKind)kind, &check);
            for (const char *p = text; p < to; p += step)
                assert_true(reread_feed(&r, p, (size_t)(to - p) < step ? (size_t)(to - p) : step));
            assert_true(reread_ended(&r));
            assert_int_equal(check.sum.rows, 3);
            static uint64_t sum;
            if (kind == FORMAT_SQL && step == 1)
                sum = check.sum.sum;
            assert_int_equal(check.sum.sum, sum);
            rowcheck_done(&check);
        }
    }
}

static void a_sum_is_the_crc_of_joined_values(void **state)
{
    (void)state;
    char int_[] = "int", text_[] = "text", blob_[] = "longblob";
    Column columns[] = {{.type = int_}, {.type = text_, .nullable = true}, {.type = blob_, .nullable = true}};
    DumpTable t = {.columns = columns, .n_columns = 3};
    RowCheck c;
    rowcheck_init(&c, &t);
    rowcheck_value_begin(&c);
    rowcheck_bytes(&c, "12", 2);
    rowcheck_value_end(&c);
    rowcheck_null(&c);
    rowcheck_value_begin(&c);
    rowcheck_bytes(&c, "a", 1);
    rowcheck_bytes(&c, "bc", 2);
    rowcheck_value_end(&c);
    rowcheck_row_end(&c);
    AUTOFREE char *joined = xasprintf("12..%u,3..10", crc_of(0, "abc", 3));
    AUTO(str_done) Str bytes = STR_INIT;
    for (const char *p = joined; *p; p++)
        if (*p == '.' && *++p)
            str_add(&bytes, "\0\xff\0", 3);
        else
            str_addc(&bytes, *p);
    assert_int_equal(c.sum.sum, crc_of(0, bytes.p, bytes.len));
    rowcheck_done(&c);
}

typedef struct ReadBack {
    bool ok, ended;
    RowSum sum;
} ReadBack;

static ReadBack read_back(const DumpTable *t, FormatKind kind, const char *text, size_t n, size_t step)
{
    ReadBack b = {.ok = true};
    RowCheck check;
    Reread r;
    rowcheck_init(&check, t);
    reread_init(&r, kind, &check);
    for (size_t at = 0; at < n && b.ok; at += step)
        b.ok = reread_feed(&r, text + at, n - at < step ? n - at : step);
    b.ended = b.ok && reread_ended(&r);
    b.sum = check.sum;
    rowcheck_done(&check);
    return b;
}

static void add_rows(Str *text, const Format *f, const Value (*rows)[4], size_t n)
{
    if (f->kind == FORMAT_SQL)
        str_adds(text, "INSERT INTO `t` (`a`) VALUES\n");
    for (size_t i = 0; i < n; i++) {
        str_reserve(text, format_most(rows[i], 4) + 8);
        text->len = (size_t)(format_row(f, text->p + text->len, rows[i]) - text->p);
        if (f->kind == FORMAT_SQL)
            str_adds(text, i + 1 < n ? ",\n" : ";\n");
    }
}

/* Whole values are taken another way than bytes that come one by one. Both are right about text of any
 * length, with what is escaped anywhere in it, and both see the same damage. */
static void values_at_once_are_as_byte_by_byte(void **state)
{
    (void)state;
    enum { LENGTHS = 40, LONG = 5000 };
    static const char *const numbers[] = {"0",
                                          "-1",
                                          "12345678901234",
                                          "123456789012345",
                                          "1234567890123456",
                                          "-0.5",
                                          "-0",
                                          "1e300",
                                          "-0.0",
                                          NULL,
                                          "NaN",
                                          "1-2",
                                          "--1",
                                          "1."};
    static char texts[LENGTHS][LENGTHS + 1], longs[3][LONG];
    static Value rows[LENGTHS + 3][4];
    static const ValueKind kinds[] = {VALUE_REAL, VALUE_TEXT, VALUE_TEXT, VALUE_TEXT};
    char int_[] = "double", text_[] = "text", json_[] = "json";
    Column columns[] = {{.type = int_, .nullable = true},
                        {.type = text_},
                        {.type = text_, .nullable = true},
                        {.type = json_, .nullable = true}};
    DumpTable t = {.columns = columns, .n_columns = 4};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *number = numbers[i % COUNT(numbers)];
        rows[i][0] = (Value){number, number ? strlen(number) : 0};
        rows[i][3] = i % 3 ? (Value){"{}", 2} : (Value){NULL, 0};
        if (i < LENGTHS) {
            memset(texts[i], 'a' + (int)(i % 26), i);
            texts[i][i / 2] = "\n'\\x"[i % 4];
            rows[i][1] = (Value){texts[i], i};
            rows[i][2] = i % 5 ? (Value){texts[LENGTHS - 1 - i], LENGTHS - 1 - i} : (Value){NULL, 0};
            continue;
        }
        /* Nothing, one byte, every byte escaped. */
        char *p = longs[i - LENGTHS];
        memset(p, i == LENGTHS + 2 ? '\'' : 'y', LONG);
        p[LONG / 2] = i == LENGTHS ? 'y' : '\\';
        rows[i][1] = rows[i][2] = (Value){p, LONG - i};
    }
    for (int kind = FORMAT_SQL; kind <= FORMAT_TSV; kind++) {
        const Format f = {(FormatKind)kind, kinds, 4};
        AUTO(str_done) Str text = STR_INIT;
        add_rows(&text, &f, (const Value(*)[4])rows, COUNT(rows));
        ReadBack one = read_back(&t, f.kind, text.p, text.len, 1);
        assert_true(one.ended && one.sum.rows == COUNT(rows));
        for (size_t step = 2; step < text.len * 2; step += 1 + step / 3) {
            ReadBack b = read_back(&t, f.kind, text.p, text.len, step);
            assert_true(b.ended && b.sum.rows == one.sum.rows && b.sum.sum == one.sum.sum);
        }
        AUTO(str_done) Str few = STR_INIT;
        add_rows(&few, &f, (const Value(*)[4])rows, 24);
        for (size_t i = 0; i < few.len; i++)
            for (const char *c = "0-',)(;\n\\\tNx\""; *c; c++) {
                char was = few.p[i];
                few.p[i] = *c;
                ReadBack a = read_back(&t, f.kind, few.p, few.len, 1),
                         b = read_back(&t, f.kind, few.p, few.len, few.len);
                few.p[i] = was;
                if (a.ok != b.ok || a.ended != b.ended ||
                    (a.ended && (a.sum.rows != b.sum.rows || a.sum.sum != b.sum.sum)))
                    fail_msg("byte %zu as 0x%02x", i, (unsigned char)*c);
            }
        for (size_t n = 0; n < few.len; n++) { /* cut off */
            ReadBack a = read_back(&t, f.kind, few.p, n, 1), b = read_back(&t, f.kind, few.p, n, few.len);
            assert_true(a.ok == b.ok && a.ended == b.ended && a.sum.rows == b.sum.rows);
        }
    }
}

static void null_digits_of(const char *const *names, size_t n, Str *sql)
{
    Column columns[5] = {0};
    DumpTable t = {.columns = columns, .n_columns = n};
    char int_[] = "int", db[] = "d", table[] = "t";
    t.database = db;
    t.name = table;
    for (size_t i = 0; i < n; i++)
        columns[i] = (Column){.name = (char *)(uintptr_t)names[i], .type = int_, .nullable = i != 1};
    rowcheck_sql(sql, &t, NULL);
}

/* One digit for each column that may be NULL, two of them at a time. */
static void digits_tell_what_is_null(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static const char *const want[] = {
        NULL,
        ", IF(`a` IS NULL, '1', '0'))",
        ", IF(`a` IS NULL, '1', '0'))",
        ", IF(`a` IS NULL, IF(`c` IS NULL, '11', '10'), IF(`c` IS NULL, '01', '00')))",
        ", CONCAT(IF(`a` IS NULL, IF(`c` IS NULL, '11', '10'), IF(`c` IS NULL, '01', '00')), IF(`d` IS NULL, "
        "'1', '0')))",
        ", CONCAT(IF(`a` IS NULL, IF(`c` IS NULL, '11', '10'), IF(`c` IS NULL, '01', '00')), IF(`d` IS NULL, "
        "IF(`e` IS NULL, '11', '10'), IF(`e` IS NULL, '01', '00'))))",
    };
    for (size_t n = 1; n <= COUNT(names); n++) {
        AUTO(str_done) Str sql = STR_INIT;
        null_digits_of(names, n, &sql);
        if (!strstr(sql.p, want[n]))
            fail_msg("%s", sql.p);
    }
}

static void damaged_text_is_found(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "INSERT INTO `t` (`a`) VALUES\n(1",     "INSERT INTO `t` (`a`) VALUES\n(1)x",
        "INSERT INTO `t` (`a`) VALUES\n('a'b)", "INSERT INTO `t` (`a`) VALUES\n(0x1)",
        "INSERT INTO `t` (`a`) VALUES\n(1),\n", "INSERT INTO `t` (`a`) VALUES\n"};
    char int_[] = "int";
    Column column = {.type = int_};
    DumpTable t = {.columns = &column, .n_columns = 1};
    for (size_t i = 0; i < COUNT(texts); i++) {
        RowCheck check;
        Reread r;
        rowcheck_init(&check, &t);
        reread_init(&r, FORMAT_SQL, &check);
        assert_false(reread_feed(&r, texts[i], strlen(texts[i])) && reread_ended(&r));
        rowcheck_done(&check);
    }
}

static void types_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        ValueKind kind;
    } cases[] = {{"int", VALUE_NUMBER},    {"decimal", VALUE_NUMBER}, {"year", VALUE_NUMBER},
                 {"float", VALUE_REAL},    {"double", VALUE_REAL},    {"varchar", VALUE_TEXT},
                 {"enum", VALUE_TEXT},     {"datetime", VALUE_TEXT},  {"uuid", VALUE_WORDS},
                 {"inet6", VALUE_WORDS},   {"json", VALUE_WORDS},     {"bit", VALUE_HEX},
                 {"varbinary", VALUE_HEX}, {"longblob", VALUE_HEX},   {"geometry", VALUE_HEX},
                 {"polygon", VALUE_HEX}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(catalogue_value_kind(cases[i].type), cases[i].kind);
}

static void members_that_their_text_does_not_tell(void **state)
{
    (void)state;
    static const struct {
        const char *type, *collation;
        bool ambiguous;
    } cases[] = {
        {"enum('a','b')", "utf8mb4_general_ci", false},
        {"set('y','n','it''s',',')", "latin1_swedish_ci", false},
        {"enum('a','','b')", "utf8mb4_bin", true},
        {"enum('')", "utf8mb4_bin", true},
        {"set('x','')", "latin1_swedish_ci", true},
        {"enum('''','a')", "utf8mb4_bin", false},
        {"enum(''',''','b')", "utf8mb4_bin", false},
        {"enum('a','A')", "utf8mb4_general_ci", true},
        {"enum('a','A')", "utf8mb4_bin", false},
        {"enum('a','a')", "binary", true},
        {"enum('\u00e9','e')", "utf8mb4_general_ci", true},
        {"enum('\u00e9','e')", "utf8mb4_bin", false},
        {"enum('a','b')", NULL, false},
        {"enum('a\\','b')", "utf8mb4_bin", true},
        {"enum('a", "utf8mb4_bin", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (members_are_ambiguous(cases[i].type, cases[i].collation) != cases[i].ambiguous)
            fail_msg("%s", cases[i].type);
}

static void file_names(void **state)
{
    (void)state;
    static const char *const safe[] = {"orders", "Übersicht", "a b", "t-1", "a$b", "x_schema"};
    static const char *const unsafe[] = {"a.b",           "a/b", "..", "",    "a\nb", "t-schema",
                                         "x-schema-view", "`",   " a", "-rf", "a ",   "siding_alias_0",
                                         "metadata"};
    for (size_t i = 0; i < COUNT(safe); i++)
        assert_true(names_is_safe(safe[i]));
    for (size_t i = 0; i < COUNT(unsafe); i++)
        assert_false(names_is_safe(unsafe[i]));
    char big[200];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_false(names_is_safe(big));
    StrList taken = STRLIST_INIT;
    AUTOFREE char *a = names_for_file("orders", &taken), *b = names_for_file("a.b", &taken),
                  *c = names_for_file("a/b", &taken), *d = names_for_file("siding_alias_0", &taken);
    assert_string_equal(a, "orders");
    assert_string_equal(b, "siding_alias_0");
    assert_string_equal(c, "siding_alias_1");
    assert_string_equal(d, "siding_alias_2");
    strlist_done(&taken);
}

static void view_placeholders(void **state)
{
    (void)state;
    char name[] = "v", a[] = "a", b[] = "b`";
    char cs[] = "latin1", coll[] = "latin1_bin";
    Column columns[] = {{.name = a}, {.name = b, .charset = cs, .collation = coll}};
    DumpTable v = {.name = name, .columns = columns, .n_columns = 2}, broken = {.name = name};
    AUTO(str_done) Str one = STR_INIT, two = STR_INIT;
    schema_placeholder(&one, &v);
    assert_string_equal(
        one.p,
        "CREATE OR REPLACE VIEW `v` AS SELECT\n  1 AS `a`,\n  _latin1'' COLLATE latin1_bin AS `b```;\n");
    schema_placeholder(&two, &broken);
    assert_string_equal(two.p, "CREATE OR REPLACE VIEW `v` AS SELECT\n  1 AS `siding_placeholder`;\n");
}

static void bodies_with_semicolons(void **state)
{
    (void)state;
    AUTO(str_done) Str one = STR_INIT, two = STR_INIT, three = STR_INIT;
    assert_true(schema_add_body(&one, "CREATE …; END", "", true));
    assert_string_equal(one.p, "EXECUTE IMMEDIATE @siding_sql;\n");
    assert_false(schema_add_body(&two, "CREATE 'a;\nb'", "", false));
    assert_string_equal(two.p, "DELIMITER ;;\nCREATE 'a;\nb' ;;\nDELIMITER ;\n");
    assert_true(schema_add_body(&three, "CREATE '\\'", "ANSI,NO_BACKSLASH_ESCAPES", false));
    assert_string_equal(three.p, "CREATE /*!999999 \"*/ '\\'/*!999999 \"*/;\n");
}

static void texts_are_enclosed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* behind CREATE; without the closing comment; NULL: not possible */
        char quote;
    } cases[] = {
        {"SET a = 1", "SET a = 1", '"'},
        {"BEGIN\nDO 1;\nEND", "BEGIN\nDO 1;/*!999999 */\nEND", '"'},
        {"BEGIN DO 1; DO 'a;b'; END", "BEGIN DO 1; DO 'a;b'; END", '"'},
        {"BEGIN DO \"a\"; DO 1; END", "BEGIN DO \"a\"; DO 1; END", '"'},
        {"BEGIN DO \"a;\"; DO 1; END", "BEGIN DO \"a;\"; DO 1; END", '\''},
        {"BEGIN DO \"a;\"; DO 'b;'; END", "BEGIN DO \"a;\"; DO 'b;'; END", '`'},
        {"BEGIN DO \"a;\", 'b;', `c;`; END", NULL, 0},
        {"BEGIN -- it's;\nDO 1;\nEND", "BEGIN -- it's; \nDO 1;/*!999999 */\nEND", '"'},
        {"BEGIN /* a;\nb */ DO 1; END", "BEGIN /* a; \nb */ DO 1; END", '"'},
        {"DO 'a;\n'", NULL, 0},
        {"DO 'it''s; \\'x'", "DO 'it''s; \\'x'", '"'},
        {"DO 1 -- end", "DO 1 -- end\n", '"'},
        {"DO 'open", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str out = STR_INIT;
        AUTOFREE char *sql = xasprintf("CREATE %s", cases[i].text);
        AUTOFREE char *want = cases[i].want ? xasprintf("CREATE /*!999999 %c*/ %s/*!999999 %c*/;\n",
                                                        cases[i].quote, cases[i].want, cases[i].quote)
                                            : xstrdup("");
        assert_int_equal(portable_create(&out, sql, true), cases[i].want != NULL);
        assert_string_equal(str_z(&out), want);
    }
}

static void metadata_as_mydumper_has_it(void **state)
{
    (void)state;
    char file[] = "b.000001", gtid[] = "0-1-30", host[] = "h", source[] = "s.000002", applied[] = "0-1-29";
    Snapshot s = {.binlog_file = file, .binlog_pos = 42, .binlog_gtid = gtid, .started_at = 1000};
    AUTO(str_done) Str primary = STR_INIT, replica = STR_INIT;
    metadata_write(&primary, &s, 61000);
    assert_string_equal(primary.p,
                        "Started dump at: 1970-01-01 00:00:01\nSHOW MASTER STATUS:\n\tLog: b.000001\n\tPos: "
                        "42\n\tGTID:0-1-30\n\nFinished dump at: 1970-01-01 00:01:01\n");
    s.binlog_file = NULL;
    s.source_host = host;
    s.source_file = source;
    s.source_pos = 7;
    s.applied = applied;
    metadata_write(&replica, &s, 61000);
    assert_string_equal(replica.p,
                        "Started dump at: 1970-01-01 00:00:01\nSHOW SLAVE STATUS:\n\tHost: h\n\tLog: "
                        "s.000002\n\tPos: 7\n\tGTID:0-1-29\n\nFinished dump at: 1970-01-01 00:01:01\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_kind),
        cmocka_unit_test(rows_and_heads),
        cmocka_unit_test(rows_are_read_back),
        cmocka_unit_test(values_at_once_are_as_byte_by_byte),
        cmocka_unit_test(digits_tell_what_is_null),
        cmocka_unit_test(a_sum_is_the_crc_of_joined_values),
        cmocka_unit_test(damaged_text_is_found),
        cmocka_unit_test(types_have_kinds),
        cmocka_unit_test(members_that_their_text_does_not_tell),
        cmocka_unit_test(file_names),
        cmocka_unit_test(view_placeholders),
        cmocka_unit_test(bodies_with_semicolons),
        cmocka_unit_test(texts_are_enclosed),
        cmocka_unit_test(metadata_as_mydumper_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
