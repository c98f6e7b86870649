/* SPDX-License-Identifier: Apache-2.0 */
#include "optionfile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/file/fs.h"

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 8 };

/* ---- one file's text -------------------------------------------------------------------------------- */

static void cut_space(char *text)
{
    for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = '\0';
}

/* A '#' begins a comment, but not within quotes. */
static void cut_comment(char *line)
{
    char quote = 0;
    bool escaped = false;
    for (char *p = line; *p; p++) {
        if ((*p == '"' || *p == '\'') && !escaped)
            quote = !quote ? *p : quote == *p ? 0 : quote;
        if (!quote && *p == '#') {
            *p = '\0';
            break;
        }
        escaped = quote && *p == '\\' && !escaped;
    }
    cut_space(line);
}

/* Takes one pair of quotes away and puts characters in place of escapes; an unknown escape stays as it is. */
static void unquote(char *value)
{
    static const char codes[] = "btnrs\\\"'", stand_for[] = "\b\t\n\r \\\"'";
    size_t n = strlen(value);
    if (n > 1 && (*value == '"' || *value == '\'') && value[n - 1] == *value) {
        value[n - 1] = '\0';
        memmove(value, value + 1, n - 1);
    }
    char *to = value;
    for (const char *p = value; *p; p++) {
        const char *code = *p == '\\' && p[1] ? strchr(codes, p[1]) : NULL;
        *to++ = code ? stand_for[code - codes] : *p;
        p += code != NULL;
    }
    *to = '\0';
}

static void split_setting(char *line, OptionLine *ret)
{
    char *equals = strchr(line, '=');
    ret->key = line;
    ret->value = NULL;
    if (equals) {
        char *value = equals + 1 + strspn(equals + 1, " \t");
        *equals = '\0';
        unquote(value);
        ret->value = value;
    }
    cut_space(line);
    for (char *p = line; *p; p++)
        *p = *p == '-' ? '_' : *p;
}

static bool split_include(char *line, OptionLine *ret)
{
    size_t n = strcspn(line, " \t");
    ret->value = line + n + strspn(line + n, " \t");
    line[n] = '\0';
    ret->key = line;
    return str_eq(line, "!include") || str_eq(line, "!includedir");
}

void optionfile_each(const char *text, void (*visit)(void *arg, const OptionLine *line), void *arg)
{
    AUTOFREE char *group = xstrdup("");
    while (*text) {
        size_t n = strcspn(text, "\n");
        AUTOFREE char *line = xstrtrim(text, n);
        OptionLine found = {.group = group};
        text += n + (text[n] == '\n');
        if (*line == '[') {
            free(group);
            group = xstrtrim(line + 1, strcspn(line + 1, "]"));
        } else if (*line == '!') {
            if (split_include(line, &found))
                visit(arg, &found);
        } else if (*line != ';') {
            cut_comment(line);
            if (*line)
                split_setting(line, &found), visit(arg, &found);
        }
    }
}

/* ---- a flag of the server ---------------------------------------------------------------------------- */

static bool same_option(const char *key, const char *option)
{
    for (; *key && *option; key++, option++)
        if (*key != (*option == '-' ? '_' : *option))
            return false;
    return *key == *option;
}

static OptionValue flag_of(const OptionLine *line, const char *option)
{
    static const char *const off[] = {"0", "OFF", "FALSE"};
    bool loose = strncasecmp(line->key, "loose_", 6) == 0;
    if (!same_option(line->key + (loose ? 6 : 0), option))
        return OPTION_ABSENT;
    for (size_t i = 0; i < COUNT(off); i++)
        if (line->value && strcasecmp(line->value, off[i]) == 0)
            return OPTION_OFF;
    return OPTION_ON;
}

/* mysqld, mariadb-10.11 …, but not mariadb-dump. */
static bool is_servers(const char *group)
{
    static const char *const groups[] = {"server", "mysqld", "mariadb", "mariadbd", "client-server"};
    for (size_t i = 0; i < COUNT(groups); i++) {
        const char *rest = group + strlen(groups[i]);
        if (str_starts(group, groups[i]) && (!*rest || (*rest == '-' && isdigit((unsigned char)rest[1]))))
            return true;
    }
    return false;
}

