/* SPDX-License-Identifier: Apache-2.0
 * The only user of zlib, igzip (ISA-L) and zstd to compress. A backend is a row: how it begins, runs, ends.
 */
#include "codec.h"

#include <string.h>
#include <zlib.h>

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

enum { GZIP_WINDOW = 15 + 16, ZLIB_STEP = 1 << 30 };

typedef struct Backend {
    const char *name;
    int least, most, usual;
    const char *suffix;
    void *(*begin)(int level);
    bool (*run)(void *state, CodecBytes *b, bool end);
    void (*next)(void *state);
    void (*end)(void *state);
} Backend;

struct Codec {
    const Backend *backend;
    void *state;
};

/* ---- zlib ----------------------------------------------------------------------------------------- */

static void *zlib_begin(int level)
{
    z_stream *z = NEW(z_stream);
    if (deflateInit2(z, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* zlib fails here for lack of memory only */
    return z;
}

static bool zlib_run(void *state, CodecBytes *b, bool end)
{
    z_stream *z = state;
    for (;;) {
        size_t in = b->in_n < ZLIB_STEP ? b->in_n : ZLIB_STEP,
               out = b->out_n < ZLIB_STEP ? b->out_n : ZLIB_STEP;
        z->next_in = (unsigned char *)(uintptr_t)b->in;
        z->avail_in = (unsigned)in;
        z->next_out = b->out;
        z->avail_out = (unsigned)out;
        int rc = deflate(z, end && in == b->in_n ? Z_FINISH : Z_NO_FLUSH);
        in -= z->avail_in;
        out -= z->avail_out;
        *b = (CodecBytes){b->in + in, b->in_n - in, b->out + out, b->out_n - out};
        if (end ? rc == Z_STREAM_END : !b->in_n && b->out_n)
            return true;
        if (!b->out_n)
            return false;
    }
}

static void zlib_next(void *state)
{
    deflateReset(state);
}

static void zlib_end(void *state)
{
    deflateEnd(state);
    free(state);
}

/* ---- igzip ---------------------------------------------------------------------------------------- */

#ifdef HAVE_ISAL
typedef struct Igzip {
    struct isal_zstream z;
    int level;
    size_t scratch_n;
    uint8_t *scratch;
} Igzip;

static void igzip_next(void *state)
{
    Igzip *g = state;
    isal_deflate_init(&g->z);
    g->z.level = (uint32_t)g->level;
    g->z.level_buf = g->scratch;
    g->z.level_buf_size = (uint32_t)g->scratch_n;
    g->z.gzip_flag = IGZIP_GZIP;
}

static void *igzip_begin(int level)
{
    static const size_t sizes[] = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                   ISAL_DEF_LVL3_DEFAULT};
    Igzip *g = NEW(Igzip);
    g->level = level;
    g->scratch_n = sizes[level];
    g->scratch = xcalloc(1, sizes[level] + 1);
    igzip_next(g);
    return g;
}

static bool igzip_run(void *state, CodecBytes *b, bool end)
{
    Igzip *g = state;
    for (;;) {
        size_t in = b->in_n < ZLIB_STEP ? b->in_n : ZLIB_STEP,
               out = b->out_n < ZLIB_STEP ? b->out_n : ZLIB_STEP;
        g->z.next_in = (uint8_t *)(uintptr_t)b->in;
        g->z.avail_in = (uint32_t)in;
        g->z.next_out = b->out;
        g->z.avail_out = (uint32_t)out;
        g->z.end_of_stream = end && in == b->in_n;
        if (isal_deflate(&g->z) != COMP_OK)
            abort(); /* only wrong arguments fail */
        in -= g->z.avail_in;
        out -= g->z.avail_out;
        *b = (CodecBytes){b->in + in, b->in_n - in, b->out + out, b->out_n - out};
        if (end ? g->z.internal_state.state == ZSTATE_END : !b->in_n && b->out_n)
            return true;
        if (!b->out_n)
            return false;
    }
}

static void igzip_end(void *state)
{
    Igzip *g = state;
    free(g->scratch);
    free(g);
}
#endif

/* ---- zstd ----------------------------------------------------------------------------------------- */

#ifdef HAVE_ZSTD
static void *zstd_begin(int level)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    if (!z || ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)))
        abort();
    return z;
}

