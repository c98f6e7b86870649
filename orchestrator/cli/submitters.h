/* SPDX-License-Identifier: Apache-2.0
 * grants.submit of sidingd.conf as rows of siding.submitter and siding.submitter_right, by which
 * siding.submit decides who may submit what. Pure.
 */
#pragma once

#include "common/net/coordconf.h"

void submitters_sql(const ConfList *submitters, StrList *ret); /* statements, one transaction */
