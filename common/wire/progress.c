/* SPDX-License-Identifier: Apache-2.0
 * Whether descriptor 3 is a progress channel is found out before main runs: later it may be any file the
 * program opened itself.
 */
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/file/json.h"

enum { PROGRESS_FD = 3, INTERVAL_MS = 200, LAST_LINE_MS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool to_fd, to_terminal, dirty;
    int64_t started_ms, written_ms;
    Progress now;
} state;
static bool fd_given;

__attribute__((constructor)) static void find_channel(void)
{
    struct stat st;
    int flags = fcntl(PROGRESS_FD, F_GETFL);
    fd_given = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(PROGRESS_FD, &st) == 0 &&
               (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode));
    if (fd_given)
        fcntl(PROGRESS_FD, F_SETFD, FD_CLOEXEC);
}

bool progress_is_given(void)
{
    return fd_given;
}

static void write_line(int64_t wait_ms)
{
    json_t *j = json_object();
    json_set_int(j, "done", state.now.done);
    json_set_int(j, "total", state.now.total);
    json_set_str(j, "unit", state.now.unit);
    json_set_str(j, "note", state.now.note);
    AUTOFREE char *text = json_text(j);
    AUTOFREE char *line = xasprintf("%s\n", text);
    json_decref(j);
    /* A reader that does not read must not stop the job: a full pipe loses the line. */
    struct pollfd p = {.fd = PROGRESS_FD, .events = POLLOUT};
    if (poll(&p, 1, (int)wait_ms) == 1 && (p.revents & POLLOUT) &&
        write(PROGRESS_FD, line, strlen(line)) < 0 && errno == EPIPE)
        state.to_fd = false;
}

static void human_number(double n, char ret[16])
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t u = 0;
    while (n >= 10000 && u + 1 < COUNT(units)) {
        n /= 1000;
        u++;
    }
    snprintf(ret, 16, u ? "%.1f%s" : "%.0f%s", n, units[u]);
}

static void draw_bar(int64_t now_ms)
{
    enum { WIDTH = 30 };
    const Progress *p = &state.now;
    double seconds = (double)(now_ms - state.started_ms) / 1000.0;
    double rate = seconds > 0 ? (double)p->done / seconds : 0;
    char done[16], total[16], speed[16], eta[CLOCK_TEXT] = "";
    human_number((double)p->done, done);
    human_number((double)p->total, total);
    human_number(rate, speed);
    AUTO(str_done) Str line = STR_INIT;
    str_addc(&line, '\r');
    if (p->total > 0) {
        double part = (double)p->done / (double)p->total;
        part = part > 1 ? 1 : part;
        int full = (int)(part * WIDTH);
        str_addf(&line, "[%.*s%*s] %3d%% %s/%s", full, "##############################", WIDTH - full, "",
                 (int)(part * 100), done, total);
        if (rate > 0 && p->done < p->total)
            clock_format_duration((int64_t)((double)(p->total - p->done) / rate * 1000), eta);
    } else {
        str_adds(&line, done);
    }
    str_addf(&line, " %s  %s/s", p->unit, speed);
    if (*eta)
        str_addf(&line, "  ETA %s", eta);
    if (*p->note)
        str_addf(&line, "  %s", p->note);
    str_adds(&line, "\033[K");
    if (write(STDERR_FILENO, line.p, line.len) < 0)
        state.to_terminal = false;
}

static void publish(int64_t now_ms, int64_t wait_ms)
{
    if (state.to_fd)
        write_line(wait_ms);
    else if (state.to_terminal)
        draw_bar(now_ms);
    state.written_ms = now_ms;
    state.dirty = false;
}

void progress_start(const char *unit)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that went away must not kill the job */
    pthread_mutex_lock(&lock);
    memset(&state, 0, sizeof state);
    state.to_fd = fd_given;
    state.to_terminal = !fd_given && isatty(STDERR_FILENO);
    state.started_ms = clock_mono_ms();
    state.written_ms = state.started_ms - INTERVAL_MS;
    snprintf(state.now.unit, sizeof state.now.unit, "%s", unit);
    pthread_mutex_unlock(&lock);
}

void progress_set(int64_t done, int64_t total, const char *note)
{
    pthread_mutex_lock(&lock);
    state.now.done = done;
    state.now.total = total;
    snprintf(state.now.note, sizeof state.now.note, "%s", note ? note : "");
    state.dirty = true;
    int64_t now_ms = clock_mono_ms();
    if (now_ms - state.written_ms >= INTERVAL_MS)
        publish(now_ms, 0);
    pthread_mutex_unlock(&lock);
}

void progress_end(void)
{
    pthread_mutex_lock(&lock);
    if (state.dirty)
        publish(clock_mono_ms(), LAST_LINE_MS);
    if (state.to_terminal)
        fputc('\n', stderr);
    state.to_fd = state.to_terminal = false;
    pthread_mutex_unlock(&lock);
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

bool progress_parse(const char *line, Progress *ret)
{
    Err ignored;
    AUTOJSON json_t *j = NULL;
    if (!json_parse(line, strlen(line), &j, &ignored) || !json_is_object(j) ||
        !json_is_integer(json_object_get(j, "done")))
        return false;
    Progress p = {.done = json_int(j, "done"), .total = json_int(j, "total")};
    if (p.done < 0 || p.total < 0)
        return false;
    copy_text(p.unit, sizeof p.unit, json_str(j, "unit"));
    copy_text(p.note, sizeof p.note, json_str(j, "note"));
    *ret = p;
    return true;
}
