#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# totals ROWS: so many rows to append, all with what stands in the frozen state, which must not move meanwhile.
set -e
# shellcheck source=/dev/null
source "$(dirname "$0")/look.sh"
first=$(look)
for i in 1 2 3 4 5 6; do
	printf '{"done":%d,"total":6,"unit":"looks"}\n' "$i" >&3
	sleep 0.15
done
[[ $first == "$(look)" ]]
seq -f "$SIDING_RUN_ID"$'\t'"%.0f"$'\t'"$first" "$1" >"$SIDING_RESULT_DIR/town.totals.00000.tsv"
