/* SPDX-License-Identifier: Apache-2.0
 * What stands in front of the list: a page of text, a question, an input, a choice, a log.
 */
#include <string.h>

#include "common/base/text.h"
#include "monitor_impl.h"

enum { MOST_INPUT = 500, MARGIN = 2 };

void box_close(Monitor *m)
{
    Box *b = &m->box;
    free(b->title);
    free(b->text);
    strlist_done(&b->choices);
    str_done(&b->input);
    *b = (Box){0};
}

static Box *open_box(Monitor *m, BoxKind kind, const char *title)
{
    box_close(m);
    m->box.kind = kind;
    m->box.title = xstrdup(title);
    return &m->box;
}

void box_text(Monitor *m, const char *title, void (*write)(Monitor *m, Flow *f, int64_t now_ms))
{
    open_box(m, BOX_TEXT, title)->write = write;
}

void box_confirm(Monitor *m, BoxTook yes, char *text)
{
    Box *b = open_box(m, BOX_CONFIRM, "sure?");
    b->text = text;
    b->took = yes;
}

void box_choice(Monitor *m, const char *title, const char *const *choices, BoxTook took)
{
    Box *b = open_box(m, BOX_CHOICE, title);
    for (; *choices; choices++)
        strlist_add(&b->choices, *choices);
    b->took = took;
}

void box_prompt(Monitor *m, const char *title, const char *input, BoxTook took)
{
    Box *b = open_box(m, BOX_PROMPT, title);
    str_adds(&b->input, input ? input : "");
    b->took = took;
}

/* ---- keys -----------------------------------------------------------------------------------------------
 */

/* The box is closed first: what it calls may open another. */
static void took(Monitor *m, const char *text, int64_t now_ms)
{
    BoxTook call = m->box.took;
    AUTOFREE char *kept = xstrdup(text);
    box_close(m);
    call(m, kept, now_ms);
}

static void confirm_key(Monitor *m, int key, int64_t now_ms)
{
    if (key == 'y' || key == 'Y') {
        took(m, "", now_ms);
    } else if (key == 'n' || key == 'N' || key == 'q' || key == 'Q' || key == MONKEY_ESCAPE) {
        box_close(m);
        monitor_say(m, LOOK_PLAIN, "nothing was done");
    }
}

static void drop_last(Str *s)
{
    while (s->len && ((unsigned char)s->p[--s->len] & 0xc0) == 0x80)
        ;
    if (s->p)
        s->p[s->len] = 0;
}

static void add_character(Str *s, int key)
{
    unsigned k = (unsigned)key;
    if (s->len >= MOST_INPUT)
        return;
    if (k < 0x80) {
        str_addc(s, (char)k);
    } else if (k < 0x800) {
        str_addc(s, (char)(0xc0 | k >> 6));
        str_addc(s, (char)(0x80 | (k & 0x3f)));
    } else {
        if (k < 0x10000) {
            str_addc(s, (char)(0xe0 | k >> 12));
        } else {
            str_addc(s, (char)(0xf0 | k >> 18));
            str_addc(s, (char)(0x80 | (k >> 12 & 0x3f)));
        }
        str_addc(s, (char)(0x80 | (k >> 6 & 0x3f)));
        str_addc(s, (char)(0x80 | (k & 0x3f)));
    }
}

enum { CONTROL_U = 'U' & 0x1f };

static void prompt_key(Monitor *m, int key, int64_t now_ms)
{
    Str *input = &m->box.input;
    if (key == MONKEY_ENTER)
        took(m, str_z(input), now_ms);
    else if (key == MONKEY_ESCAPE)
        box_close(m);
    else if (key == MONKEY_BACKSPACE)
        drop_last(input);
    else if (key == CONTROL_U)
        str_clear(input);
    else if (key >= ' ' && key < MONKEY_UP)
        add_character(input, key);
}

