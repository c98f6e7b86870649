/* SPDX-License-Identifier: Apache-2.0
 * File names for databases and tables. A name that a loader could misread or a file system refuse gets an
 * alias; the true name stands inside the files and in files.json. Pure.
 */
#pragma once

#include "common/base/str.h"

/* True for names that can stand in a file name as they are. */
bool names_is_safe(const char *name);
/* The name itself, or "siding_alias_N" with the next free N; `taken` holds what is used already and gets the
 * answer added. Owned. */
char *names_for_file(const char *name, StrList *taken);
