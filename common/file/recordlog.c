/* SPDX-License-Identifier: Apache-2.0
 * A record is its length, a CRC-32 seeded with the generation, and ["key",value] as JSON; length 0 ends the
 * file. The seed keeps what an older generation left behind from being taken for records of this one.
 */
#include "recordlog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc.h"
#include "fs.h"

enum {
    HEADER_BYTES = 24,
    FRAME_BYTES = 8,
    RESERVE_BYTES = 512 << 10, /* of each file, from the begin on */
    GROW_BYTES = 256 << 10,
    COMPACT_BYTES = 1 << 20, /* a file is not left before it has this size */
    COMPACT_TIMES = 4,       /* … and this times what lives */
};

static const char MAGIC[8] = "SIDINGJ1";

typedef struct Live {
    char *key, *text; /* text: the framed payload */
} Live;

struct RecordLog {
    char *dir, *path[2];
    int fd[2];
    int at; /* the file of the present generation */
    uint64_t generation;
    off_t end;
    off_t reserved[2];
    bool is_new, unsure; /* unsure: an append failed, and what it left is not known */
    Live *live;
    size_t n;
};

/* ---- what lives ------------------------------------------------------------------------------------------
 */

static void remove_live(RecordLog *l, const char *key)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->live[i].key, key)) {
            free(l->live[i].key);
            free(l->live[i].text);
            memmove(&l->live[i], &l->live[i + 1], (l->n - i - 1) * sizeof *l->live);
            l->n--;
            return;
        }
}

/* `text` NULL removes it. */
static void set_live(RecordLog *l, const char *key, const char *text)
{
    remove_live(l, key);
    if (!text)
        return;
    l->live = xrealloc(l->live, (l->n + 1) * sizeof *l->live);
    l->live[l->n++] = (Live){xstrdup(key), xstrdup(text)};
}

/* ---- bytes -----------------------------------------------------------------------------------------------
 */

static void put32(char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(v >> (8 * i));
}

static uint32_t get32(const char *from)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)(unsigned char)from[i] << (8 * i);
    return v;
}

static uint32_t checksum(uint64_t generation, const char *p, size_t n)
{
    char seed[8];
    put32(seed, (uint32_t)generation);
    put32(seed + 4, (uint32_t)(generation >> 32));
    return crc_of(crc_of(0, seed, sizeof seed), p, n);
}

static void add_frame(Str *to, uint64_t generation, const char *text)
{
    char head[FRAME_BYTES];
    size_t n = strlen(text);
    put32(head, (uint32_t)n);
    put32(head + 4, checksum(generation, text, n));
    str_add(to, head, sizeof head);
    str_add(to, text, n);
}

static void add_header(Str *to, uint64_t generation)
{
    char head[HEADER_BYTES] = {0};
    memcpy(head, MAGIC, sizeof MAGIC);
    put32(head + 8, (uint32_t)generation);
    put32(head + 12, (uint32_t)(generation >> 32));
    put32(head + 16, checksum(generation, head, 16));
    str_add(to, head, sizeof head);
}

static char *payload(const char *key, const json_t *value)
{
    AUTOJSON json_t *pair = json_array();
    json_array_append_new(pair, json_string(key));
    json_array_append(pair, value ? (json_t *)value : json_null());
    return json_text(pair);
}

/* ---- reading ---------------------------------------------------------------------------------------------
 */

typedef struct Found {
    uint64_t generation; /* 0: no readable header */
    bool whole;          /* the mark behind the opening records is there */
    off_t end;
    size_t damaged; /* records in the middle that do not hold */
    bool cut;       /* shorter than what is reserved before anything is written: its end is gone */
} Found;

static bool frame_at(const Str *s, size_t at, uint64_t generation, size_t *ret_n)
{
    if (at + FRAME_BYTES > s->len)
        return false;
    *ret_n = get32(s->p + at);
    if (!*ret_n || *ret_n > RECORDLOG_MAX_RECORD || at + FRAME_BYTES + *ret_n > s->len)
        return false;
    return get32(s->p + at + 4) == checksum(generation, s->p + at + FRAME_BYTES, *ret_n);
}

/* A record that does not hold, between others that do, is damage; at the end it is a write that was cut off.
 */
static bool is_in_the_middle(const Str *s, size_t at, uint64_t generation, size_t *ret_next)
{
    size_t n;
    for (size_t i = at + 1; i + FRAME_BYTES <= s->len; i++)
        if (frame_at(s, i, generation, &n)) {
            *ret_next = i;
            return true;
        }
    return false;
}

static void take(RecordLog *l, const char *text, size_t n, Found *f)
{
    Err err;
    AUTOJSON json_t *pair = NULL;
    if (!json_parse(text, n, &pair, &err) || !json_is_string(json_array_get(pair, 0))) {
        f->damaged++;
        return;
    }
    const char *key = json_string_value(json_array_get(pair, 0));
    AUTOFREE char *copy = xstrndup(text, n);
    if (!*key)
        f->whole = true;
    else
        set_live(l, key, json_is_null(json_array_get(pair, 1)) ? NULL : copy);
}

