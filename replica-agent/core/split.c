/* SPDX-License-Identifier: Apache-2.0 */
#include "split.h"

#include <string.h>

enum { NOBODY = -1, MOST_STREAMS = 1000000 };

typedef struct Piece {
    int64_t number;
    json_t *after, *upto; /* of a cut stream */
    int shard;
    bool cut, done;
} Piece;

typedef struct Stream {
    char *name;
    int64_t count; /* 0: a cut stream */
    Piece *pieces; /* given out, in order of their numbers */
    size_t n, cap;
    int64_t walked;
    bool at_end;
} Stream;

typedef struct Shard {
    bool joined, lost;
    bool present; /* has spoken since all was done */
    int64_t seq;
    json_t *answer; /* to seq */
} Shard;

struct Split {
    Stream *streams;
    size_t n_streams, n_shards;
    Shard *shards;
    json_t *identity, *joined_with; /* of the first who joined */
    bool joined, ended;
};

/* ---- begin and end -------------------------------------------------------------------------------- */

Split *split_new(size_t shards)
{
    Split *s = NEW(Split);
    s->n_shards = shards;
    s->shards = xcalloc(shards + 1, sizeof(Shard));
    return s;
}

static void piece_done(Piece *p)
{
    json_decref(p->after);
    json_decref(p->upto);
    *p = (Piece){0};
}

static void streams_done(Split *s)
{
    for (size_t i = 0; i < s->n_streams; i++) {
        for (size_t k = 0; k < s->streams[i].n; k++)
            piece_done(&s->streams[i].pieces[k]);
        free(s->streams[i].pieces);
        free(s->streams[i].name);
    }
    free(s->streams);
    s->streams = NULL;
    s->n_streams = 0;
}

void split_free(Split *s)
{
    if (!s)
        return;
    streams_done(s);
    for (size_t i = 0; i < s->n_shards; i++)
        json_decref(s->shards[i].answer);
    json_decref(s->identity);
    json_decref(s->joined_with);
    free(s->shards);
    free(s);
}

/* ---- what is there -------------------------------------------------------------------------------- */

static bool is_open(const Stream *t)
{
    return t->n && !t->pieces[t->n - 1].cut;
}

static bool has_more(const Stream *t)
{
    return t->count ? (int64_t)t->n < t->count : !t->at_end;
}

static bool is_done(const Split *s)
{
    if (!s->joined)
        return false;
    for (size_t i = 0; i < s->n_streams; i++) {
        if (has_more(&s->streams[i]))
            return false;
        for (size_t k = 0; k < s->streams[i].n; k++)
            if (!s->streams[i].pieces[k].done)
                return false;
    }
    return true;
}

bool split_is_ended(const Split *s)
{
    return s->ended;
}

void split_end(Split *s)
{
    s->ended = true;
}

static bool all_present(const Split *s)
{
    for (size_t i = 0; i < s->n_shards; i++)
        if (!s->shards[i].lost && !s->shards[i].present)
            return false;
    return true;
}

bool split_is_lost(const Split *s, size_t shard)
{
    return shard < s->n_shards && s->shards[shard].lost;
}

bool split_is_joined(const Split *s)
{
    return s->joined;
}

int64_t split_done_by(const Split *s, size_t shard)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->n_streams; i++)
        for (size_t k = 0; k < s->streams[i].n; k++)
            n += s->streams[i].pieces[k].done && s->streams[i].pieces[k].shard == (int)shard;
    return n;
}

static Stream *find_stream(const Split *s, const char *name)
{
    for (size_t i = 0; i < s->n_streams; i++)
        if (str_eq(s->streams[i].name, name))
            return &s->streams[i];
    return NULL;
}

/* ---- joining -------------------------------------------------------------------------------------- */

static bool read_stream(const json_t *j, Stream *ret, Err *err)
{
    const char *name;
    if (!json_req_str(j, "name", &name, err) || !json_opt_int(j, "count", 1, INT64_MAX, 0, &ret->count, err))
        return false;
    ret->name = xstrdup(name);
    return true;
}

