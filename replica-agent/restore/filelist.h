/* SPDX-License-Identifier: Apache-2.0
 * A dump against its list of files (files.json, or manifest.json of a result): a restore of less than the
 * whole is refused before it begins.
 */
#pragma once

#include "folder.h"

/* Every file listed is there in its size, and every file of a dump that is there is listed. */
MUST_CHECK bool filelist_check(const Folder *f, Err *err);
/* The bytes of one file, before its first statement; nothing without a list. */
MUST_CHECK bool filelist_check_bytes(const Folder *f, const char *name, Err *err);
