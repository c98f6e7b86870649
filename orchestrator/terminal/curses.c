/* SPDX-License-Identifier: Apache-2.0 */
#include "curses.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "orchestrator/monitor/monitor.h"

enum { ESCAPE_MS = 25 }; /* how long a key's sequence may take to arrive behind its escape */

static attr_t attributes[LOOKS];
static SCREEN *screen;

bool curses_is_utf8(void)
{
    setlocale(LC_ALL, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR");
    return has_colors() && !(no && *no);
}

static void set_attributes(void)
{
    static const struct {
        short colour;
        attr_t with, without; /* with colours, without */
    } rows[LOOKS] = {
        [LOOK_PLAIN] = {-1, A_NORMAL, A_NORMAL},
        [LOOK_DIM] = {-1, A_DIM, A_DIM},
        [LOOK_TITLE] = {-1, A_BOLD, A_BOLD},
        [LOOK_BAR] = {-1, A_REVERSE, A_REVERSE},
        [LOOK_GOOD] = {COLOR_GREEN, 0, A_NORMAL},
        [LOOK_BUSY] = {COLOR_CYAN, 0, A_NORMAL},
        [LOOK_WARN] = {COLOR_YELLOW, 0, A_NORMAL},
        [LOOK_BAD] = {COLOR_RED, A_BOLD, A_BOLD},
        [LOOK_KEY] = {-1, A_BOLD | A_REVERSE, A_BOLD | A_REVERSE},
    };
    bool colour = wants_colour();
    if (colour) {
        start_color();
        use_default_colors();
    }
    for (short i = 0; i < LOOKS; i++) {
        attributes[i] = colour ? rows[i].with : rows[i].without;
        if (colour && rows[i].colour >= 0) {
            init_pair((short)(i + 1), rows[i].colour, -1);
            attributes[i] |= (attr_t)COLOR_PAIR(i + 1);
        }
    }
}

bool curses_open(Err *err)
{
    const char *term = getenv("TERM");
    setlocale(LC_ALL, "");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(err, ERR_USAGE, 0,
                       "siding monitor needs a terminal; siding status prints what there is to anything");
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return err_set(err, ERR_USAGE, 0,
                       "the terminal \"%s\" is not known here: set TERM to one that is, such as xterm, or "
                       "install ncurses-term",
                       term ? term : "");
    set_escdelay(ESCAPE_MS);
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    set_attributes();
    return true;
}

void curses_close(void)
{
    if (!screen)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

void curses_read_size(int *ret_width, int *ret_height)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row)
        resizeterm(w.ws_row, w.ws_col);
    getmaxyx(stdscr, *ret_height, *ret_width);
}

static int special(wint_t key)
{
    static const struct {
        int from, to;
    } known[] = {
        {KEY_UP, MONKEY_UP},       {KEY_DOWN, MONKEY_DOWN},     {KEY_LEFT, MONKEY_LEFT},
        {KEY_RIGHT, MONKEY_RIGHT}, {KEY_PPAGE, MONKEY_PAGE_UP}, {KEY_NPAGE, MONKEY_PAGE_DOWN},
        {KEY_HOME, MONKEY_HOME},   {KEY_END, MONKEY_END},       {KEY_BACKSPACE, MONKEY_BACKSPACE},
        {KEY_DC, MONKEY_DELETE},   {KEY_BTAB, MONKEY_BACK_TAB}, {KEY_F(1), MONKEY_HELP},
        {KEY_ENTER, MONKEY_ENTER},
    };
    for (size_t i = 0; i < COUNT(known); i++)
        if ((wint_t)known[i].from == key)
            return known[i].to;
    return -1;
}

int curses_key(void)
{
    wint_t key;
    for (;;) {
        int kind = get_wch(&key);
        if (kind == ERR)
            return MONKEY_NONE;
        if (kind == KEY_CODE_YES) {
            int known = special(key);
            if (known >= 0)
                return known;
            continue;
        }
        return key == 0x7f || key == 8 ? MONKEY_BACKSPACE : key == '\r' ? MONKEY_ENTER : (int)key;
    }
}

static void show_cell(const Cells *c, int line, int column)
{
    const Cell *cell = cells_at(c, line, column);
    attr_t a = attributes[(cell->look & ~LOOK_CHOSEN) % LOOKS];
    if (!cell->text[0])
        return; /* the second half of a wide one */
    attrset((int)(cell->look & LOOK_CHOSEN ? a ^ A_REVERSE : a));
    mvaddstr(line, column, cell->text);
}

void curses_show(const Cells *c)
{
    for (int line = 0; line < c->height; line++)
        for (int column = 0; column < c->width; column++)
            show_cell(c, line, column);
    refresh();
}

void curses_redraw(void)
{
    clearok(stdscr, TRUE);
}

void curses_bell(void)
{
    beep();
}

bool curses_is_there(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&p, 1, 0) <= 0 || !(p.revents & (POLLHUP | POLLERR));
}

void curses_suspend(void)
{
    endwin();
}

void curses_resume(void)
{
    clearok(stdscr, TRUE);
    refresh();
}