static bool read_streams(Split *s, const json_t *list, Err *err)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > MOST_STREAMS)
        return err_set(err, ERR_USAGE, 0, "field \"streams\" must be a list");
    s->streams = xcalloc(n + 1, sizeof(Stream));
    for (size_t i = 0; i < n; i++) {
        Stream t = {0};
        if (!read_stream(json_array_get(list, i), &t, err))
            return false;
        if (find_stream(s, t.name)) {
            free(t.name);
            return err_set(err, ERR_USAGE, 0, "two streams have one name");
        }
        s->streams[s->n_streams++] = t;
    }
    return true;
}

static json_t *sorted_names(const json_t *streams)
{
    json_t *names = json_object(), *t;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)streams, i, t)
        json_set_int(names, json_str(t, "name"), json_int(t, "count"));
    return names;
}

/* Estimates differ from server to server, and with them the order: only names and counts must be the same. */
static bool join(Split *s, Shard *who, const json_t *r, Err *err)
{
    const json_t *streams = json_object_get(r, "streams"), *told = json_object_get(r, "identity");
    AUTOJSON json_t *identity = told ? json_deep_copy(told) : json_null();
    AUTOJSON json_t *names = sorted_names(streams);
    if (who->joined)
        return err_set(err, ERR_USAGE, 0, "this shard has joined already");
    if (!s->joined) {
        if (!read_streams(s, streams, err)) {
            streams_done(s);
            return false;
        }
        s->identity = json_incref(identity);
        s->joined_with = json_incref(names);
        s->joined = true;
    } else if (!json_equal(s->joined_with, names) || !json_equal(s->identity, identity)) {
        return err_set(err, ERR_REFUSED, 0,
                       "this replica does not find what the first one found: other tables, definitions or "
                       "options, or another position");
    }
    who->joined = true;
    return true;
}

/* ---- taking --------------------------------------------------------------------------------------- */

static Piece *add_piece(Stream *t, int shard)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->pieces = xrealloc(t->pieces, t->cap * sizeof *t->pieces);
    }
    Piece *p = &t->pieces[t->n];
    *p = (Piece){.number = (int64_t)t->n, .shard = shard, .cut = t->count > 0};
    if (!t->count && t->n)
        p->after = json_incref(t->pieces[t->n - 1].upto);
    t->n++;
    return p;
}

static json_t *describe(const Stream *t, const Piece *p)
{
    json_t *j = json_object();
    json_set_str(j, "stream", t->name);
    json_set_int(j, "number", p->number);
    if (t->count)
        return j;
    json_object_set_new(j, "after", p->after ? json_incref(p->after) : json_null());
    json_set_int(j, "walked", t->walked);
    if (p->cut)
        json_object_set_new(j, "upto", p->upto ? json_incref(p->upto) : json_null());
    return j;
}

static json_t *take_given_up(Split *s, int shard)
{
    for (size_t i = 0; i < s->n_streams; i++)
        for (size_t k = 0; k < s->streams[i].n; k++) {
            Piece *p = &s->streams[i].pieces[k];
            if (p->shard != NOBODY)
                continue;
            p->shard = shard;
            return describe(&s->streams[i], p);
        }
    return NULL;
}

static json_t *take_next(Split *s, int shard)
{
    for (size_t i = 0; i < s->n_streams; i++) {
        Stream *t = &s->streams[i];
        if (has_more(t) && !is_open(t))
            return describe(t, add_piece(t, shard));
    }
    return NULL;
}

static json_t *take(Split *s, int shard, bool *ret_changed)
{
    Shard *who = &s->shards[shard];
    json_t *j = take_given_up(s, shard);
    j = j ? j : take_next(s, shard);
    *ret_changed = j != NULL;
    if (j)
        return j;
    who->present = is_done(s);
    s->ended = s->ended || (who->present && all_present(s));
    j = json_object();
    json_set_bool(j, s->ended ? "end" : "wait", true);
    return j;
}

/* ---- pieces --------------------------------------------------------------------------------------- */

static bool find_piece(Split *s, int shard, const json_t *r, Stream **ret_stream, Piece **ret, Err *err)
{
    const char *name;
    int64_t number;
    if (!json_req_str(r, "stream", &name, err) || !json_req_int(r, "number", 0, INT64_MAX, &number, err))
        return false;
    Stream *t = find_stream(s, name);
    if (!t || number >= (int64_t)t->n || t->pieces[number].shard != shard)
        return err_set(err, ERR_USAGE, 0, "piece %lld of \"%s\" is not this shard's", (long long)number,
                       name);
    *ret_stream = t;
    *ret = &t->pieces[number];
    return true;
}

