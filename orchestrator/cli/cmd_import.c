/* SPDX-License-Identifier: Apache-2.0
 * siding import-bibsched: what waits in an old queue, as lines for siding submit --from.
 */
#include <stdio.h>

#include "bibsched_dump.h"
#include "cmd.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/file/fs.h"
#include "common/wire/bounds.h"

enum { MOST_BYTES = 1 << 28 };

typedef struct ImportCount {
    int64_t taken, left;
} ImportCount;

static bool take(void *arg, const BibschedRow *row, Err *err)
{
    ImportCount *n = arg;
    Err wrong;
    AUTO(strlist_done) StrList lost = STRLIST_INIT;
    AUTOJSON json_t *body = bibsched_task(row, clock_wall_ms(), &lost);
    (void)err;
    for (size_t i = 0; i < lost.n; i++)
        text_print(stderr, "task %lld (%s): %s\n", (long long)row->id, row->proc, lost.v[i]);
    if (body && !bounds_check(task_bounds, DOOR_API, body, &wrong)) {
        text_print(stderr, "task %lld (%s) is not taken: %s\n", (long long)row->id, row->proc, wrong.text);
        json_decref(STEAL(body));
    }
    if (!body) {
        n->left++;
        return true;
    }
    AUTOFREE char *line = json_text(body);
    text_print(stdout, "%s\n", line);
    n->taken++;
    return true;
}

static CLI_RUN(run)
{
    ImportCount n = {0};
    AUTO(str_done) Str text = STR_INIT;
    (void)cli;
    (void)options;
    (void)rest;
    if (!fs_read(words->v[0], MOST_BYTES, &text, err) ||
        !bibsched_read(str_z(&text), text.len, take, &n, err))
        return err_prefix(err, "%s", words->v[0]);
    text_print(stderr, "%lld tasks taken, %lld rows left out (ended, or not to be read)\n",
               (long long)n.taken, (long long)n.left);
    return n.taken || n.left || err_set(err, ERR_NOT_FOUND, 0, "%s holds no rows of schTASK", words->v[0]);
}

const CliCommand cmd_import_bibsched = {
    .name = "import-bibsched",
    .args = "FILE",
    .summary = "Read a mysqldump of BibSched's schTASK, and print what waits there for submit --from.",
    .detail = "Says on stderr what it cannot take over. Times are read in this host's time zone. Each line "
              "has a key, so that "
              "submitting it twice makes one task.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .min_words = 1,
    .max_words = 1,
    .needs = CLI_NEEDS_NOTHING,
    .run = run,
};
