#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two looks at the frozen state, for comparison with those on another replica.
set -e
# shellcheck source=/dev/null
source "$(dirname "$0")/look.sh"
look >"$SIDING_RESULT_DIR/first"
sleep 0.5
look >"$SIDING_RESULT_DIR/second"