static bool cut(Split *s, int shard, const json_t *r, Err *err)
{
    Stream *t;
    Piece *p;
    int64_t walked;
    if (!find_piece(s, shard, r, &t, &p, err) || !json_opt_int(r, "walked", 0, INT64_MAX, 0, &walked, err))
        return false;
    if (p->cut)
        return err_set(err, ERR_USAGE, 0, "this piece is cut already");
    const json_t *upto = json_object_get(r, "upto");
    p->cut = true;
    p->upto = upto && !json_is_null(upto) ? json_deep_copy(upto) : NULL;
    t->at_end = !p->upto;
    t->walked = walked;
    return true;
}

static bool done(Split *s, int shard, const json_t *r, Err *err)
{
    Stream *t;
    Piece *p;
    if (!find_piece(s, shard, r, &t, &p, err))
        return false;
    if (!p->cut)
        return err_set(err, ERR_USAGE, 0, "this piece has no end yet");
    p->done = true;
    s->shards[shard].present = is_done(s);
    return true;
}

/* ---- losing --------------------------------------------------------------------------------------- */

static void give_up(Stream *t, int shard)
{
    if (is_open(t) && t->pieces[t->n - 1].shard == shard)
        piece_done(&t->pieces[--t->n]);
    for (size_t k = 0; k < t->n; k++)
        if (t->pieces[k].shard == shard) {
            t->pieces[k].shard = NOBODY;
            t->pieces[k].done = false;
        }
}

bool split_lose(Split *s, size_t shard)
{
    if (!s->joined || shard >= s->n_shards || s->ended)
        return false;
    s->shards[shard].lost = true;
    for (size_t i = 0; i < s->n_shards; i++)
        s->shards[i].present = false;
    for (size_t i = 0; i < s->n_streams; i++)
        give_up(&s->streams[i], (int)shard);
    return true;
}

/* ---- requests ------------------------------------------------------------------------------------- */

static bool answer_to(Split *s, size_t shard, const json_t *r, json_t **ret, bool *ret_changed, Err *err)
{
    const char *op;
    Shard *who = &s->shards[shard];
    if (!json_req_str(r, "op", &op, err))
        return false;
    *ret_changed = true;
    if (str_eq(op, "beat")) {
        *ret_changed = false;
        who->present = is_done(s);
    } else if (str_eq(op, "leave")) {
        *ret_changed = split_lose(s, shard);
    } else if (str_eq(op, "join")) {
        if (!join(s, who, r, err))
            return false;
    } else if (!who->joined) {
        return err_set(err, ERR_USAGE, 0, "\"%s\" before \"join\"", op);
    } else if (str_eq(op, "take")) {
        *ret = take(s, (int)shard, ret_changed);
        return true;
    } else if (!(str_eq(op, "cut")    ? cut(s, (int)shard, r, err)
                 : str_eq(op, "done") ? done(s, (int)shard, r, err)
                                      : err_set(err, ERR_USAGE, 0, "\"%s\" is no request", op))) {
        return false;
    }
    *ret = json_object();
    return true;
}

bool split_do(Split *s, const json_t *request, json_t **ret_answer, bool *ret_changed, Err *err)
{
    int64_t shard, seq;
    *ret_changed = false;
    if (!json_req_int(request, "shard", 0, (int64_t)s->n_shards - 1, &shard, err) ||
        !json_req_int(request, "seq", 1, INT64_MAX, &seq, err))
        return false;
    Shard *who = &s->shards[shard];
    if (who->lost)
        return err_set(err, ERR_CONFLICT, 0,
                       "this replica was not heard of in time, its part has been given to the others");
    if (seq == who->seq && who->answer) {
        *ret_answer = json_incref(who->answer);
        return true;
    }
    if (seq < who->seq)
        return err_set(err, ERR_USAGE, 0, "request %lld comes after %lld", (long long)seq,
                       (long long)who->seq);
    if (!answer_to(s, (size_t)shard, request, ret_answer, ret_changed, err))
        return false;
    who->seq = seq;
    json_decref(who->answer);
    who->answer = json_incref(*ret_answer);
    return true;
}
