/* SPDX-License-Identifier: Apache-2.0 */
#include "askpass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "common/base/str.h"

enum { LONGEST = 1024 };

static bool read_line(FILE *terminal, char **ret, Err *err)
{
    char line[LONGEST];
    if (!fgets(line, sizeof line, terminal))
        return err_set(err, ERR_USAGE, 0, "no password was typed");
    line[strcspn(line, "\n")] = 0;
    *ret = xstrdup(line);
    explicit_bzero(line, sizeof line);
    return true;
}

bool askpass(char **ret, Err *err)
{
    struct termios as_it_was, unseen;
    FILE *terminal = fopen("/dev/tty", "r+");
    if (!terminal || tcgetattr(fileno(terminal), &as_it_was) < 0) {
        if (terminal)
            fclose(terminal);
        return err_set(err, ERR_USAGE, 0,
                       "option -p asks on a terminal and there is none: put the password into an option file "
                       "(--defaults-file) or into MYSQL_PWD");
    }
    unseen = as_it_was;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    fputs("Password: ", terminal);
    fflush(terminal);
    tcsetattr(fileno(terminal), TCSAFLUSH, &unseen);
    bool ok = read_line(terminal, ret, err);
    tcsetattr(fileno(terminal), TCSAFLUSH, &as_it_was);
    fputs("\n", terminal);
    fclose(terminal);
    return ok;
}