static void read_header(const Str *s, Found *f)
{
    if (s->len < HEADER_BYTES || memcmp(s->p, MAGIC, sizeof MAGIC) != 0)
        return;
    uint64_t g = get32(s->p + 8) | (uint64_t)get32(s->p + 12) << 32;
    if (g && get32(s->p + 16) == checksum(g, s->p, 16))
        f->generation = g;
}

static void read_records(RecordLog *l, const Str *s, Found *f)
{
    size_t at = HEADER_BYTES, n;
    read_header(s, f);
    while (f->generation && at < s->len) {
        if (frame_at(s, at, f->generation, &n)) {
            take(l, s->p + at + FRAME_BYTES, n, f);
            at += FRAME_BYTES + n;
        } else if (is_in_the_middle(s, at, f->generation, &at)) {
            f->damaged++;
        } else {
            break;
        }
    }
    f->end = (off_t)at;
}

static void forget_live(RecordLog *l)
{
    while (l->n)
        remove_live(l, l->live[0].key);
}

static bool read_file(RecordLog *l, int which, Found *f, Err *err)
{
    AUTO(str_done) Str s = STR_INIT;
    *f = (Found){0};
    forget_live(l);
    if (!fs_read(l->path[which], 1 << 30, &s, err))
        return err->kind == ERR_NOT_FOUND;
    read_records(l, &s, f);
    f->cut = f->generation && s.len < RESERVE_BYTES;
    return true;
}

/* ---- writing ---------------------------------------------------------------------------------------------
 */

static bool reserve(RecordLog *l, int which, off_t need, Err *err)
{
    if (need <= l->reserved[which])
        return true;
    off_t size = need < RESERVE_BYTES ? RESERVE_BYTES : need + GROW_BYTES;
    int rc = posix_fallocate(l->fd[which], 0, size);
    if (rc)
        return err_errno(err, rc, "reserve %lld bytes for %s", (long long)size, l->path[which]);
    l->reserved[which] = size;
    return true;
}

static bool write_at(int fd, const char *path, const Str *s, off_t at, Err *err)
{
    size_t done = 0;
    while (done < s->len) {
        ssize_t n = pwrite(fd, s->p + done, s->len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "write %s", path);
        done += (size_t)n;
    }
    return fdatasync(fd) == 0 || err_errno(err, errno, "sync %s", path);
}

static bool open_file(RecordLog *l, int which, Err *err)
{
    struct stat st;
    if (l->fd[which] >= 0)
        return true;
    l->fd[which] = open(l->path[which], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd[which] < 0 || fstat(l->fd[which], &st) < 0)
        return err_errno(err, errno, "open %s", l->path[which]);
    l->reserved[which] = st.st_size;
    return fs_sync_dir(l->dir, err);
}

/* The next generation begins in the other file with all that lives, `more` included. */
static bool begin_generation(RecordLog *l, Err *err)
{
    AUTO(str_done) Str s = STR_INIT;
    int to = !l->at;
    uint64_t generation = l->generation + 1;
    add_header(&s, generation);
    for (size_t i = 0; i < l->n; i++)
        add_frame(&s, generation, l->live[i].text);
    add_frame(&s, generation, "[\"\",true]");
    off_t end = (off_t)s.len;
    str_add(&s, "\0\0\0\0", 4);
    if (!open_file(l, to, err) || !reserve(l, to, (off_t)s.len, err) ||
        !write_at(l->fd[to], l->path[to], &s, 0, err))
        return false;
    l->at = to;
    l->generation = generation;
    l->end = end;
    l->unsure = false;
    return true;
}

static size_t live_bytes(const RecordLog *l)
{
    size_t n = HEADER_BYTES;
    for (size_t i = 0; i < l->n; i++)
        n += FRAME_BYTES + strlen(l->live[i].text);
    return n;
}

static bool is_due(const RecordLog *l, size_t more)
{
    size_t size = (size_t)l->end + more;
    return l->unsure || (size > COMPACT_BYTES && size > COMPACT_TIMES * live_bytes(l));
}

static bool append_frames(RecordLog *l, Str *frames, Err *err)
{
    size_t n = frames->len;
    str_add(frames, "\0\0\0\0", 4);
    if (!reserve(l, l->at, l->end + (off_t)frames->len, err) ||
        !write_at(l->fd[l->at], l->path[l->at], frames, l->end, err)) {
        l->unsure = true; /* part of it may be there: the next write begins a file anew */
        return false;
    }
    l->end += (off_t)n;
    return true;
}

typedef struct Before {
    Live *v;
    size_t n;
} Before;

