/* SPDX-License-Identifier: Apache-2.0 */
#include "state_words.h"

#include <ctype.h>
#include <string.h>

#include "common/wire/wire_task.h"
#include "when.h"

static const struct {
    const char *theirs, *ours;
} bibsched[] = {
    {"continuing", "running"},
    {"about_to_sleep", "running"},
    {"about_to_stop", "stopping"},
    {"now_stop", "stopping"},
    {"cerror", "error"},
    {"errors_reported", "error"},
    {"suiciding", "stopping"},
    {"suicided", "killed"},
    {"ack_done", "acknowledged"},
    {"ack_error", "acknowledged"},
    {"ack_done_with_errors", "acknowledged"},
    {"ack_errors_reported", "acknowledged"},
};

/* Blanks at the ends go, those inside are underlines. */
static char *plain(const char *word)
{
    while (*word == ' ')
        word++;
    char *s = xstrdup(word);
    size_t n = strlen(s);
    while (n && s[n - 1] == ' ')
        s[--n] = '\0';
    for (char *p = s; *p; p++)
        *p = *p == ' ' ? '_' : (char)tolower((unsigned char)*p);
    return s;
}

bool state_words_read(const char *list, StrList *ret, Err *err)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    strlist_split(&words, list, ',');
    for (size_t i = 0; i < words.n; i++) {
        int ignored;
        AUTOFREE char *word = plain(words.v[i]);
        const char *name = word;
        for (size_t k = 0; k < COUNT(bibsched); k++)
            name = str_eq(word, bibsched[k].theirs) ? bibsched[k].ours : name;
        if (!wire_enum_read(&task_state_names, "state", name, &ignored, err))
            return err_set(err, ERR_USAGE, 0, "option --status: %s", err->text);
        if (!strlist_has(ret, name))
            strlist_add(ret, name);
    }
    return ret->n || err_set(err, ERR_USAGE, 0, "option --status names no state");
}

bool state_words_age(const char *text, int64_t *ret_ms, Err *err)
{
    return when_parse_span(text + (*text == '-'), ret_ms, err) || err_prefix(err, "option --since");
}
