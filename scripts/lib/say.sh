# SPDX-License-Identifier: Apache-2.0
# Messages and waiting, for every script here. Messages go to stderr; PROGRAM
# names the speaker. Exit status: 1 failure, 2 wrong usage.

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# wait_until SECONDS COMMAND [ARG…]: 0 as soon as COMMAND succeeds, 1 after SECONDS of a quiet machine: longer by as
# much as it has more to do than processors.
wait_until() {
	local begun=$SECONDS seconds=$1
	shift
	until "$@"; do
		((SECONDS < begun + seconds || SECONDS < begun + seconds * $(tenfold_slack) / 10)) || return 1
		nap
	done
}

# tenfold_slack: ten times the number of processes that want to run, for each processor; from 10 to 100.
tenfold_slack() {
	local minute tasks cpus slack
	read -r minute _ _ tasks _ 2>/dev/null </proc/loadavg || minute=0.00 tasks=1/1
	cpus=$(nproc 2>/dev/null || echo 1)
	slack=$((10#${minute/./} / 10 / cpus))
	if ((slack < 10 * ${tasks%/*} / cpus)); then slack=$((10 * ${tasks%/*} / cpus)); fi
	echo $((slack < 10 ? 10 : slack > 100 ? 100 : slack))
}

# A twentieth of a second; nothing is ever written there. What is started must not inherit it: {NAP}>&-.
exec {NAP}<> <(:)
nap() { read -rt 0.05 -u "$NAP" || :; }
