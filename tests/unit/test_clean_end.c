/* SPDX-License-Identifier: Apache-2.0
 * How a server's processes have ended, read off its binary logs: in order, by a kill, or not to be known.
 */
#include "replica-agent/server/clean_end.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "opscript.h"
#include "replica-agent/core/le.h"

enum { SINCE_S = 1000 };

/* A binary log. Ends: s a Stop event with a checksum, p one without, r a Rotate event to the next file, k
 * killed, t torn, e encrypted (by MySQL). */
static void put_log(StrList *to, const char *dir, int64_t opened_s, bool first, char end)
{
    Err err;
    AUTO(str_done) Str f = STR_INIT;
    str_adds(&f, end == 'e' ? "\xfd"
                              "bin"
                            : "\xfe"
                              "bin");
    le_put(&f, (uint64_t)opened_s, 4);
    le_put(&f, 15, 1);
    le_put(&f, 1, 4);
    le_put(&f, 100, 4);
    le_put(&f, 104, 4);
    le_put(&f, 0, 2 + 2);
    for (int i = 0; i < 50; i++)
        str_addc(&f, 'v');
    le_put(&f, first ? (uint64_t)opened_s : 0, 4);
    for (int i = 0; i < 60; i++)
        str_addc(&f, (char)i);
    AUTOFREE char *next = xasprintf("binlog.%06zu", to->n + 2);
    size_t body = end == 'r' ? 8 + strlen(next) : 0, length = 19 + body + (end == 'p' ? 0 : 4);
    if (end != 'k') {
        le_put(&f, 1, 4);
        le_put(&f, end == 'r' ? 4 : 3, 1);
        le_put(&f, 1, 4);
        le_put(&f, length, 4);
        le_put(&f, f.len - 13 + length, 4);
        le_put(&f, 0, 2);
        if (body)
            str_addf(&f, "%08d%s", 4, next);
        le_put(&f, 0, end == 'p' ? 0 : 4);
    }
    if (end == 't')
        f.len -= 3;
    strlist_addf(to, "%s/binlog.%06zu", dir, to->n + 1);
    assert_true(fs_replace(to->v[to->n - 1], f.p, f.len, 0600, &err));
}

static void ends_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *logs; /* opened at, "!" the first of its process, end; oldest first */
        const char *why;  /* NULL: all ended in order */
    } rows[] = {
        {"900!s 2000!k", NULL},
        {"900!p 2000!k", NULL},
        {"950s 2000!k", NULL}, /* older ones are purged */
        {"900!k 950k 990s 2000!k 2100k", NULL},
        {"900!k 1100s 2000!k", NULL},
        {"900!s 2000!s 3000!k", NULL},
        {"900!k 2000!k", "does not end in order"},
        {"900!t 2000!k", "does not end in order"},
        {"900!s 2000!k 3000!k", "does not end in order"},
        {"900!k 2000!s 3000!k", "does not end in order"},
        {"2000!k", "do not reach back"},
        {"1500s 2000!k", "do not reach back"},
        {"900!k 1500k", "no server process has begun since"},
        /* Logs are dated by the second: one of this second is of the process that has begun since. */
        {"900!s 1000!k", NULL},
        {"900!s 1000!k 1000k", NULL},
        {"900!k 1000!k", "does not end in order"},
        {"1000!s 1000!k", NULL},
        {"1000!s 2000!k", NULL},
        {"1000!k 2000!k", "does not end in order"},
        {"900!e 2000!k", "only the server can read"},
        {"900!s 2000!e", NULL},
        {"900!k 2000!e", "does not end in order"},
        {"900r 2000!e", "no server process has begun since"}, /* encryption was switched on */
        {"900!s 1500!r 2000!e", NULL},
        {"", "do not reach back"},
    };
    char dir[] = "/tmp/siding-ends-XXXXXX";
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *why = NULL;
        AUTO(strlist_done) StrList logs = STRLIST_INIT, words = STRLIST_INIT;
        strlist_split(&words, rows[i].logs, ' ');
        for (size_t k = 0; k < words.n; k++)
            put_log(&logs, dir, strtoll(words.v[k], NULL, 10), strchr(words.v[k], '!') != NULL,
                    words.v[k][strlen(words.v[k]) - 1]);
        bool well = clean_end_since(NULL, &logs, (int64_t)SINCE_S * 1000 + 500, &why);
        if (well != !rows[i].why || (why && !strstr(why, rows[i].why)))
            fail_msg("%s: %d, %s", rows[i].logs, well, why ? why : "-");
        for (size_t k = 0; k < logs.n; k++)
            unlink(logs.v[k]);
    }
    rmdir(dir);
}

#define AT(file, from) "SHOW BINLOG EVENTS IN 'binlog.00000" file "' FROM " from " LIMIT 1"
#define EVENT(type) .columns = "Log_name|Pos|Event_type", .rows = "b|4|" type
#define NOTHING .fail = ERR_DB, .code = 1220

/* An encrypted file is 512 bytes longer than what the server says of it; those of put_log end at `size`. */
static void the_server_reads_what_it_has_encrypted(void **state)
{
    (void)state;
    enum { LOGICAL = 1000 };
    char dir[] = "/tmp/siding-ends-XXXXXX";
    Err err;
    assert_non_null(mkdtemp(dir));
    static const struct {
        int how;
        const char *why;
    } rows[] = {{0, NULL}, {1, "does not end in order"}, {2, NULL}, {3, "only the server can read"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(strlist_done) StrList logs = STRLIST_INIT;
        AUTOFREE char *why = NULL;
        Db *db = NULL;
        put_log(&logs, dir, 900, true, 's');
        put_log(&logs, dir, 2000, true, 'e');
        put_log(&logs, dir, 2000, true, 'e');
        assert_int_equal(truncate(logs.v[1], 512 + LOGICAL), 0);
        script_begin(DB_MYSQL, 1);
        EXPECT("CONNECT …");
        assert_true(db_connect(&(DbTarget){.user = (char *)"siding_agent"}, 1000, &db, &err));
        if (rows[i].how == 0) {
            EXPECT(AT("2", "981"), NOTHING);
            EXPECT(AT("2", "977"), EVENT("Stop"));
        } else if (rows[i].how == 3) {
            EXPECT(AT("2", "981"), .fail = ERR_DB, .code = 1227);
        } else {
            EXPECT(AT("2", "981"), NOTHING);
            EXPECT(AT("2", "977"), EVENT("Xid"));
            EXPECT(AT("2", "960"), NOTHING);
            EXPECT(AT("2", "956"), .columns = "Event_type", .rows = rows[i].how == 2 ? "Rotate" : "Query");
        }
        bool well = clean_end_since(db, &logs, (int64_t)SINCE_S * 1000 + 500, &why);
        if (well != !rows[i].why || (why && !strstr(why, rows[i].why)))
            fail_msg("%zu: %d, %s", i, well, why ? why : "-");
        db_close(db);
        script_end(0);
        for (size_t k = 0; k < logs.n; k++)
            unlink(logs.v[k]);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ends_are_told_apart),
                                       cmocka_unit_test(the_server_reads_what_it_has_encrypted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
