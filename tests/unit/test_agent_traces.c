/* SPDX-License-Identifier: Apache-2.0
 * Every file of traces/ is a story: lines that begin with ">" happen, those below are what the agent does.
 * With SIDING_WRITE_TRACES set the answers are written anew, to be read by a person before they are
 * committed.
 */
#include <stdio.h>

#include "test.h"

#include "agent_trace.h"
#include "common/file/fs.h"

enum { MOST = 400 };

static void play(Trace *t, const char *text, Str *ret)
{
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    strlist_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        const char *line = lines.v[i];
        if (line[0] == '#')
            str_addf(ret, "%s\n", line);
        if (line[0] != '>')
            continue;
        str_addf(ret, "%s\n", line);
        str_clear(&t->out);
        trace_line(t, line + 1);
        str_adds(ret, str_z(&t->out));
    }
}

static void one(void **state)
{
    const char *path = *state;
    Err err;
    Trace t;
    AUTO(str_done) Str expected = STR_INIT, found = STR_INIT;
    assert_true(fs_read(path, 1 << 20, &expected, &err));
    trace_begin(&t);
    play(&t, str_z(&expected), &found);
    trace_end(&t);
    if (getenv("SIDING_WRITE_TRACES"))
        assert_true(fs_replace(path, found.p, found.len, 0644, &err));
    else
        assert_string_equal(str_z(&found), str_z(&expected));
}

int main(void)
{
    Err err;
    static struct CMUnitTest tests[MOST];
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    const char *root = getenv("SIDING_SOURCE_DIR");
    AUTOFREE char *dir = xasprintf("%s/tests/unit/traces", root ? root : ".");
    if (!fs_list(dir, &names, &err) || !names.n) {
        printf("Bail out! %s\n", names.n ? err.text : "there are no traces");
        return 1;
    }
    for (size_t i = 0; i < names.n && i < MOST; i++)
        tests[i] = (struct CMUnitTest){names.v[i], one, NULL, NULL, xasprintf("%s/%s", dir, names.v[i])};
    return _cmocka_run_group_tests("agent traces", tests, names.n, NULL, NULL);
}
