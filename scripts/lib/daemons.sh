# SPDX-License-Identifier: Apache-2.0
# Coordinator and agents of a sandbox: their configuration files, start, stop,
# and the jobs below an agent, found even when the agent is gone.

# These set PID.
agent_pid() { pid_of "${NODE_DIR[$1]}/agent.pid" "${AGENT_CONF[$1]}"; }
# The second is one that `siding start` or `siding restart` has started.
coordinator_pid() {
	pid_of "$DIR/coordinator/pid" "$COORDINATOR_CONF" || pid_of "$DIR/coordinator/sidingd.lock" "$COORDINATOR_CONF"
}

check_programs() {
	local program
	for program in sidingd siding-agent siding-run siding; do
		[[ -x $BUILD/$program ]] || die "$BUILD/$program is missing: scripts/setup builds it"
	done
}

# quote TEXT: a libconfig string.
quote() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

write_coordinator_conf() {
	local i separator="" file=$COORDINATOR_CONF
	{
		cat <<-E
			cluster_name = "sandbox";
			state_dir = $(quote "$DIR/coordinator");
			listen = [ $(quote "unix:$COORDINATOR_SOCKET"), "127.0.0.1:$COORDINATOR_PORT" ];
			log_format = "text";
			log_level = "info";
			agents = (
		E
		for i in "${NODES[@]}"; do
			printf '%s\t{ name = "db%d"; url = "http://127.0.0.1:%d"; }' "$separator" "$i" "${AGENT_PORT[i]}"
			separator=$',\n'
		done
		cat <<-E

			);
			database_defaults_file = $(quote "$DIR/credentials/coordinator.cnf");
			admin_defaults_file = $(quote "$DIR/credentials/admin.cnf");
			credentials_dir = $(quote "$DIR/credentials");
			grants = {
				hosts = [ "localhost", "127.0.0.1" ];
				read = [ "*" ];
				load = [ "*" ];
				submit = ( { account = "%@%"; jobs = [ "*" ]; databases = [ "*" ]; least_priority = -1000000; most_priority = 1000000; most_waiting = 1000000; } );
			};
			min_serving = 0;
			queue = { on_error = "task"; };
			token_file = $(quote "$DIR/credentials/coordinator.token");
			roles = { admin = [ $(quote "token:$DIR/credentials/admin.token") ]; };
		E
	} >"$file"
}

