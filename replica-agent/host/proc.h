/* SPDX-License-Identifier: Apache-2.0
 * The old place of common/base/proc.h.
 */
#pragma once

#include "common/base/proc.h"
