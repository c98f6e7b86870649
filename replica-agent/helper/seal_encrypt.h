/* SPDX-License-Identifier: Apache-2.0
 * Files of a result through a program that encrypts its standard input to its standard output. What is known
 * of the files before (rows, bytes) is kept in FACTS_FILE of the folder until the result is sealed, so that
 * sealing can be cut off anywhere and done again.
 */
#pragma once

#include "common/file/json.h"

#define SEAL_FACTS_FILE ".siding-facts.json"

typedef struct Encryptor {
    const char *program, *suffix; /* program NULL: none */
    const StrList *args;
} Encryptor;

/* `files` as in the manifest, their names and sums become those of the encrypted ones. */
MUST_CHECK bool seal_encrypt(const Encryptor *e, const char *dir, json_t *files, Err *err);
