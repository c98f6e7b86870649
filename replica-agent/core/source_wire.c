/* SPDX-License-Identifier: Apache-2.0 */
#include "source_wire.h"

#include <string.h>

#include "common/file/sha256.h"
#include "le.h"

enum {
    CAP_LONG_PASSWORD = 0x1,
    CAP_LONG_FLAG = 0x4,
    CAP_CONNECT_WITH_DB = 0x8,
    CAP_PROTOCOL_41 = 0x200,
    CAP_TRANSACTIONS = 0x2000,
    CAP_SECURE_CONNECTION = 0x8000,
    CAP_PLUGIN_AUTH = 0x80000,
    CHARSET_UTF8 = 33,
    STATUS_AUTOCOMMIT = 2,
    TYPE_VAR_STRING = 253,
    COLUMN_BYTES = 1024,
    LOGIN_HEAD_BYTES = 32, /* capabilities, largest packet, character set, filler */
    LENGTH_ONE_BYTE_MAX = 250,
    COM_QUIT = 1,
    COM_QUERY = 3,
    COM_PING = 14,
    COM_BINLOG_DUMP = 18,
    COM_REGISTER_SLAVE = 21,
    FRAME_HEAD_BYTES = 4,
};

static const char native_password[] = "mysql_native_password";

/* ---- packets --------------------------------------------------------------------------------------- */

static void begin_frame(PacketOut *o)
{
    o->frame_left = o->left < PACKET_FRAME_MAX ? (size_t)o->left : PACKET_FRAME_MAX;
    o->frame_full = o->frame_left == PACKET_FRAME_MAX;
    le_put(&o->bytes, o->frame_left, 3);
    le_put(&o->bytes, o->seq++, 1);
}

void packet_begin(PacketOut *o, uint64_t bytes)
{
    o->left = bytes;
    begin_frame(o);
}

void packet_add(PacketOut *o, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        size_t m = n < o->frame_left ? n : o->frame_left;
        if (!m)
            abort(); /* more than was begun */
        str_add(&o->bytes, p, m);
        p += m;
        n -= m;
        o->left -= m;
        o->frame_left -= m;
        if (!o->frame_left && o->frame_full)
            begin_frame(o); /* an empty one where nothing is left: a full frame is never the last */
    }
}

void packet_put(PacketOut *o, const void *bytes, size_t n)
{
    packet_begin(o, n);
    packet_add(o, bytes, n);
}

bool packet_take(Str *in, Str *ret, uint8_t *ret_seq, bool *ret_there, Err *err)
{
    *ret_there = false;
    if (in->len < FRAME_HEAD_BYTES)
        return true;
    size_t n = (size_t)le_get(in->p, 3);
    if (n > PACKET_REQUEST_MAX)
        return err_set(err, ERR_PROTOCOL, 0, "a request of %zu bytes: no receiver sends one", n);
    if (in->len < FRAME_HEAD_BYTES + n)
        return true;
    str_clear(ret);
    str_add(ret, in->p + FRAME_HEAD_BYTES, n);
    *ret_seq = (uint8_t)in->p[3];
    memmove(in->p, in->p + FRAME_HEAD_BYTES + n, in->len - FRAME_HEAD_BYTES - n);
    in->len -= FRAME_HEAD_BYTES + n;
    *ret_there = true;
    return true;
}

/* ---- what the server says -------------------------------------------------------------------------- */

static void put(PacketOut *o, const Str *body)
{
    packet_put(o, str_z(body), body->len);
}

static void add_z(Str *to, const char *z)
{
    str_add(to, z, strlen(z) + 1);
}

void source_greeting(PacketOut *o, const char *version, uint32_t id, const unsigned char *salt)
{
    enum { FIRST = 8, RESERVED = 10 };
    const uint32_t caps = CAP_LONG_PASSWORD | CAP_LONG_FLAG | CAP_CONNECT_WITH_DB | CAP_PROTOCOL_41 |
                          CAP_TRANSACTIONS | CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH;
    AUTO(str_done) Str b = STR_INIT;
    le_put(&b, 10, 1);
    add_z(&b, version);
    le_put(&b, id, 4);
    str_add(&b, (const char *)salt, FIRST);
    le_put(&b, 0, 1);
    le_put(&b, caps & 0xffff, 2);
    le_put(&b, CHARSET_UTF8, 1);
    le_put(&b, STATUS_AUTOCOMMIT, 2);
    le_put(&b, caps >> 16, 2);
    le_put(&b, SOURCE_SALT_BYTES + 1, 1);
    for (int i = 0; i < RESERVED; i++)
        le_put(&b, 0, 1);
    str_add(&b, (const char *)salt + FIRST, SOURCE_SALT_BYTES - FIRST);
    le_put(&b, 0, 1);
    add_z(&b, native_password);
    put(o, &b);
}

void source_switch_auth(PacketOut *o, const unsigned char *salt)
{
    AUTO(str_done) Str b = STR_INIT;
    le_put(&b, 0xfe, 1);
    add_z(&b, native_password);
    str_add(&b, (const char *)salt, SOURCE_SALT_BYTES);
    le_put(&b, 0, 1);
    put(o, &b);
}

void source_ok(PacketOut *o)
{
    packet_put(o, "\0\0\0\2\0\0\0", 7);
}

void source_eof(PacketOut *o)
{
    packet_put(o, "\xfe\0\0\2\0", 5);
}

