/* SPDX-License-Identifier: Apache-2.0
 * Files of a result through a program that encrypts its standard input to its standard output. What is known
 * of the files before (rows, bytes) is kept in a file of the agent's state, so that sealing can be cut off
 * anywhere and done again.
 */
#pragma once

#include "common/file/json.h"
#include "seal_folder.h"

typedef struct Encryptor {
    const char *program, *suffix; /* program NULL: none */
    const StrList *args;
    const char *facts; /* where they are kept */
} Encryptor;

/* `files` as in the manifest, their names and sums become those of the encrypted ones. */
MUST_CHECK bool seal_encrypt(const Encryptor *e, const SealFolder *folder, json_t *files, Err *err);
