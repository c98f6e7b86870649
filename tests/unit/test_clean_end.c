/* SPDX-License-Identifier: Apache-2.0
 * How a server's processes have ended, read off its binary logs: in order, by a kill, or not to be known.
 */
#include "replica-agent/server/clean_end.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "replica-agent/core/le.h"
#include "test.h"

enum { SINCE_S = 1000 };

/* A binary log. Ends: s a Stop event with a checksum, p one without, k killed, t torn, e encrypted. */
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
    size_t length = end == 'p' ? 19 : 23;
    if (end != 'k') {
        le_put(&f, 1, 4);
        le_put(&f, 3, 1);
        le_put(&f, 1, 4);
        le_put(&f, length, 4);
        le_put(&f, f.len - 13 + length, 4);
        le_put(&f, 0, 2 + (int)(length - 19));
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
        {"900!e 2000!k", "can be read here"},
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
        bool well = clean_end_since(&logs, (int64_t)SINCE_S * 1000 + 500, &why);
        if (well != !rows[i].why || (why && !strstr(why, rows[i].why)))
            fail_msg("%s: %d, %s", rows[i].logs, well, why ? why : "-");
        for (size_t k = 0; k < logs.n; k++)
            unlink(logs.v[k]);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ends_are_told_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