void source_error(PacketOut *o, int code, const char *state, const char *text)
{
    AUTO(str_done) Str b = STR_INIT;
    le_put(&b, 0xff, 1);
    le_put(&b, (uint64_t)code, 2);
    str_addf(&b, "#%.5s%.400s", state, text);
    put(o, &b);
}

/* Texts of this file and numbers: none is long. */
static void add_text(Str *to, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (!text) {
        le_put(to, 0xfb, 1);
        return;
    }
    if (n > LENGTH_ONE_BYTE_MAX)
        n = LENGTH_ONE_BYTE_MAX;
    le_put(to, n, 1);
    str_add(to, text, n);
}

static void put_column(PacketOut *o, const char *name)
{
    AUTO(str_done) Str b = STR_INIT;
    add_text(&b, "def");
    for (int i = 0; i < 3; i++) /* schema, table, its own name */
        add_text(&b, "");
    add_text(&b, name);
    add_text(&b, name);
    le_put(&b, 12, 1); /* bytes that follow */
    le_put(&b, CHARSET_UTF8, 2);
    le_put(&b, COLUMN_BYTES, 4);
    le_put(&b, TYPE_VAR_STRING, 1);
    le_put(&b, 0, 2); /* flags */
    le_put(&b, 0, 1); /* decimals */
    le_put(&b, 0, 2);
    put(o, &b);
}

void source_row(PacketOut *o, const SourceColumn *columns)
{
    AUTO(str_done) Str count = STR_INIT, values = STR_INIT;
    size_t n = 0;
    while (columns[n].name)
        n++;
    le_put(&count, n, 1);
    put(o, &count);
    for (size_t i = 0; i < n; i++) {
        put_column(o, columns[i].name);
        add_text(&values, columns[i].value);
    }
    source_eof(o);
    put(o, &values);
    source_eof(o);
}

/* ---- what the client says -------------------------------------------------------------------------- */

/* A text that a NUL ends, and what is behind it. */
static bool take_z(const char **at, const char *end, const char **ret, size_t *ret_n)
{
    const char *nul = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
    if (!nul)
        return false;
    *ret = *at;
    *ret_n = (size_t)(nul - *at);
    *at = nul + 1;
    return true;
}

static bool take_token(const char **at, const char *end, SourceLogin *ret)
{
    if (*at >= end)
        return false;
    size_t n = (unsigned char)*(*at)++;
    if (n > (size_t)(end - *at))
        return false;
    ret->token_n = n;
    if (n <= sizeof ret->token)
        memcpy(ret->token, *at, n);
    *at += n;
    return true;
}

bool source_login_read(const Str *request, SourceLogin *ret, Err *err)
{
    SourceLogin l = {.native = true};
    size_t n;
    if (request->len < LOGIN_HEAD_BYTES)
        return err_set(err, ERR_PROTOCOL, 0, "the login is cut off");
    const char *at = request->p + LOGIN_HEAD_BYTES, *end = request->p + request->len, *text;
    uint32_t caps = (uint32_t)le_get(request->p, 4);
    if (!(caps & CAP_PROTOCOL_41) || !(caps & CAP_SECURE_CONNECTION))
        return err_set(err, ERR_PROTOCOL, 0, "the client speaks an old protocol");
    if (!take_z(&at, end, &text, &n) || n >= sizeof l.user)
        return err_set(err, ERR_PROTOCOL, 0, "the login names no account");
    memcpy(l.user, text, n);
    if (!take_token(&at, end, &l) || ((caps & CAP_CONNECT_WITH_DB) && !take_z(&at, end, &text, &n)))
        return err_set(err, ERR_PROTOCOL, 0, "the login is cut off");
    if ((caps & CAP_PLUGIN_AUTH) && take_z(&at, end, &text, &n))
        l.native = n == strlen(native_password) && memcmp(text, native_password, n) == 0;
    *ret = l;
    return true;
}

/* SHA1(password) XOR SHA1(salt, SHA1(SHA1(password))) */
bool source_token_is(const unsigned char *token, size_t n, const unsigned char *salt, const char *password)
{
    unsigned char once[SHA1_BYTES], both[SOURCE_SALT_BYTES + SHA1_BYTES], mask[SHA1_BYTES], differ = 0;
    if (n != SOURCE_TOKEN_BYTES)
        return false;
    sha1(password, strlen(password), once);
    memcpy(both, salt, SOURCE_SALT_BYTES);
    sha1(once, sizeof once, both + SOURCE_SALT_BYTES);
    sha1(both, sizeof both, mask);
    for (size_t i = 0; i < SOURCE_TOKEN_BYTES; i++)
        differ |= (unsigned char)(token[i] ^ once[i] ^ mask[i]);
    return differ == 0;
}

void source_command_read(const Str *request, SourceCommand *ret)
{
    *ret = (SourceCommand){.kind = SOURCE_OTHER};
    if (!request->len)
        return;
    switch (request->p[0]) {
    case COM_QUIT:
        ret->kind = SOURCE_QUIT;
        break;
    case COM_QUERY:
        ret->kind = SOURCE_QUERY;
        ret->text = request->p + 1;
        ret->text_n = request->len - 1;
        break;
    case COM_PING:
        ret->kind = SOURCE_PING;
        break;
    case COM_REGISTER_SLAVE:
        ret->kind = SOURCE_REGISTER;
        break;
    case COM_BINLOG_DUMP:
        ret->kind = SOURCE_DUMP;
        break;
    default:
        break;
    }
}
