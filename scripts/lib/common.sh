# SPDX-License-Identifier: Apache-2.0
# Shared by Siding's scripts; sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${SIDING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/siding}

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }
usage_error() { say "${0##*/}: $*"; say "try: ${0##*/} --help"; exit 2; }

# wait_for SECONDS WHAT COMMAND...: polls until COMMAND succeeds, dies with WHAT after the deadline.
wait_for() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		((SECONDS < deadline)) || die "gave up after $((SECONDS - deadline + ${wait_limit:-0})) s: $what"
		sleep 0.05
	done
}

# The process's command line holds the word $2 (a pid alone may be another process's by now), and it is no zombie.
runs_as() {
	local pid=$1 word=$2
	[ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -e "$word" &&
		! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null
}

# end_process PID WORD SECONDS: TERM, then KILL after the deadline; returns when it is gone.
end_process() {
	local pid=$1 word=$2 deadline=$((SECONDS + $3))
	runs_as "$pid" "$word" || return 0
	kill -TERM "$pid" 2>/dev/null || :
	while runs_as "$pid" "$word"; do
		((SECONDS < deadline)) || { kill -KILL "$pid" 2>/dev/null || :; deadline=$((SECONDS + 30)); }
		sleep 0.05
	done
}

kill_process() {
	local pid=$1 word=$2
	runs_as "$pid" "$word" || return 0
	kill -KILL "$pid" 2>/dev/null || :
	while runs_as "$pid" "$word"; do sleep 0.02; done
}
