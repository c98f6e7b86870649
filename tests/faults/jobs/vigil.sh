#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# vigil ROWS LOOKS: as totals, and it looks for longer: seven times a second.
set -e
# shellcheck source=/dev/null
source "$(dirname "$0")/look.sh"
first=$(look)
for ((i = 1; i <= $2; i++)); do
	printf '{"done":%d,"total":%d,"unit":"looks"}\n' "$i" "$2" >&3
	sleep 0.15
done
[[ $first == "$(look)" ]]
seq -f "$SIDING_RUN_ID"$'\t'"%.0f"$'\t'"$first" "$1" >"$SIDING_RESULT_DIR/town.totals.00000.tsv"
