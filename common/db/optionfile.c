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

/* "[client ]" too. NULL: it does not end. */
static char *group_of(const char *line)
{
    const char *end = strchr(line, ']');
    while (end && end > line + 1 && isspace((unsigned char)end[-1]))
        end--;
    return end ? xstrndup(line + 1, (size_t)(end - line - 1)) : NULL;
}

/* False: the line sets nothing. */
static bool split(char *line, OptionLine *ret)
{
    if (*line == '!')
        return split_include(line, ret);
    if (*line != ';')
        cut_comment(line);
    if (!*line || *line == ';')
        return false;
    split_setting(line, ret);
    return true;
}

bool optionfile_each(const char *text, bool (*visit)(void *arg, const OptionLine *line), void *arg)
{
    AUTOFREE char *group = xstrdup("");
    bool ok = true;
    for (int number = 1; ok && *text; number++) {
        size_t n = strcspn(text, "\n");
        AUTOFREE char *line = xstrtrim(text, n);
        text += n + (text[n] == '\n');
        char *begun = *line == '[' ? group_of(line) : NULL;
        if (*line == '[') {
            free(group);
            group = begun ? begun : xstrdup("");
        }
        OptionLine found = {.group = group, .key = "[", .number = number};
        if (!begun && (*line == '[' || split(line, &found)))
            ok = visit(arg, &found);
    }
    return ok;
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
    OptionInclude include;
    void *arg;
    OptionValue value;
} FlagSearch;

static bool take_flag(void *arg, const OptionLine *line)
{
    FlagSearch *s = arg;
    OptionValue v = *line->key == '!'         ? s->include(s->arg, line)
                    : is_servers(line->group) ? flag_of(line, s->option)
                                              : OPTION_ABSENT;
    s->value = v == OPTION_ABSENT ? s->value : v;
    return true;
}

OptionValue optionfile_parse(const char *text, const char *option, OptionInclude include, void *arg)
{
    FlagSearch s = {option, include, arg, OPTION_ABSENT};
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

typedef struct FileSearch {
    const char *option;
    int depth;
} FileSearch;

static OptionValue read_file(const char *path, const char *option, int depth);

static OptionValue read_dir(const char *dir, const FileSearch *s)
{
    Err ignored;
    OptionValue value = OPTION_ABSENT;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(dir, &names, &ignored))
        return value;
    for (size_t i = 0; i < names.n; i++)
        if (str_ends(names.v[i], ".cnf")) {
            AUTOFREE char *path = xasprintf("%s/%s", dir, names.v[i]);
            OptionValue v = read_file(path, s->option, s->depth);
            value = v == OPTION_ABSENT ? value : v;
        }
    return value;
}

static OptionValue read_included(void *arg, const OptionLine *line)
{
    const FileSearch *s = arg;
    return str_eq(line->key, "!includedir") ? read_dir(line->value, s)
                                            : read_file(line->value, s->option, s->depth);
}

static OptionValue read_file(const char *path, const char *option, int depth)
{
    Err ignored;
    AUTO(str_done) Str text = STR_INIT;
    FileSearch below = {option, depth + 1};
    if (depth > MAX_DEPTH || !fs_read(path, MAX_BYTES, &text, &ignored))
        return OPTION_ABSENT;
    return optionfile_parse(str_z(&text), option, read_included, &below);
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
    const char *files[] = {"/etc/my.cnf", "/etc/mysql/my.cnf", extra};
    if (only) {
        files[0] = only;
        files[1] = files[2] = NULL;
    }
    for (size_t i = 0; i < COUNT(files) && (only || !strlist_has(&words, "--no-defaults")); i++) {
        OptionValue v = files[i] ? read_file(files[i], option, 0) : OPTION_ABSENT;
        value = v == OPTION_ABSENT ? value : v;
    }
    for (size_t i = 1; i < words.n; i++) {
        OptionValue v = optionfile_word(words.v[i], option);
        value = v == OPTION_ABSENT ? value : v;
    }
    *ret = value == OPTION_ON;
    return true;
}
