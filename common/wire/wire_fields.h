/* SPDX-License-Identifier: Apache-2.0
 * Structs that are read from JSON and written to it. An object is one list of its members,
 *
 *     #define RUN_ALIGN_LIST(F, T) \
 *         F(T, STR, gtid)          \
 *         F(T, INT, source_pos)
 *
 * from which WIRE_STRUCT makes the struct and WIRE_FIELDS its field table; one reader and one writer serve
 * all tables. Unknown fields are ignored when reading, so that a newer peer may say more.
 */
#pragma once

#include "common/file/json.h"

typedef enum WireType {
    WIRE_STR,  /* char * */
    WIRE_INT,  /* int64_t */
    WIRE_NUM,  /* double */
    WIRE_BOOL, /* bool */
    WIRE_TIME, /* int64_t ms */
    WIRE_STRS, /* StrList */
    WIRE_JSON, /* json_t *, any value */
    WIRE_OBJ,  /* embedded struct */
    WIRE_LIST, /* WireList of structs */
} WireType;

typedef struct WireField {
    const char *name;
    WireType type;
    size_t offset;
    const struct WireField *fields; /* WIRE_OBJ, WIRE_LIST */
    size_t size;                    /* WIRE_LIST: one element */
} WireField;

typedef struct WireList {
    void *v;
    size_t n;
} WireList;

/* clang-format off */
/* A list's rows: F(T, STR|INT|NUM|BOOL|TIME|STRS|JSON, name), F(T, OBJ, name, struct, its table),
 * F(T, LIST, name, struct of an element, its table), F(T, LOCAL, C type, name): a member that does not travel. */
#define WIRE_STRUCT(T, MEMBERS) typedef struct T { MEMBERS(WIRE_MEMBER_, T) } T
#define WIRE_FIELDS(T, MEMBERS) {MEMBERS(WIRE_ROW_, T) {NULL, WIRE_STR, 0, NULL, 0}}

#define WIRE_MEMBER_(T, KIND, ...) WIRE_MEMBER_##KIND(__VA_ARGS__)
#define WIRE_MEMBER_STR(f) char *f;
#define WIRE_MEMBER_INT(f) int64_t f;
#define WIRE_MEMBER_NUM(f) double f;
#define WIRE_MEMBER_BOOL(f) bool f;
#define WIRE_MEMBER_TIME(f) int64_t f;
#define WIRE_MEMBER_STRS(f) StrList f;
#define WIRE_MEMBER_JSON(f) json_t *f;
#define WIRE_MEMBER_OBJ(f, S, table) S f;
#define WIRE_MEMBER_LIST(f, S, table) WireList f;
#define WIRE_MEMBER_LOCAL(type, f) type f;

#define WIRE_ROW_(T, KIND, ...) WIRE_ROW_##KIND(T, __VA_ARGS__)
#define WIRE_ROW_STR(T, f) {#f, WIRE_STR, offsetof(T, f), NULL, 0},
#define WIRE_ROW_INT(T, f) {#f, WIRE_INT, offsetof(T, f), NULL, 0},
#define WIRE_ROW_NUM(T, f) {#f, WIRE_NUM, offsetof(T, f), NULL, 0},
#define WIRE_ROW_BOOL(T, f) {#f, WIRE_BOOL, offsetof(T, f), NULL, 0},
#define WIRE_ROW_TIME(T, f) {#f, WIRE_TIME, offsetof(T, f), NULL, 0},
#define WIRE_ROW_STRS(T, f) {#f, WIRE_STRS, offsetof(T, f), NULL, 0},
#define WIRE_ROW_JSON(T, f) {#f, WIRE_JSON, offsetof(T, f), NULL, 0},
#define WIRE_ROW_OBJ(T, f, S, table) {#f, WIRE_OBJ, offsetof(T, f), table, 0},
#define WIRE_ROW_LIST(T, f, S, table) {#f, WIRE_LIST, offsetof(T, f), table, sizeof(S)},
#define WIRE_ROW_LOCAL(T, type, f)
/* clang-format on */

json_t *wire_write(const WireField *fields, const void *s);
/* `s` is zeroed or a value to be replaced; on failure it is freed and zeroed. Errors are ERR_PROTOCOL and
 * name the field. */
MUST_CHECK bool wire_read(const WireField *fields, const json_t *j, void *s, Err *err);
void wire_free(const WireField *fields, void *s);                    /* frees what s holds and zeroes it */
void wire_copy(const WireField *fields, void *to, const void *from); /* deep; `to` zeroed */
/* A new zeroed element at the end of a list; pointers into the list die with it. */
void *wire_list_add(WireList *list, size_t size);
