/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <string.h>

#include "common/base/text.h"

enum { GAP = 2, LEAST_WRAPPED = 20, LEAST_CUT = 6 };

void table_head(Table *t, const char *align, const char *const *head)
{
    t->align = align;
    t->has_head = true;
    table_row(t, head);
}

void table_row(Table *t, const char *const *cells)
{
    size_t n = 0;
    for (; cells[n] && (!t->columns || n < t->columns); n++) {
        AUTO(str_done) Str cell = STR_INIT;
        text_clean(&cell, cells[n]);
        strlist_add(&t->cells, str_z(&cell));
    }
    if (!t->columns)
        t->columns = n;
    for (; n < t->columns; n++)
        strlist_add(&t->cells, "");
}

size_t table_rows(const Table *t)
{
    return t->columns ? t->cells.n / t->columns - t->has_head : 0;
}

void table_done(Table *t)
{
    strlist_done(&t->cells);
    *t = (Table)TABLE_INIT;
}

static size_t width_of(const char *cell)
{
    return text_width(cell, strlen(cell));
}

static char align_of(const Table *t, size_t column)
{
    return t->align && column < strlen(t->align) ? t->align[column] : 'l';
}

/* ---- how wide each column is ------------------------------------------------------------------------ */

static size_t total(const Table *t, const size_t *widths)
{
    size_t sum = (t->columns - 1) * GAP;
    for (size_t i = 0; i < t->columns; i++)
        sum += widths[i];
    return sum;
}

/* Makes the widest column of an alignment narrower by one; false where all have their least. */
static bool narrow_one(const Table *t, char align, size_t least, size_t *widths)
{
    size_t *widest = NULL;
    for (size_t i = 0; i < t->columns; i++)
        if (align_of(t, i) == align && widths[i] > least && (!widest || widths[i] > *widest))
            widest = &widths[i];
    if (widest)
        --*widest;
    return widest != NULL;
}

static size_t *column_widths(const Table *t, size_t width)
{
    size_t *widths = xcalloc(t->columns, sizeof *widths);
    for (size_t i = 0; i < t->cells.n; i++) {
        size_t n = width_of(t->cells.v[i]), *w = &widths[i % t->columns];
        *w = n > *w ? n : *w;
    }
    while (width && total(t, widths) > width &&
           (narrow_one(t, 'w', LEAST_WRAPPED, widths) || narrow_one(t, 'l', LEAST_CUT, widths) ||
            narrow_one(t, 'w', LEAST_CUT, widths)))
        ;
    return widths;
}

/* ---- the lines of a row ------------------------------------------------------------------------------ */

/* Bytes of the next line of a wrapped text: to the last space that fits, or what fits of a long word. */
static size_t next_line(const char *rest, size_t columns)
{
    size_t fits = text_fit(rest, columns), n = fits;
    if (!rest[fits] || rest[fits] == ' ')
        return fits;
    while (n && rest[n] != ' ')
        n--;
    if (n)
        return n;
    return fits ? fits : text_fit(rest, columns + 1);
}

/* Takes the next line of a cell from *rest. */
static void take_line(char align, size_t columns, const char **rest, Str *ret)
{
    if (align == 'w') {
        size_t n = next_line(*rest, columns);
        str_add(ret, *rest, n);
        *rest += n + strspn(*rest + n, " ");
    } else {
        if (align == 'l')
            text_cut(ret, *rest, columns);
        else
            str_adds(ret, *rest);
        *rest += strlen(*rest);
    }
}

/* ---- what states mean -------------------------------------------------------------------------------- */

static bool marks_states;

void table_mark_states(void)
{
    marks_states = true;
}

/* 0: as the text around it. */
static char mark_of(const char *state)
{
    static const struct {
        char mark;
        const char *words;
    } rows[] = {
        {'g', " done serving caught_up "},
        {'b', " running scheduled claimed pausing sealing resuming uploading catching_up "},
        {'w', " sleeping stopping stopped killed paused acknowledged detached connecting unknown warning "},
        {'e', " error done_with_errors errors down unreachable "},
    };
    AUTOFREE char *word = xasprintf(" %s ", state);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (*state && strstr(rows[i].words, word))
            return rows[i].mark;
    return 0;
}

static void add_padded(Str *line, char align, size_t columns, const Str *cell, bool marks)
{
    size_t n = text_width(str_z(cell), cell->len), pad = n < columns ? columns - n : 0;
    char mark = marks && align == 's' ? mark_of(str_z(cell)) : 0;
    str_addf(line, "%*s", align == 'r' ? (int)pad : 0, "");
    if (mark)
        str_addf(line, "%c%c%s%c.", TABLE_MARK, mark, str_z(cell), TABLE_MARK);
    else
        str_adds(line, str_z(cell));
    str_addf(line, "%*s", align == 'r' ? 0 : (int)pad, "");
}

static void add_line(Str *out, Str *line, size_t width)
{
    while (line->len && line->p[line->len - 1] == ' ')
        line->p[--line->len] = '\0';
    if (strchr(str_z(line), TABLE_MARK))
        str_adds(out, str_z(line)); /* it fits */
    else
        text_cut(out, str_z(line), width ? width : SIZE_MAX);
    str_addc(out, '\n');
}

static bool is_all_written(const Table *t, const char *const *rest)
{
    for (size_t i = 0; i < t->columns; i++)
        if (*rest[i])
            return false;
    return true;
}

static void write_row(const Table *t, char *const *cells, const size_t *widths, size_t width, Str *out)
{
    AUTOFREE const char **rest = xcalloc(t->columns, sizeof *rest);
    memcpy(rest, cells, t->columns * sizeof *rest);
    /* Where lines are cut at their end a mark could be. */
    bool marks = marks_states && (!width || total(t, widths) <= width);
    do {
        AUTO(str_done) Str line = STR_INIT;
        for (size_t i = 0; i < t->columns; i++) {
            AUTO(str_done) Str cell = STR_INIT;
            take_line(align_of(t, i), widths[i], &rest[i], &cell);
            add_padded(&line, align_of(t, i), widths[i], &cell, marks);
            str_addf(&line, "%*s", GAP, "");
        }
        add_line(out, &line, width);
    } while (!is_all_written(t, rest));
}

void table_write(const Table *t, size_t width, Str *out)
{
    if (!t->columns)
        return;
    AUTOFREE size_t *widths = column_widths(t, width);
    for (size_t i = 0; i < t->cells.n; i += t->columns)
        write_row(t, t->cells.v + i, widths, width, out);
}
