/* SPDX-License-Identifier: Apache-2.0 */
#include "optionfile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/file/fs.h"

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 8 };

static bool same_option(const char *a, size_t n, const char *option)
{
    if (strlen(option) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = a[i] == '-' ? '_' : a[i];
        if (c != (option[i] == '-' ? '_' : option[i]))
            return false;
    }
    return true;
}

static OptionValue flag_of(const char *assignment, const char *option)
{
    if (strncasecmp(assignment, "loose", 5) == 0 && (assignment[5] == '_' || assignment[5] == '-'))
        assignment += 6;
    size_t n = strcspn(assignment, "= \t");
    if (!same_option(assignment, n, option))
        return OPTION_ABSENT;
    const char *value = assignment + n + strspn(assignment + n, "= \t\"'");
    size_t length = strcspn(value, "\"'# \t");
    static const char *const off[] = {"0", "OFF", "FALSE"};
    for (size_t i = 0; i < COUNT(off); i++)
        if (strlen(off[i]) == length && strncasecmp(value, off[i], length) == 0)
            return OPTION_OFF;
    return OPTION_ON;
}

/* [mysqld], [mariadb-10.11] …, but not [mariadb-dump]. */
static bool server_group(const char *line)
{
    static const char *const groups[] = {"[server", "[mysqld", "[mariadb", "[mariadbd", "[client-server"};
    for (size_t i = 0; i < COUNT(groups); i++) {
        const char *rest = line + strlen(groups[i]);
        if (str_starts(line, groups[i]) &&
            (*rest == ']' || (*rest == '-' && isdigit((unsigned char)rest[1]))))
            return true;
    }
    return false;
}

static char *trimmed(const char *from, size_t n)
{
    while (n && isspace((unsigned char)*from)) {
        from++;
        n--;
    }
    while (n && isspace((unsigned char)from[n - 1]))
        n--;
    return xstrndup(from, n);
}

OptionValue optionfile_parse(const char *text, const char *option, StrList *includes)
{
    OptionValue value = OPTION_ABSENT;
    bool ours = false;
    while (*text) {
        size_t n = strcspn(text, "\n");
        AUTOFREE char *line = trimmed(text, n);
        text += n + (text[n] == '\n');
        if (*line == '[') {
            ours = server_group(line);
        } else if (str_starts(line, "!includedir ") || str_starts(line, "!include ")) {
            bool dir = line[8] == 'd';
            AUTOFREE char *path = trimmed(line + (dir ? 12 : 9), strlen(line) - (dir ? 12 : 9));
            strlist_addf(includes, "%c:%s", dir ? 'd' : 'f', path);
        } else if (ours && *line && *line != '#' && *line != ';') {
            OptionValue v = flag_of(line, option);
            value = v == OPTION_ABSENT ? value : v;
        }
    }
    return value;
}

OptionValue optionfile_word(const char *word, const char *option)
{
    return str_starts(word, "--") ? flag_of(word + 2, option) : OPTION_ABSENT;
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