static Before copy_live(const RecordLog *l)
{
    Before b = {xcalloc(l->n + 1, sizeof *b.v), l->n};
    for (size_t i = 0; i < l->n; i++)
        b.v[i] = (Live){xstrdup(l->live[i].key), xstrdup(l->live[i].text)};
    return b;
}

static void free_lives(Live *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].key);
        free(v[i].text);
    }
    free(v);
}

bool recordlog_append(RecordLog *l, const Record *records, size_t n, Err *err)
{
    AUTO(str_done) Str frames = STR_INIT;
    Before before = copy_live(l);
    for (size_t i = 0; i < n; i++) {
        AUTOFREE char *text = payload(records[i].key, records[i].value);
        add_frame(&frames, l->generation, text);
        set_live(l, records[i].key, records[i].value ? text : NULL);
    }
    bool ok = is_due(l, frames.len) ? begin_generation(l, err) : append_frames(l, &frames, err);
    if (!ok) {
        free_lives(l->live, l->n);
        l->live = before.v;
        l->n = before.n;
        return false;
    }
    free_lives(before.v, before.n);
    return true;
}

/* ---- opening ---------------------------------------------------------------------------------------------
 */

static void note(char **damage, const char *text)
{
    AUTOFREE char *old = *damage;
    *damage = old ? xasprintf("%s; %s", old, text) : xstrdup(text);
}

/* The newest generation that is whole; where its opening was cut off, the one before has all that was
 * acknowledged. */
static bool choose(RecordLog *l, Found *ret, char **damage, Err *err)
{
    Found f[2];
    for (int i = 0; i < 2; i++)
        if (!read_file(l, i, &f[i], err))
            return false;
    bool any = (f[0].generation && f[0].whole) || (f[1].generation && f[1].whole);
    int newest = !f[0].whole ? 1 : !f[1].whole ? 0 : f[1].generation > f[0].generation;
    l->is_new = !fs_exists(l->path[0]) && !fs_exists(l->path[1]);
    if (!any && !l->is_new)
        note(damage, "neither file of the journal can be read: what it held is lost");
    l->at = newest;
    if (any && f[newest].damaged) {
        AUTOFREE char *text =
            xasprintf("%zu record(s) of %s do not hold and are left out", f[newest].damaged, l->path[newest]);
        note(damage, text);
    }
    for (int i = 0; any && i < 2; i++)
        if (f[i].cut) {
            AUTOFREE char *text = xasprintf("%s was cut short: what was written last is lost", l->path[i]);
            note(damage, text);
        }
    *ret = any ? f[newest] : (Found){0};
    if (any)
        return read_file(l, newest, ret, err);
    forget_live(l);
    return true;
}

static bool find(const char *dir, const char *name, RecordLog **ret, char **ret_damage, Err *err)
{
    Found f = {0};
    RecordLog *l = NEW(RecordLog);
    *ret_damage = NULL;
    l->dir = xstrdup(dir);
    for (int i = 0; i < 2; i++) {
        l->path[i] = xasprintf("%s/%s.%d", dir, name, i + 1);
        l->fd[i] = -1;
    }
    if (!choose(l, &f, ret_damage, err)) {
        recordlog_close(l);
        return false;
    }
    l->generation = f.generation;
    *ret = l;
    return true;
}

bool recordlog_read(const char *dir, const char *name, RecordLog **ret, char **ret_damage, Err *err)
{
    return find(dir, name, ret, ret_damage, err);
}

/* A new file each time: what a torn or damaged end holds is never appended to. Where there is no room for it
 * yet, the next append tries again. */
bool recordlog_open(const char *dir, const char *name, RecordLog **ret, char **ret_damage, Err *err)
{
    Err later;
    RecordLog *l;
    if (!find(dir, name, &l, ret_damage, err))
        return false;
    l->unsure = !(open_file(l, 0, &later) && open_file(l, 1, &later) && begin_generation(l, &later) &&
                  reserve(l, !l->at, RESERVE_BYTES, &later));
    *ret = l;
    return true;
}

bool recordlog_is_new(const RecordLog *l)
{
    return l->is_new;
}

void recordlog_each(const RecordLog *l, void (*each)(void *arg, const char *key, const json_t *value),
                    void *arg)
{
    for (size_t i = 0; i < l->n; i++) {
        Err err;
        AUTOJSON json_t *pair = NULL;
        if (json_parse(l->live[i].text, strlen(l->live[i].text), &pair, &err))
            each(arg, l->live[i].key, json_array_get(pair, 1));
    }
}

void recordlog_close(RecordLog *l)
{
    if (!l)
        return;
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] >= 0)
            close(l->fd[i]);
        free(l->path[i]);
    }
    free_lives(l->live, l->n);
    free(l->dir);
    free(l);
}

void recordlog_free_records(Record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(records[i].key);
        json_decref(records[i].value);
    }
    free(records);
}
