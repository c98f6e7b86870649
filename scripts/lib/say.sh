# SPDX-License-Identifier: Apache-2.0
# Messages and waiting, for every script here. Messages go to stderr; PROGRAM
# names the speaker. Exit status: 1 failure, 2 wrong usage.

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# wait_until SECONDS COMMAND [ARG…]: 0 as soon as COMMAND succeeds, 1 after SECONDS.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		nap
	done
}

# A twentieth of a second; nothing is ever written there. What is started must not inherit it: {NAP}>&-.
exec {NAP}<> <(:)
nap() { read -rt 0.05 -u "$NAP" || :; }
