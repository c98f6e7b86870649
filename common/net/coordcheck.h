/* SPDX-License-Identifier: Apache-2.0
 * What sidingd.conf names must be there: folders, option files and certificates of this host. Looks only, at
 * files.
 */
#pragma once

#include "common/wire/wire.h"
#include "coordconf.h"

/* Appends a Finding for each, those that are well too. */
void coordcheck_files(const SidingConfig *c, WireList *findings);
/* The file of admin_defaults_file: the administrator's, not sidingd's. */
void coordcheck_admin(const SidingConfig *c, WireList *findings);
