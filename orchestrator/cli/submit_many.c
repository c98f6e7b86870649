/* SPDX-License-Identifier: Apache-2.0 */
#include "submit_many.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "common/base/text.h"
#include "common/wire/bounds.h"
#include "out.h"

typedef struct Many {
    const Cli *cli;
    json_t *ids;
    char *user;
    size_t line, failed;
    Err first;
} Many;

static bool submit_line(Many *m, const char *text, size_t n, Err *err)
{
    AUTOJSON json_t *body = NULL;
    AUTOJSON json_t *answer = NULL;
    if (!json_parse(text, n, &body, err) || !bounds_check(task_bounds, DOOR_API, body, err))
        return false;
    if (!json_object_get(body, "user"))
        json_set_str(body, "user", m->user);
    if (!client_call(m->cli, "POST", "/v1/tasks", body, API_TIMEOUT_MS, &answer, err))
        return false;
    if (m->cli->json)
        json_array_append_new(m->ids, json_integer(json_int(answer, "id")));
    else
        text_print(stdout, "%lld\n", (long long)json_int(answer, "id"));
    return true;
}

static void take_line(Many *m, char *text, size_t n)
{
    Err err;
    while (n && strchr("\r\n\t ", text[n - 1]))
        text[--n] = 0;
    m->line++;
    if (!n || submit_line(m, text, n, &err))
        return;
    if (!m->failed++)
        m->first = err;
    text_print(stderr, "line %zu: %s\n", m->line, err.text);
}

bool submit_many(const Cli *cli, const char *file, const StrList *words, Err *err)
{
    if (!file)
        return err_set(err, ERR_USAGE, 0, "siding submit needs JOB, or --from FILE");
    if (words->n)
        return err_set(err, ERR_USAGE, 0, "submit --from FILE takes no JOB: each line names its own");
    FILE *f = str_eq(file, "-") ? stdin : fopen(file, "re");
    if (!f)
        return err_errno(err, errno, "open %s", file);
    Many m = {.cli = cli, .ids = json_array(), .user = cli_user()};
    AUTOFREE char *text = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&text, &cap, f)) >= 0;)
        take_line(&m, text, (size_t)n);
    if (f != stdin)
        fclose(f);
    if (cli->json)
        out_json(m.ids);
    json_decref(m.ids);
    free(m.user);
    if (!m.failed)
        return true;
    *err = m.first;
    return err_prefix(err, "%zu of %zu lines were not submitted, the first of them", m.failed, m.line);
}
