# SPDX-License-Identifier: Apache-2.0
# Processes started by the sandbox. A process is known by its pid file and a
# word of its command line, so that a reused pid is never taken for ours.

# alive PID: it exists and is no zombie; or it is one of which other threads have not ended: they hold its ports and files.
alive() {
	local stat threads
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	if [[ ${stat:0:1} != [ZX] ]]; then return 0; fi
	threads=("/proc/$1/task"/*)
	((${#threads[@]} > 1))
}

# dying PID: it has been killed, or has begun to end, and is still there.
dying() {
	local key value
	while read -r key value; do
		case $key in
		State:) if [[ $value == [ZX]* ]]; then return 0; fi ;;
		SigPnd: | ShdPnd:) if ((16#${value: -8} & 0x100)); then return 0; fi ;; # SIGKILL
		esac
	done 2>/dev/null <"/proc/$1/status"
	return 1
}

# await_ends PIDFILE…: what was killed just now has ended, so that its ports are free.
await_ends() {
	local file pid
	for file; do
		{ read -r pid <"$file"; } 2>/dev/null && [[ $pid =~ ^[0-9]+$ ]] || continue
		if alive "$pid" && dying "$pid"; then wait_until 60 all_gone "$pid" || die "it was killed and does not end: $pid"; fi
	done
}

all_gone() {
	local pid
	for pid; do
		if alive "$pid"; then return 1; fi
	done
}

# pid_of PIDFILE WORD: sets PID if that process runs and has the argument WORD. In the middle of an exec it has none
# for a moment.
pid_of() {
	local words=() word tries
	PID=
	{ read -r PID <"$1"; } 2>/dev/null || return 1
	[[ $PID =~ ^[0-9]+$ ]] && alive "$PID" || return 1
	for ((tries = 0; tries < 10; tries++)); do
		{ mapfile -d '' -t words <"/proc/$PID/cmdline"; } 2>/dev/null || return 1
		if ((${#words[@]})); then break; fi
		alive "$PID" || return 1
		nap
	done
	for word in "${words[@]}"; do
		if [[ $word == "$2" ]]; then return 0; fi # said, since a trap has a status of its own
	done
	return 1
}

# launch PIDFILE LOG COMMAND…: a session of its own, so that it outlives us; the pid stays that of COMMAND.
# When it returns, the pid file is there.
launch() {
	local pidfile=$1 log=$2
	shift 2
	: >"$pidfile"
	# shellcheck disable=SC2016 # expands in the inner shell
	setsid bash -c 'echo $$ >"$0"; exec "$@"' "$pidfile" "$@" </dev/null >>"$log" 2>&1 9>&- {NAP}>&- &
	disown
	wait_until 10 test -s "$pidfile" || die "cannot start $1"
}

# descendants PID…: prints the pids of all their children, grandchildren ….
descendants() {
	local -A parent=()
	local stat pid line
	for stat in /proc/[0-9]*/stat; do
		{ read -r line <"$stat"; } 2>/dev/null || continue
		pid=${line%% *}
		line=${line##*) }
		line=${line#* }
		parent[$pid]=${line%% *}
	done
	local -a queue=("$@")
	while ((${#queue[@]})); do
		for pid in "${!parent[@]}"; do
			if [[ ${parent[$pid]} == "${queue[0]}" ]]; then
				queue+=("$pid")
				echo "$pid"
			fi
		done
		queue=("${queue[@]:1}")
	done
}

# end_processes SECONDS PID…: TERM, and KILL after the deadline; returns when all are gone.
end_processes() {
	local seconds=$1
	shift
	if (($# == 0)); then return; fi
	kill -TERM "$@" 2>/dev/null || :
	if wait_until "$seconds" all_gone "$@"; then return; fi
	say "still there $seconds s after TERM, killing: $*"
	kill -KILL "$@" 2>/dev/null || :
	wait_until 10 all_gone "$@" || die "cannot be killed: $*"
}