write_agent_conf() {
	local d=${NODE_DIR[$1]} i separator=""
	cat >"$d/agent.conf" <<-E
		node = "db$1";
		cluster_name = "sandbox";
		listen = [ "127.0.0.1:${AGENT_PORT[$1]}", $(quote "unix:${AGENT_SOCKET[$1]}") ];
		advertise_url = "http://127.0.0.1:${AGENT_PORT[$1]}";
		state_dir = $(quote "$d/agent");
		spool_dir = $(quote "$d/spool");
		server = {
			socket = $(quote "${SOCKET[$1]}");
			address = "127.0.0.1";
			port = ${SERVER_PORT[$1]};
			defaults_file = $(quote "$DIR/credentials/agent.cnf");
			vault_dir = $(quote "$d/vault");
			replication_defaults_file = $(quote "$DIR/credentials/repl.cnf");
			provision_defaults_file = $(quote "$DIR/credentials/admin.cnf");
			$([[ $FLAVOR != mariadb ]] || echo "rescue_defaults_file = $(quote "$DIR/credentials/rescue.cnf");")
		};
		job_defaults_file = $(quote "$DIR/credentials/job.cnf");
		load_defaults_file = $(quote "$DIR/credentials/load.cnf");
		log_format = "text";
		log_level = "info";
		min_free_bytes = 104857600L;
		ballast_bytes = 8388608L;
		allow_dump = true;
		jobs_dir = $(quote "$DIR/jobs");
		tasklets_dir = $(quote "$DIR/tasklets");
		token_file = $(quote "$DIR/credentials/peer.token");
		roles = {
			coordinator = [ $(quote "token:$DIR/credentials/coordinator.token") ];
			peer = [ $(quote "token:$DIR/credentials/peer.token") ];
			admin = [ $(quote "token:$DIR/credentials/admin.token") ];
		};
		peers = (
	E
	for i in "${NODES[@]}"; do
		if [[ $i == "$1" ]]; then continue; fi
		printf '%s\t{ name = "db%d"; url = "http://127.0.0.1:%d"; }' "$separator" "$i" "${AGENT_PORT[i]}"
		separator=$',\n'
	done >>"$d/agent.conf"
	printf '\n);\n' >>"$d/agent.conf"
}

# What stands for certificates on loopback: who holds one of these files is that program, or its administrator.
write_tokens() {
	local role
	for role in coordinator peer admin; do
		if [[ -e $DIR/credentials/$role.token ]]; then continue; fi
		(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$DIR/credentials/$role.token.new")
		mv "$DIR/credentials/$role.token.new" "$DIR/credentials/$role.token"
	done
}

# Configuration is written once: what its owner changes in it afterwards stays.
write_confs() {
	local i
	if [[ ! -e $COORDINATOR_CONF ]]; then write_coordinator_conf; fi
	for i in "${NODES[@]}"; do
		if [[ ! -e ${AGENT_CONF[i]} ]]; then write_agent_conf "$i"; fi
	done
}

# add_to_list peers|agents I FILE: node I comes first in that list; all else in the file stays.
add_to_list() {
	local entry
	entry=$(printf '{ name = "db%d"; url = "http://127.0.0.1:%d"; }' "$2" "${AGENT_PORT[$2]}")
	if grep -qF "$entry" "$3"; then return; fi
	awk -v list="$1 = (" -v entry="$entry" '
		waits && !/^[ \t]*$/ { print "\t" entry (/^[ \t]*\)/ ? "" : ","); waits = 0 }
		{ print }
		$0 ~ "^[ \t]*" substr(list, 1, length(list) - 1) "[(][ \t]*$" { waits = found = 1 }
		END { exit !found }' "$3" >"$3.new" || die "$3 has no list \"$1\" that a node can be added to"
	mv "$3.new" "$3"
}

# A sandbox's servers and folders are the user's who made it, root's too.
AS_ROOT=()
if ((EUID == 0)); then AS_ROOT=(--allow-root); fi

start_agent() {
	local d=${NODE_DIR[$1]}
	if agent_pid "$1"; then return; fi
	launch "$d/agent.pid" "$d/agent.log" "$BUILD/siding-agent" --config "${AGENT_CONF[$1]}" "${AS_ROOT[@]}"
	STARTED+=("agent $1")
}

start_coordinator() {
	if coordinator_pid; then return; fi
	[[ -d $SOCKETS/coordinator ]] || mkdir -p "$SOCKETS/coordinator"
	launch "$DIR/coordinator/pid" "$DIR/coordinator/sidingd.log" \
		"$BUILD/sidingd" --config "$COORDINATOR_CONF"
	STARTED+=("coordinator 0")
}

siding() { SIDING_CONFIG=$COORDINATOR_CONF timeout 30 "$BUILD/siding" "$@" 9>&-; }

agent_up_or_gone() { accepts "${AGENT_PORT[$1]}" || ! agent_pid "$1"; }

await_agent() {
	local log=${NODE_DIR[$1]}/agent.log
	wait_until 30 agent_up_or_gone "$1" && agent_pid "$1" && return
	tail -n 5 "$log" >&2
	die "the agent of db$1 did not start: $log"
}

coordinator_answers() { siding cluster status --json >/dev/null 2>&1; }
coordinator_answers_or_gone() { { accepts "$COORDINATOR_PORT" && coordinator_answers; } || ! coordinator_pid; }

coordinator_knows() { siding cluster status --json 2>/dev/null | grep -q "\"db$1\""; }

await_coordinator() {
	local log=$DIR/coordinator/sidingd.log
	wait_until 30 coordinator_answers_or_gone && coordinator_pid && return
	tail -n 5 "$log" >&2
	die "the coordinator did not start or does not answer: $log"
}

# job_pids I: prints supervisors of node I, their descendants, and jobs whose supervisor is gone.
job_pids() {
	local d=${NODE_DIR[$1]} file pid agent="" tops=()
	if agent_pid "$1"; then agent=$PID; fi
	while read -r file; do
		pid=${file#/proc/}
		pid=${pid%/cmdline}
		if [[ $pid != "$agent" && $(readlink "/proc/$pid/exe" 2>/dev/null) == */siding-@(agent|run)* ]]; then tops+=("$pid"); fi
	done < <(grep -slzF -e "$d/agent" /proc/[0-9]*/cmdline)
	while read -r file; do
		pid=${file#/proc/}
		tops+=("${pid%/environ}")
	done < <(grep -slzF -e "SIDING_RESULT_DIR=$d/" /proc/[0-9]*/environ)
	if [[ $agent ]]; then descendants "$agent"; fi
	if ((${#tops[@]})); then
		printf '%s\n' "${tops[@]}"
		descendants "${tops[@]}"
	fi
}

# Orderly: first the agent, so that it starts nothing anew, then the jobs, which clean up on TERM.
stop_agents() { # I…
	local i pids=()
	for i; do
		if agent_pid "$i"; then pids+=("$PID"); fi
	done
	end_processes 20 "${pids[@]}"
	mapfile -t pids < <(for i; do job_pids "$i"; done | sort -u)
	end_processes 10 "${pids[@]}"
}

stop_coordinator() {
	if coordinator_pid; then end_processes 20 "$PID"; fi
}

kill_all() {
	if coordinator_pid; then kill -KILL "$PID" 2>/dev/null || :; fi
	kill_nodes "${NODES[@]}"
	await_ends "$DIR/coordinator/pid"
}

# As lost hosts: everything of the nodes at once. Again until nothing new was forked meanwhile.
kill_nodes() { # I…
	local i pids jobs deadline=$((SECONDS + 60))
	while :; do
		pids=()
		for i; do
			if server_pid "$i"; then pids+=("$PID"); fi
			if agent_pid "$i"; then pids+=("$PID"); fi
		done
		mapfile -t jobs < <(for i; do job_pids "$i"; done | sort -u)
		pids+=("${jobs[@]}")
		if ((${#pids[@]} == 0)); then return; fi
		((SECONDS < deadline)) || die "cannot be killed: ${pids[*]}"
		kill -KILL "${pids[@]}" 2>/dev/null || :
		wait_until 10 all_gone "${pids[@]}" || die "cannot be killed: ${pids[*]}"
	done
}