static void choice_key(Monitor *m, int key, int64_t now_ms)
{
    Box *b = &m->box;
    if (key == MONKEY_DOWN || key == MONKEY_TAB)
        b->choice = (b->choice + 1) % b->choices.n;
    else if (key == MONKEY_UP)
        b->choice = (b->choice + b->choices.n - 1) % b->choices.n;
    else if (key >= '1' && key < '1' + (int)b->choices.n)
        took(m, b->choices.v[key - '1'], now_ms);
    else if (key == MONKEY_ENTER)
        took(m, b->choices.v[b->choice], now_ms);
    else if (key == MONKEY_ESCAPE || key == 'q' || key == 'Q')
        box_close(m);
}

static void text_key(Monitor *m, int key)
{
    Box *b = &m->box;
    size_t page = m->height > 6 ? (size_t)m->height - 4 : 2;
    size_t last = b->lines > page ? b->lines - page : 0;
    switch (key) {
    case MONKEY_DOWN:
        b->top += 1;
        break;
    case MONKEY_UP:
        b->top -= b->top > 0;
        break;
    case MONKEY_PAGE_DOWN:
    case ' ':
        b->top += page;
        break;
    case MONKEY_PAGE_UP:
        b->top -= b->top < page ? b->top : page;
        break;
    case MONKEY_HOME:
    case 'g':
        b->top = 0;
        break;
    case MONKEY_END:
    case 'G':
        b->top = last;
        break;
    default:
        if (key != MONKEY_NONE)
            box_close(m);
        return;
    }
    b->top = b->top < last ? b->top : last;
}

void box_key(Monitor *m, int key, int64_t now_ms)
{
    switch (m->box.kind) {
    case BOX_CONFIRM:
        confirm_key(m, key, now_ms);
        break;
    case BOX_PROMPT:
        prompt_key(m, key, now_ms);
        break;
    case BOX_CHOICE:
        choice_key(m, key, now_ms);
        break;
    case BOX_LOG:
        logbox_key(m, key);
        break;
    default:
        text_key(m, key);
    }
}

/* ---- drawing ---------------------------------------------------------------------------------------------
 */

/* An empty frame with a title; from `line` on, `height` lines with its edges. */
static void draw_frame(Cells *c, int line, int column, int width, int height, const char *title)
{
    AUTO(str_done) Str shown = STR_INIT;
    for (int i = 0; i < height; i++) {
        cells_blank(c, line + i, column, width, LOOK_PLAIN);
        bool edge = i == 0 || i == height - 1;
        for (int k = 0; k < width; k++)
            if (edge || k == 0 || k == width - 1)
                cells_put(c, line + i, column + k, 1, LOOK_DIM, edge && k > 0 && k < width - 1 ? "─" : "│");
    }
    cells_put(c, line, column, 1, LOOK_DIM, "┌");
    cells_put(c, line, column + width - 1, 1, LOOK_DIM, "┐");
    cells_put(c, line + height - 1, column, 1, LOOK_DIM, "└");
    cells_put(c, line + height - 1, column + width - 1, 1, LOOK_DIM, "┘");
    str_adds(&shown, " ");
    text_clean(&shown, title);
    str_adds(&shown, " ");
    cells_put_cut(c, line, column + 2, width - 4, LOOK_TITLE, str_z(&shown));
}

static void draw_text(Monitor *m, Cells *c, int64_t now_ms)
{
    Box *b = &m->box;
    AUTO(flow_done) Flow f;
    int height = c->height - 2;
    flow_init(&f, c->width - 2 * MARGIN);
    b->write(m, &f, now_ms);
    flow_end(&f);
    b->lines = f.lines.n;
    draw_frame(c, 0, 0, c->width, c->height - 1, b->title);
    for (int i = 0; i < height - 1 && b->top + (size_t)i < f.lines.n; i++)
        flow_put(c, 1 + i, MARGIN, c->width - 2 * MARGIN, f.lines.v[b->top + (size_t)i]);
    cells_blank(c, c->height - 1, 0, c->width, LOOK_BAR);
    bool more = b->top + (size_t)height - 1 < f.lines.n;
    cells_put_cut(c, c->height - 1, 1, c->width - 1, LOOK_BAR,
                  more ? "more below: PgDn, arrows   any other key closes" : "any other key closes");
}