typedef struct FlagSearch {
    const char *option;
    StrList *includes;
    OptionValue value;
} FlagSearch;

static void take_flag(void *arg, const OptionLine *line)
{
    FlagSearch *s = arg;
    if (*line->key == '!') {
        strlist_addf(s->includes, "%c:%s", str_eq(line->key, "!includedir") ? 'd' : 'f', line->value);
        return;
    }
    OptionValue v = is_servers(line->group) ? flag_of(line, s->option) : OPTION_ABSENT;
    s->value = v == OPTION_ABSENT ? s->value : v;
}

OptionValue optionfile_parse(const char *text, const char *option, StrList *includes)
{
    FlagSearch s = {option, includes, OPTION_ABSENT};
    optionfile_each(text, take_flag, &s);
    return s.value;
}

OptionValue optionfile_word(const char *word, const char *option)
{
    if (!str_starts(word, "--"))
        return OPTION_ABSENT;
    OptionLine line = {.group = ""};
    AUTOFREE char *setting = xstrdup(word + 2);
    split_setting(setting, &line);
    return flag_of(&line, option);
}

static void read_file(const char *path, const char *option, int depth, OptionValue *value);

static void read_dir(const char *dir, const char *option, int depth, OptionValue *value)
{
    Err ignored;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(dir, &names, &ignored))
        return;
    for (size_t i = 0; i < names.n; i++)
        if (str_ends(names.v[i], ".cnf")) {
            AUTOFREE char *path = xasprintf("%s/%s", dir, names.v[i]);
            read_file(path, option, depth, value);
        }
}

static void read_file(const char *path, const char *option, int depth, OptionValue *value)
{
    Err ignored;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList includes = STRLIST_INIT;
    if (depth > MAX_DEPTH || !fs_read(path, MAX_BYTES, &text, &ignored))
        return;
    OptionValue v = optionfile_parse(str_z(&text), option, &includes);
    *value = v == OPTION_ABSENT ? *value : v;
    for (size_t i = 0; i < includes.n; i++) {
        if (includes.v[i][0] == 'd')
            read_dir(includes.v[i] + 2, option, depth + 1, value);
        else
            read_file(includes.v[i] + 2, option, depth + 1, value);
    }
}

static bool read_words(pid_t pid, StrList *words, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = xasprintf("/proc/%d/cmdline", (int)pid);
    if (!fs_read(path, MAX_BYTES, &text, err))
        return err_prefix(err, "the server's command line");
    for (size_t i = 0; i < text.len; i += strlen(text.p + i) + 1)
        strlist_add(words, text.p + i);
    return true;
}

static const char *word_value(const StrList *words, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < words->n; i++)
        if (strncmp(words->v[i], name, n) == 0 && words->v[i][n] == '=')
            return words->v[i] + n + 1;
    return NULL;
}

bool optionfile_server_has(pid_t pid, const char *option, bool *ret, Err *err)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!read_words(pid, &words, err))
        return false;
    OptionValue value = OPTION_ABSENT;
    const char *only = word_value(&words, "--defaults-file"),
               *extra = word_value(&words, "--defaults-extra-file");
    if (only) {
        read_file(only, option, 0, &value);
    } else if (!strlist_has(&words, "--no-defaults")) {
        static const char *const usual[] = {"/etc/my.cnf", "/etc/mysql/my.cnf"};
        for (size_t i = 0; i < COUNT(usual); i++)
            read_file(usual[i], option, 0, &value);
        if (extra)
            read_file(extra, option, 0, &value);
    }
    for (size_t i = 1; i < words.n; i++) {
        OptionValue v = optionfile_word(words.v[i], option);
        value = v == OPTION_ABSENT ? value : v;
    }
    *ret = value == OPTION_ON;
    return true;
}
