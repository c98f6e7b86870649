/* SPDX-License-Identifier: Apache-2.0
 * Views in the order of their needs: whatever can be made is made; the rest is listed with the server's
 * reason, and keeps nothing else from being restored.
 */
#pragma once

#include "loader.h"

/* Files [from, end) of r->f. *ret_unmade: "view `d`.`v`: reason" each; *ret_files: their names. */
MUST_CHECK bool views_load(Restore *r, size_t from, size_t end, StrList *ret_unmade, StrList *ret_files,
                           Err *err);
/* Writes the statements of those files into one for a client to run later. */
MUST_CHECK bool views_defer(const Restore *r, const StrList *files, const char *path, Err *err);
