/* SPDX-License-Identifier: Apache-2.0 */
#include "runkey.h"

#include "common/base/password.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

bool wire_run_id(const char *text, int64_t *ret_task, int64_t *ret_no)
{
    const char *dot = text ? strchr(text, '.') : NULL, *dash = dot ? strchr(dot, '-') : NULL;
    AUTOFREE char *task = text ? xstrndup(text, dot ? (size_t)(dot - text) : strlen(text)) : NULL;
    AUTOFREE char *number = dot ? xstrndup(dot + 1, dash ? (size_t)(dash - dot - 1) : strlen(dot + 1)) : NULL;
    long long t, no = 0;
    if (!str_to_i64(task, 1, INT64_MAX, &t) || (dot && !str_to_i64(number, 1, 1000000, &no)))
        return false;
    if (dash && (strlen(dash + 1) != RUNKEY_INCARNATION || dash[1 + strspn(dash + 1, letters)]))
        return false;
    *ret_task = t;
    *ret_no = no;
    return true;
}

char *runkey_short(const char *key)
{
    int64_t task, no;
    return wire_run_id(key, &task, &no) ? xstrndup(key, strcspn(key, "-")) : xstrdup(key);
}

const char *runkey_incarnation(const char *key)
{
    const char *dash = key ? strchr(key, '-') : NULL;
    return dash ? dash + 1 : "";
}

char *runkey_make(const char *run, const char *incarnation)
{
    return xasprintf("%s%s%s", run, incarnation && *incarnation ? "-" : "", incarnation ? incarnation : "");
}

bool runkey_is(const char *key, const char *text)
{
    size_t n = key ? strcspn(key, "-") : 0;
    return str_eq(key, text) || (key && text && strlen(text) == n && strncmp(key, text, n) == 0);
}

void runkey_draw(char ret[RUNKEY_INCARNATION + 1])
{
    char drawn[2 * RUNKEY_INCARNATION + 1];
    random_password(drawn, sizeof drawn - 1);
    for (size_t i = 0; i < RUNKEY_INCARNATION; i++)
        ret[i] = letters[(drawn[2 * i] * 64 + drawn[2 * i + 1]) % (int)(sizeof letters - 1)];
    ret[RUNKEY_INCARNATION] = 0;
}

char *runkey_of_manifest(const json_t *manifest)
{
    return runkey_make(json_str(manifest, "run"), json_str(manifest, "incarnation"));
}

void runkey_to_manifest(json_t *manifest, const char *key)
{
    AUTOFREE char *run = runkey_short(key);
    json_set_str(manifest, "run", run);
    if (*runkey_incarnation(key))
        json_set_str(manifest, "incarnation", runkey_incarnation(key));
}

/* ---- for people ------------------------------------------------------------------------------------- */

static void show_member(json_t *o, const char *name)
{
    int64_t task, no;
    const char *key = json_str(o, name);
    if (!*runkey_incarnation(key) || !wire_run_id(key, &task, &no))
        return;
    AUTOFREE char *run = runkey_short(key);
    if (str_eq(name, "id"))
        json_set_str(o, "incarnation", runkey_incarnation(key));
    json_set_str(o, name, run);
}

/* By one list of what is still to be looked at: no function here calls itself. */
void runkey_show(json_t *o)
{
    static const char *const names[] = {"id", "run", "owner", "parent_run", "next_run"};
    AUTOJSON json_t *open = json_array();
    json_array_append(open, o);
    for (size_t i = 0; i < json_array_size(open); i++) {
        json_t *at = json_array_get(open, i), *value;
        const char *key;
        size_t k;
        if (json_is_object(at)) {
            for (size_t n = 0; n < COUNT(names); n++)
                show_member(at, names[n]);
            json_object_foreach(at, key, value)
            {
                if (json_is_object(value) || json_is_array(value))
                    json_array_append(open, value);
            }
        }
        json_array_foreach(at, k, value)
        {
            if (json_is_object(value) || json_is_array(value))
                json_array_append(open, value);
        }
    }
}
