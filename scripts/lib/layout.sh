# SPDX-License-Identifier: Apache-2.0
# A sandbox's folder: its remembered options, paths, ports, and the file env.
# Node I has server port P+I and agent port P+10+I; the coordinator has P+20.

readonly NODES_MAX=10 SOCKET_BYTES_MAX=107

# NODES, REPLICA_NODES, and by node NODE_DIR, AGENT_CONF, SOCKET, AGENT_SOCKET, SERVER_PORT, AGENT_PORT.
settle_layout() {
	local i
	NODES=() NODE_DIR=() AGENT_CONF=() SOCKET=() AGENT_SOCKET=() SERVER_PORT=() AGENT_PORT=()
	for ((i = 0; i <= REPLICAS; i++)); do
		NODES+=("$i")
		NODE_DIR+=("$DIR/db$i")
		AGENT_CONF+=("$DIR/db$i/agent.conf")
		SOCKET+=("$SOCKETS/db$i/sock")
		AGENT_SOCKET+=("$SOCKETS/db$i/agent.sock")
		SERVER_PORT+=($((BASE_PORT + i)))
		AGENT_PORT+=($((BASE_PORT + 10 + i)))
	done
	REPLICA_NODES=("${NODES[@]:1}")
	COORDINATOR_CONF=$DIR/coordinator/sidingd.conf
	COORDINATOR_SOCKET=$SOCKETS/coordinator/siding.sock
	COORDINATOR_PORT=$((BASE_PORT + 20))
}

# A unix socket's path has a limit; a folder too deep for it gets a short one beside it.
choose_sockets_dir() {
	if ((${#COORDINATOR_SOCKET} <= SOCKET_BYTES_MAX)); then return; fi
	SOCKETS=$(mktemp -d "/tmp/siding.XXXXXX")
	settle_layout
	say "$DIR is too deep for unix sockets (at most $SOCKET_BYTES_MAX bytes): they are in $SOCKETS"
}

write_options() {
	cat >"$DIR/sandbox.conf.new" <<-E
		FLAVOR=$FLAVOR
		REPLICAS=$REPLICAS
		BASE_PORT=$BASE_PORT
		SERVERS_ONLY=$SERVERS_ONLY
		SOCKETS=$SOCKETS
		SERVER=$SERVER
		CREATED=$CREATED
	E
	mv "$DIR/sandbox.conf.new" "$DIR/sandbox.conf"
}

read_options() {
	[[ -f $DIR/sandbox.conf ]] || die "$DIR is not a sandbox: it has no sandbox.conf"
	local key value
	while IFS='=' read -r key value; do
		case $key in
		FLAVOR | REPLICAS | BASE_PORT | SERVERS_ONLY | SOCKETS | SERVER | CREATED) declare -g "$key=$value" ;;
		*) die "$DIR/sandbox.conf: unknown option \"$key\"" ;;
		esac
	done <"$DIR/sandbox.conf"
	settle_layout
}

# A folder, emptied of nothing, that nobody but its owner enters: the servers let root in without a password.
make_layout() {
	mkdir -p "$DIR"
	chmod 700 "$DIR"
	mkdir -p "$DIR/coordinator" "$DIR/credentials" "$DIR/jobs" "$DIR/tasklets" "$SOCKETS/coordinator"
	mkdir -p "${NODE_DIR[@]/%//agent}" "${NODE_DIR[@]/%//spool}" "${NODE_DIR[@]/%//tmp}" "${SOCKET[@]%/*}"
}

# One command at a time on a folder; launch closes the descriptor in what it starts.
lock_folder() {
	exec 9>"$DIR/.lock"
	flock -w 120 9 || die "another command has been working on $DIR for 120 s"
}

write_env() {
	local i
	{
		echo "# source this file: the sandbox in $DIR"
		printf 'export SIDING_SANDBOX=%q\n' "$DIR"
		if ((!SERVERS_ONLY)); then printf 'export SIDING_CONFIG=%q\n' "$COORDINATOR_CONF"; fi
		# shellcheck disable=SC2016 # expands where it is sourced
		printf 'case ":$PATH:" in *:%q:*) ;; *) export PATH=%q:"$PATH" ;; esac\n' "$BUILD" "$BUILD"
		for i in "${NODES[@]}"; do
			printf 'export DB%d_SOCKET=%q DB%d_PORT=%d\n' "$i" "${SOCKET[i]}" "$i" "${SERVER_PORT[i]}"
			printf 'export AGENT%d_URL=http://127.0.0.1:%d AGENT%d_SOCKET=%q\n' "$i" "${AGENT_PORT[i]}" "$i" "${AGENT_SOCKET[i]}"
			if server_pid "$i"; then echo "export DB${i}_PID=$PID"; else echo "unset DB${i}_PID"; fi
			if agent_pid "$i"; then echo "export AGENT${i}_PID=$PID"; else echo "unset AGENT${i}_PID"; fi
		done
		echo "export SIDINGD_URL=http://127.0.0.1:$COORDINATOR_PORT"
		printf 'export SIDING_TOKEN_FILE=%q\n' "$DIR/credentials/admin.token"
		if coordinator_pid; then echo "export SIDINGD_PID=$PID"; else echo "unset SIDINGD_PID"; fi
	} >"$DIR/env.new"
	mv "$DIR/env.new" "$DIR/env"
}

# Fails, with their names, if ports of things that are about to start are taken. What of our own was killed just now may
# hold them a moment longer.
check_ports() {
	local -A wanted=()
	local i
	await_ends "${NODE_DIR[@]/%//pid}" "${NODE_DIR[@]/%//agent.pid}" "$DIR/coordinator/pid"
	for i in "${NODES[@]}"; do
		if ! server_pid "$i"; then wanted[${SERVER_PORT[i]}]="server db$i"; fi
		if ((!SERVERS_ONLY)) && ! agent_pid "$i"; then wanted[${AGENT_PORT[i]}]="agent of db$i"; fi
	done
	if ((!SERVERS_ONLY)) && ! coordinator_pid; then wanted[$COORDINATOR_PORT]="coordinator"; fi
	if ((${#wanted[@]} == 0)); then return; fi
	local address state port taken="" found=()
	while read -r _ address _ state _; do
		if [[ $state != 0A ]]; then continue; fi # 0A: listening
		port=$((16#${address##*:}))
		if [[ -n ${wanted[$port]-} ]]; then found+=("$port (${wanted[$port]})"); fi
		unset "wanted[$port]"
	done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
	if ((${#found[@]} == 0)); then return; fi
	while read -r port; do taken+="${taken:+, }$port"; done < <(printf '%s\n' "${found[@]}" | sort)
	[[ -z $taken ]] || die "taken by another program: port $taken; choose another --base-port"
}