/* In the middle, as high as its text. */
static int draw_small(Monitor *m, Cells *c, Flow *f, int more)
{
    int width = f->width + 2 * MARGIN, height = (int)f->lines.n + 2 + more;
    int line = (c->height - height) / 2, column = (c->width - width) / 2;
    if (line < 0)
        line = 0;
    draw_frame(c, line, column, width, height, m->box.title);
    for (size_t i = 0; i < f->lines.n; i++)
        flow_put(c, line + 1 + (int)i, column + MARGIN, f->width, f->lines.v[i]);
    return line + 1 + (int)f->lines.n;
}

static int small_width(const Cells *c)
{
    return (c->width < 76 ? c->width - 2 : 74) - 2 * MARGIN;
}

static void draw_confirm(Monitor *m, Cells *c)
{
    AUTO(flow_done) Flow f;
    flow_init(&f, small_width(c));
    flow_text(&f, LOOK_PLAIN, m->box.text);
    flow_end(&f);
    flow_text(&f, LOOK_KEY, "y ");
    flow_text(&f, LOOK_PLAIN, "does it, ");
    flow_text(&f, LOOK_KEY, "n ");
    flow_text(&f, LOOK_PLAIN, "leaves it.");
    flow_end(&f);
    draw_small(m, c, &f, 0);
}

static void draw_choice(Monitor *m, Cells *c)
{
    AUTO(flow_done) Flow f;
    flow_init(&f, small_width(c));
    int line = draw_small(m, c, &f, (int)m->box.choices.n);
    int column = (c->width - f.width) / 2;
    for (size_t i = 0; i < m->box.choices.n; i++) {
        AUTOFREE char *text =
            xasprintf("%s%zu  %s", i == m->box.choice ? "> " : "  ", i + 1, m->box.choices.v[i]);
        unsigned look = LOOK_PLAIN | (i == m->box.choice ? LOOK_CHOSEN : 0);
        cells_put_cut(c, line + (int)i, column, f.width, look, text);
    }
}

/* On the last line, as in a shell; the end of a long input is what one sees. */
static void draw_prompt(Monitor *m, Cells *c)
{
    AUTO(str_done) Str clean = STR_INIT;
    cells_blank(c, c->height - 1, 0, c->width, LOOK_PLAIN);
    int at = cells_put_cut(c, c->height - 1, 0, c->width - 12, LOOK_KEY, m->box.title);
    at = cells_put(c, c->height - 1, at, 1, LOOK_PLAIN, " ");
    text_clean(&clean, str_z(&m->box.input));
    const char *text = str_z(&clean);
    size_t room = (size_t)(c->width - at - 1);
    while (text_width(text, strlen(text)) > room)
        text += text_fit(text, 1) ? text_fit(text, 1) : text_fit(text, 2);
    at = cells_put(c, c->height - 1, at, (int)room, LOOK_PLAIN, text);
    cells_put(c, c->height - 1, at, 1, LOOK_PLAIN | LOOK_CHOSEN, " ");
}

void box_draw(Monitor *m, Cells *c, int64_t now_ms)
{
    switch (m->box.kind) {
    case BOX_CONFIRM:
        draw_confirm(m, c);
        break;
    case BOX_PROMPT:
        draw_prompt(m, c);
        break;
    case BOX_CHOICE:
        draw_choice(m, c);
        break;
    case BOX_LOG:
        logbox_draw(m, c);
        break;
    case BOX_TEXT:
        draw_text(m, c, now_ms);
        break;
    case BOX_NONE:
        break;
    }
}