static bool zstd_run(void *state, CodecBytes *b, bool end)
{
    ZSTD_inBuffer in = {b->in, b->in_n, 0};
    ZSTD_outBuffer out = {b->out, b->out_n, 0};
    size_t left = 1;
    while (left && out.pos < out.size && (end || in.pos < in.size)) {
        left = ZSTD_compressStream2(state, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            abort();
    }
    *b = (CodecBytes){b->in + in.pos, b->in_n - in.pos, b->out + out.pos, b->out_n - out.pos};
    return end ? left == 0 : b->in_n == 0;
}

static void zstd_next(void *state)
{
    ZSTD_CCtx_reset(state, ZSTD_reset_session_only);
}

static void zstd_end(void *state)
{
    ZSTD_freeCCtx(state);
}
#endif

/* ---- names ---------------------------------------------------------------------------------------- */

static const Backend backends[] = {
#ifdef HAVE_ISAL
    {"igzip", 0, 3, 1, ".gz", igzip_begin, igzip_run, igzip_next, igzip_end},
#endif
    {"zlib", 1, 9, 1, ".gz", zlib_begin, zlib_run, zlib_next, zlib_end},
#ifdef HAVE_ZSTD
    {"zstd", 1, 19, 1, ".zst", zstd_begin, zstd_run, zstd_next, zstd_end},
#endif
};

/* NULL: unknown. */
static const Backend *backend_of(const char *name, int *ret_level)
{
    if (str_eq(name, "gzip")) {
        *ret_level = backends[0].usual;
        return &backends[0];
    }
    for (size_t i = 0; i < COUNT(backends); i++) {
        const Backend *b = &backends[i];
        size_t n = strlen(b->name);
        long long level = b->usual;
        if (strncmp(name, b->name, n) != 0 || (name[n] && name[n] != ':'))
            continue;
        if (name[n] && !str_to_i64(name + n + 1, b->least, b->most, &level))
            return NULL;
        *ret_level = (int)level;
        return b;
    }
    return NULL;
}

bool codec_is_none(const char *name)
{
    return str_eq(name, "none");
}

bool codec_known(const char *name)
{
    int level;
    return codec_is_none(name) || backend_of(name, &level);
}

const char *codec_names(void)
{
    return "gzip, "
#ifdef HAVE_ISAL
           "igzip:0 to igzip:3, "
#endif
           "zlib:1 to zlib:9, "
#ifdef HAVE_ZSTD
           "zstd:1 to zstd:19, "
#endif
           "none";
}

const char *codec_suffix(const char *name)
{
    int level;
    const Backend *b = backend_of(name, &level);
    return b ? b->suffix : "";
}

char *codec_resolved(const char *name)
{
    int level;
    const Backend *b = backend_of(name, &level);
    return b ? xasprintf("%s:%d", b->name, level) : xstrdup(name);
}

/* ---- compressing ---------------------------------------------------------------------------------- */

Codec *codec_new(const char *name)
{
    int level;
    const Backend *b = backend_of(name, &level);
    if (!b)
        return NULL;
    Codec *c = NEW(Codec);
    c->backend = b;
    c->state = b->begin(level);
    return c;
}

void codec_free(Codec *c)
{
    if (!c)
        return;
    c->backend->end(c->state);
    free(c);
}

bool codec_run(Codec *c, CodecBytes *b, bool end)
{
    return c->backend->run(c->state, b, end);
}

void codec_next_member(Codec *c)
{
    c->backend->next(c->state);
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct Decoder {
#ifdef HAVE_ISAL
    struct inflate_state gzip;
#else
    z_stream z;
#endif
#ifdef HAVE_ZSTD
    ZSTD_DCtx *zstd;
#endif
};

#ifdef HAVE_ISAL
static void gzip_begin(Decoder *d)
{
    isal_inflate_init(&d->gzip);
    d->gzip.crc_flag = ISAL_GZIP;
}

static void gzip_end(Decoder *d)
{
    (void)d;
}

static DecodeResult gzip_decode(Decoder *d, CodecBytes *b)
{
    size_t in = b->in_n < ZLIB_STEP ? b->in_n : ZLIB_STEP, out = b->out_n < ZLIB_STEP ? b->out_n : ZLIB_STEP;
    d->gzip.next_in = (uint8_t *)(uintptr_t)b->in;
    d->gzip.avail_in = (uint32_t)in;
    d->gzip.next_out = b->out;
    d->gzip.avail_out = (uint32_t)out;
    int rc = isal_inflate(&d->gzip);
    if (rc < 0 || d->gzip.avail_in > in) /* of a broken stream it may have counted more than there was */
        return DECODE_BROKEN;
    in -= d->gzip.avail_in;
    out -= d->gzip.avail_out;
    *b = (CodecBytes){b->in + in, b->in_n - in, b->out + out, b->out_n - out};
    if (d->gzip.block_state != ISAL_BLOCK_FINISH)
        return DECODE_OK;
    gzip_begin(d);
    return DECODE_MEMBER_END;
}
#else
static void gzip_begin(Decoder *d)
{
    if (inflateInit2(&d->z, GZIP_WINDOW) != Z_OK)
        abort();
}

static void gzip_end(Decoder *d)
{
    inflateEnd(&d->z);
}

static DecodeResult gzip_decode(Decoder *d, CodecBytes *b)
{
    size_t in = b->in_n < ZLIB_STEP ? b->in_n : ZLIB_STEP, out = b->out_n < ZLIB_STEP ? b->out_n : ZLIB_STEP;
    d->z.next_in = (unsigned char *)(uintptr_t)b->in;
    d->z.avail_in = (unsigned)in;
    d->z.next_out = b->out;
    d->z.avail_out = (unsigned)out;
    int rc = inflate(&d->z, Z_NO_FLUSH);
    in -= d->z.avail_in;
    out -= d->z.avail_out;
    *b = (CodecBytes){b->in + in, b->in_n - in, b->out + out, b->out_n - out};
    if (rc == Z_STREAM_END) {
        inflateReset(&d->z);
        return DECODE_MEMBER_END;
    }
    return rc == Z_OK || rc == Z_BUF_ERROR ? DECODE_OK : DECODE_BROKEN;
}
#endif

Decoder *decoder_new(const unsigned char *head, size_t n)
{
    Decoder *d = NEW(Decoder);
    if (n >= 2 && head[0] == 0x1f && head[1] == 0x8b) {
        gzip_begin(d);
        return d;
    }
#ifdef HAVE_ZSTD
    if (n >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0) {
        d->zstd = ZSTD_createDCtx();
        return d;
    }
#endif
    free(d);
    return NULL;
}

void decoder_free(Decoder *d)
{
    if (!d)
        return;
#ifdef HAVE_ZSTD
    if (d->zstd)
        ZSTD_freeDCtx(d->zstd);
    else
#endif
        gzip_end(d);
    free(d);
}

#ifdef HAVE_ZSTD
static DecodeResult zstd_decode(Decoder *d, CodecBytes *b)
{
    ZSTD_inBuffer in = {b->in, b->in_n, 0};
    ZSTD_outBuffer out = {b->out, b->out_n, 0};
    size_t left = ZSTD_decompressStream(d->zstd, &out, &in);
    *b = (CodecBytes){b->in + in.pos, b->in_n - in.pos, b->out + out.pos, b->out_n - out.pos};
    return ZSTD_isError(left) ? DECODE_BROKEN : left ? DECODE_OK : DECODE_MEMBER_END;
}
#endif

DecodeResult decoder_run(Decoder *d, CodecBytes *b)
{
#ifdef HAVE_ZSTD
    if (d->zstd)
        return zstd_decode(d, b);
#endif
    return gzip_decode(d, b);
}

void codec_zlib(const void *bytes, size_t n, Str *out)
{
    /* Lists of small numbers are alike everywhere: zlib's own level takes three times as long to look for
     * what makes them 4 % shorter. */
    enum { LEVEL = 4 };
    uLongf size = compressBound(n);
    str_reserve(out, size);
    /* fails only for want of memory or room */
    if (compress2((Bytef *)out->p + out->len, &size, n ? bytes : (const Bytef *)"", n, LEVEL) != Z_OK)
        abort();
    out->len += size;
    out->p[out->len] = '\0';
}

bool codec_unzlib(const void *in, size_t n, void *out, size_t out_n)
{
    uLongf got = out_n + 1; /* room for one too many shows a wrong length */
    return uncompress(out, &got, in, n) == Z_OK && got == out_n;
}
