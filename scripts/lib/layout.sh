# SPDX-License-Identifier: Apache-2.0
# A sandbox's folder: its remembered options, paths, ports, and the file env.
# Node I has server port P+I and agent port P+10+I; the coordinator has P+20.

readonly NODES_MAX=10 SOCKET_BYTES_MAX=107

node_dir() { printf '%s\n' "$DIR/db$1"; }
socket() { printf '%s\n' "$SOCKETS/db$1/sock"; }
coordinator_socket() { printf '%s\n' "$SOCKETS/coordinator/siding.sock"; }
server_port() { echo $((BASE_PORT + $1)); }
agent_port() { echo $((BASE_PORT + 10 + $1)); }
coordinator_port() { echo $((BASE_PORT + 20)); }
nodes() { seq 0 "$REPLICAS"; }
replicas() { seq 1 "$REPLICAS"; }

# A unix socket's path has a limit; a folder too deep for it gets a short one beside it.
choose_sockets_dir() {
	SOCKETS=$DIR
	local longest
	longest=$(coordinator_socket)
	if ((${#longest} <= SOCKET_BYTES_MAX)); then return; fi
	SOCKETS=$(mktemp -d "/tmp/siding.XXXXXX")
	say "$DIR is too deep for unix sockets (at most $SOCKET_BYTES_MAX bytes): they are in $SOCKETS"
}

write_options() {
	cat >"$DIR/sandbox.conf.new" <<-E
		FLAVOR=$FLAVOR
		REPLICAS=$REPLICAS
		BASE_PORT=$BASE_PORT
		SERVERS_ONLY=$SERVERS_ONLY
		SOCKETS=$SOCKETS
		CREATED=$CREATED
	E
	mv "$DIR/sandbox.conf.new" "$DIR/sandbox.conf"
}

read_options() {
	[[ -f $DIR/sandbox.conf ]] || die "$DIR is no sandbox (it has no sandbox.conf)"
	local key value
	while IFS='=' read -r key value; do
		case $key in
		FLAVOR | REPLICAS | BASE_PORT | SERVERS_ONLY | SOCKETS | CREATED) declare -g "$key=$value" ;;
		*) die "$DIR/sandbox.conf: unknown option \"$key\"" ;;
		esac
	done <"$DIR/sandbox.conf"
}

# A folder, emptied of nothing, that nobody but its owner enters: the servers let root in without a password.
make_layout() {
	mkdir -p "$DIR"
	chmod 700 "$DIR"
	mkdir -p "$DIR/coordinator" "$DIR/credentials" "$DIR/jobs" "$SOCKETS/coordinator"
	local i
	for i in $(nodes); do
		mkdir -p "$(node_dir "$i")/agent" "$(node_dir "$i")/spool" "$(node_dir "$i")/tmp" "$SOCKETS/db$i"
	done
}

# One command at a time on a folder; launch closes the descriptor in what it starts.
lock_folder() {
	exec 9>"$DIR/.lock"
	flock -w 120 9 || die "another command has been working on $DIR for 120 s"
}

write_env() {
	local i pid
	{
		echo "# source this file: the sandbox in $DIR"
		printf 'export SIDING_SANDBOX=%q\n' "$DIR"
		if ((!SERVERS_ONLY)); then printf 'export SIDING_CONFIG=%q\n' "$DIR/coordinator/sidingd.conf"; fi
		# shellcheck disable=SC2016 # expands where it is sourced
		printf 'case ":$PATH:" in *:%q:*) ;; *) export PATH=%q:"$PATH" ;; esac\n' "$BUILD" "$BUILD"
		for i in $(nodes); do
			printf 'export DB%d_SOCKET=%q DB%d_PORT=%d\n' "$i" "$(socket "$i")" "$i" "$(server_port "$i")"
			echo "export AGENT${i}_URL=http://127.0.0.1:$(agent_port "$i")"
			if pid=$(server_pid "$i"); then echo "export DB${i}_PID=$pid"; else echo "unset DB${i}_PID"; fi
			if pid=$(agent_pid "$i"); then echo "export AGENT${i}_PID=$pid"; else echo "unset AGENT${i}_PID"; fi
		done
		echo "export SIDINGD_URL=http://127.0.0.1:$(coordinator_port)"
		if pid=$(coordinator_pid); then echo "export SIDINGD_PID=$pid"; else echo "unset SIDINGD_PID"; fi
	} >"$DIR/env.new"
	mv "$DIR/env.new" "$DIR/env"
}

# Fails, with their names, if ports of things that are about to start are taken.
check_ports() {
	local -A wanted=()
	local i
	for i in $(nodes); do
		if ! server_pid "$i" >/dev/null; then wanted[$(server_port "$i")]="server db$i"; fi
		if ((!SERVERS_ONLY)) && ! agent_pid "$i" >/dev/null; then wanted[$(agent_port "$i")]="agent of db$i"; fi
	done
	if ((!SERVERS_ONLY)) && ! coordinator_pid >/dev/null; then wanted[$(coordinator_port)]="coordinator"; fi
	local address state port taken="" found=()
	while read -r _ address _ state _; do
		if [[ $state != 0A ]]; then continue; fi # 0A: listening
		port=$((16#${address##*:}))
		if [[ -n ${wanted[$port]-} ]]; then found+=("$port (${wanted[$port]})"); fi
		unset "wanted[$port]"
	done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
	while read -r port; do taken+="${taken:+, }$port"; done < <(((${#found[@]} == 0)) || printf '%s\n' "${found[@]}" | sort)
	[[ -z $taken ]] || die "taken by another program: port $taken; choose another --base-port"
}
