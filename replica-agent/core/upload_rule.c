/* SPDX-License-Identifier: Apache-2.0 */
#include "upload_rule.h"

/* What decides where rows go and what becomes of those that are there. */
static const char *const decides[] = {"mode",      "target", "job", "allow_nontransactional",
                                      "on_change", "columns"};
/* What an index knows of itself: checked against the files and the servers by whoever loads it. Its columns
 * follow from its layout. */
static const char *const facts[] = {"create", "comment",   "checksum",   "target_checksum",
                                    "rows",   "frozen_at", "definition", "tokenizer",
                                    "layout", "fields",    "columns"};

/* Only an index has it. */
static bool is_of_index(const json_t *rule)
{
    return json_object_get(rule, "on_change") != NULL;
}

static bool is_nothing(const json_t *j)
{
    return !j || json_is_null(j);
}

static const char *shown(const json_t *j, char **buffer)
{
    *buffer = is_nothing(j) ? xstrdup("nothing") : json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    return *buffer ? *buffer : "?";
}

static bool differs(const json_t *rule, const json_t *told, const char *key)
{
    const json_t *a = json_object_get(rule, key), *b = json_object_get(told, key);
    if (is_nothing(a) || is_nothing(b))
        return !is_nothing(b);
    return !json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b);
}

static bool check_told(const json_t *rule, const json_t *told, Err *err)
{
    for (size_t i = 0; i < COUNT(decides); i++) {
        AUTOFREE char *a = NULL;
        AUTOFREE char *b = NULL;
        if (!(is_of_index(rule) && str_eq(decides[i], "columns")) && differs(rule, told, decides[i]))
            return err_set(err, ERR_REFUSED, 0,
                           "the job's files.json says %s for \"%s\" of its upload, the job file of this host "
                           "%s: a job does not say where its rows go",
                           shown(json_object_get(told, decides[i]), &b), decides[i],
                           shown(json_object_get(rule, decides[i]), &a));
    }
    return true;
}

static void add_facts(json_t *to, const json_t *told)
{
    for (size_t i = 0; i < COUNT(facts); i++)
        if (!is_nothing(json_object_get(told, facts[i])))
            json_object_set(to, facts[i], json_object_get(told, facts[i]));
}

bool upload_rule_apply(const json_t *rule, const json_t *told, bool is_index, json_t **ret, Err *err)
{
    bool any = !is_nothing(told);
    if (any && !json_is_object(told))
        return err_set(err, ERR_REFUSED, 0, "the job's files.json: \"upload\" must be an object");
    if (is_nothing(rule)) {
        if (any && !is_index)
            return err_set(err, ERR_REFUSED, 0,
                           "the job's files.json asks for an upload, and the job file of this host names "
                           "none: set upload and target there");
        *ret = json_null();
        return true;
    }
    if (any && !check_told(rule, told, err))
        return false;
    if (is_index && !any)
        return err_set(err, ERR_REFUSED, 0, "the index's files.json says nothing of its upload");
    *ret = json_deep_copy(rule);
    if (is_index)
        add_facts(*ret, told);
    return true;
}

static bool same_rule(const json_t *rule, const json_t *sealed, const char *key, Err *err)
{
    AUTOFREE char *a = NULL;
    AUTOFREE char *b = NULL;
    const json_t *ours = json_object_get(rule, key), *theirs = json_object_get(sealed, key);
    if (is_nothing(ours) && is_nothing(theirs))
        return true;
    if (!is_nothing(ours) && !is_nothing(theirs) &&
        json_equal((json_t *)(uintptr_t)ours, (json_t *)(uintptr_t)theirs))
        return true;
    return err_set(
        err, ERR_REFUSED, 0,
        "the result was sealed with %s for \"%s\" of its upload, the job file of the primary's host "
        "says %s: make the job files of both hosts the same, then run the job again",
        shown(theirs, &b), key, shown(ours, &a));
}

bool upload_rule_agrees(const json_t *rule, const json_t *manifest, const char *job, Err *err)
{
    static const char *const keys[] = {"mode", "target", "columns", "on_change"};
    const json_t *sealed = json_object_get(manifest, "upload");
    if (!str_eq(json_str(manifest, "job"), job))
        return err_set(err, ERR_REFUSED, 0, "the result is of the job \"%.100s\", not of \"%s\"",
                       json_str(manifest, "job"), job);
    if (is_nothing(rule) || is_nothing(sealed))
        return is_nothing(sealed) ? err_set(err, ERR_REFUSED, 0, "the result was sealed without an upload")
                                  : err_set(err, ERR_REFUSED, 0,
                                            "the job file of the primary's host says upload = \"none\" for "
                                            "\"%s\": nothing is loaded",
                                            job);
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!(is_of_index(rule) && str_eq(keys[i], "columns")) && !same_rule(rule, sealed, keys[i], err))
            return false;
    return true;
}
