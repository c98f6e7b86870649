# SPDX-License-Identifier: Apache-2.0
# Sourced: look prints what the frozen state says now.
look() {
	mariadb --defaults-file="$SIDING_DEFAULTS_FILE" -NB -e "SELECT (SELECT SUM(balance) FROM town.account), (SELECT COUNT(*) FROM town.transfer)"
}
