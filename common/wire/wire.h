/* SPDX-License-Identifier: Apache-2.0
 * Structs that are read from JSON and written to it. An object is one list of its members,
 *
 *     #define RUN_ALIGN_LIST(F, T) \
 *         F(T, STR, gtid)          \
 *         F(T, INT, source_pos)
 *
 * from which WIRE_STRUCT makes the struct and WIRE_FIELDS its field table; one reader and one writer serve
 * all tables. Unknown fields are ignored when reading, so that a newer peer may say more.
 *
 * States, kinds and actions are enums with one table of names:
 *
 *     #define NODE_ROLE_VALUES(E)    \
 *         E(ROLE_PRIMARY, "primary") \
 *         E(ROLE_REPLICA, "replica")
 *     WIRE_ENUM(NodeRole, ROLE, NODE_ROLE_VALUES);
 *
 * gives ROLE_NONE, the values, and ROLE_UNKNOWN. A member F(T, ENUM, role, NodeRole, node_role_names) comes
 * with `char *role_text`: what a newer or older peer has named and we do not know is ROLE_UNKNOWN with that
 * name beside it, and is written again as it came. Whoever is to act on such an object refuses it:
 * wire_check_names.
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
    WIRE_ENUM, /* an enum, a string in JSON */
} WireType;

/* The names of an enum's values 1, 2, …; value 0 is none (null), the one behind the last is a name that this
 * version does not know. */
typedef struct WireEnum {
    const char *const *names; /* [0] unused, NULL behind the last */
} WireEnum;

typedef struct WireField {
    const char *name;
    WireType type;
    size_t offset;
    const struct WireField *fields; /* WIRE_OBJ, WIRE_LIST */
    size_t size;                    /* WIRE_LIST: one element */
    const WireEnum *names;          /* WIRE_ENUM */
    size_t text;                    /* WIRE_ENUM: offset of the name as it was read, where it is not known */
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
#define WIRE_MEMBER_ENUM(f, E, values) E f; char *f##_text;
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
#define WIRE_ROW_ENUM(T, f, E, values) {#f, WIRE_ENUM, offsetof(T, f), NULL, 0, &values, offsetof(T, f##_text)},
#define WIRE_ROW_LOCAL(T, type, f)

#define WIRE_ENUM(T, PREFIX, VALUES) typedef enum T { PREFIX##_NONE, VALUES(WIRE_ENUM_VALUE_) PREFIX##_UNKNOWN } T
#define WIRE_ENUM_NAMES(VALUES) {(const char *const[]){NULL, VALUES(WIRE_ENUM_NAME_) NULL}}
#define WIRE_ENUM_VALUE_(value, name) value,
#define WIRE_ENUM_NAME_(value, name) name,
/* clang-format on */

/* NULL for none and for what is not known. */
const char *wire_enum_name(const WireEnum *e, int value);
/* The value of a name; none for NULL and "". */
int wire_enum_find(const WireEnum *e, const char *name);
int wire_enum_unknown(const WireEnum *e);
/* For people and for writing: the name, that which was read where it is not known, "" for none. */
const char *wire_enum_text(const WireEnum *e, int value, const char *text);
#define WIRE_TEXT(e, s, f) wire_enum_text(&(e), (int)(s)->f, (s)->f##_text)
/* A name that must be known: ERR_USAGE names field and value, the nearest name and all there are. None is
 * refused as well. */
MUST_CHECK bool wire_enum_read(const WireEnum *e, const char *field, const char *name, int *ret, Err *err);
/* Sets member and text of a field from a name. */
void wire_enum_set(const WireField *f, void *s, const char *name);
/* Every name in `s` and in what it holds is known here. */
MUST_CHECK bool wire_check_names(const WireField *fields, const void *s, Err *err);

json_t *wire_write(const WireField *fields, const void *s);
/* `s` is zeroed or a value to be replaced; on failure it is freed and zeroed. Errors are ERR_PROTOCOL and
 * name the field. */
MUST_CHECK bool wire_read(const WireField *fields, const json_t *j, void *s, Err *err);
/* The same of what is asked of this program, with every name known: what is wrong with it is ERR_USAGE. */
MUST_CHECK bool wire_read_asked(const WireField *fields, const json_t *j, void *s, Err *err);
void wire_free(const WireField *fields, void *s);                    /* frees what s holds and zeroes it */
void wire_copy(const WireField *fields, void *to, const void *from); /* deep; `to` zeroed */
/* A new zeroed element at the end of a list; pointers into the list die with it. */
void *wire_list_add(WireList *list, size_t size);
