# SPDX-License-Identifier: Apache-2.0
# Coordinator and agents of a sandbox: their configuration files, start, stop,
# and the jobs below an agent, found even when the agent is gone.

agent_conf() { printf '%s\n' "$(node_dir "$1")/agent.conf"; }
agent_pid() { pid_of "$(node_dir "$1")/agent.pid" "$(agent_conf "$1")"; }
coordinator_pid() { pid_of "$DIR/coordinator/pid" "$DIR/coordinator/sidingd.conf"; }

check_programs() {
	local program
	for program in sidingd siding-agent siding; do
		[[ -x $BUILD/$program ]] || die "$BUILD/$program is missing: scripts/setup builds it"
	done
}

# quote TEXT: a libconfig string.
quote() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

write_coordinator_conf() {
	local i separator="" file=$DIR/coordinator/sidingd.conf
	{
		cat <<-E
			cluster_name = "sandbox";
			state_dir = $(quote "$DIR/coordinator");
			listen = [ $(quote "unix:$(coordinator_socket)"), "127.0.0.1:$(coordinator_port)" ];
			log_format = "text";
			log_level = "info";
			agents = (
		E
		for i in $(nodes); do
			printf '%s\t{ name = "db%d"; url = "http://127.0.0.1:%d"; }' "$separator" "$i" "$(agent_port "$i")"
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
			};
			min_serving = 0;
		E
	} >"$file"
}

write_agent_conf() {
	local d
	d=$(node_dir "$1")
	cat >"$d/agent.conf" <<-E
		node = "db$1";
		cluster_name = "sandbox";
		listen = [ "127.0.0.1:$(agent_port "$1")" ];
		advertise_url = "http://127.0.0.1:$(agent_port "$1")";
		state_dir = $(quote "$d/agent");
		spool_dir = $(quote "$d/spool");
		server = {
			socket = $(quote "$(socket "$1")");
			address = "127.0.0.1";
			port = $(server_port "$1");
			defaults_file = $(quote "$DIR/credentials/agent.cnf");
			vault_dir = $(quote "$d/vault");
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
	E
}

# Configuration is written once: what its owner changes in it afterwards stays.
write_confs() {
	local i
	if [[ ! -e $DIR/coordinator/sidingd.conf ]]; then write_coordinator_conf; fi
	for i in $(nodes); do
		if [[ ! -e $(agent_conf "$i") ]]; then write_agent_conf "$i"; fi
	done
}

start_agent() {
	local d
	d=$(node_dir "$1")
	if agent_pid "$1" >/dev/null; then return; fi
	launch "$d/agent.pid" "$d/agent.log" "$BUILD/siding-agent" --config "$(agent_conf "$1")"
	STARTED+=("agent $1")
}

start_coordinator() {
	if coordinator_pid >/dev/null; then return; fi
	mkdir -p "$SOCKETS/coordinator"
	launch "$DIR/coordinator/pid" "$DIR/coordinator/sidingd.log" \
		"$BUILD/sidingd" --config "$DIR/coordinator/sidingd.conf"
	STARTED+=("coordinator 0")
}

siding() { SIDING_CONFIG=$DIR/coordinator/sidingd.conf timeout 30 "$BUILD/siding" "$@" 9>&-; }

# answers URL-PORT: something accepts connections there.
accepts() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
agent_up_or_gone() { accepts "$(agent_port "$1")" || ! agent_pid "$1" >/dev/null; }

await_agent() {
	local log
	log=$(node_dir "$1")/agent.log
	wait_until 30 agent_up_or_gone "$1" && agent_pid "$1" >/dev/null && return
	tail -n 5 "$log" >&2
	die "the agent of db$1 did not start: $log"
}

coordinator_answers() { siding cluster status --json >/dev/null 2>&1; }
coordinator_answers_or_gone() { coordinator_answers || ! coordinator_pid >/dev/null; }

await_coordinator() {
	local log=$DIR/coordinator/sidingd.log
	wait_until 30 coordinator_answers_or_gone && coordinator_answers && return
	tail -n 5 "$log" >&2
	die "the coordinator did not start or does not answer: $log"
}

# job_pids I: supervisors of node I, their descendants, and jobs whose supervisor is gone.
job_pids() {
	local d file pid tops=()
	d=$(node_dir "$1")
	while read -r file; do
		pid=${file#/proc/}
		pid=${pid%/cmdline}
		if [[ $(basename "$(readlink "/proc/$pid/exe" 2>/dev/null)") == siding-agent* &&
			$pid != "$(agent_pid "$1" || :)" ]]; then tops+=("$pid"); fi
	done < <(grep -slzF -e "$d/agent" /proc/[0-9]*/cmdline)
	while read -r file; do
		pid=${file#/proc/}
		tops+=("${pid%/environ}")
	done < <(grep -slzF -e "SIDING_RESULT_DIR=$d/" /proc/[0-9]*/environ)
	if pid=$(agent_pid "$1"); then descendants "$pid"; fi
	if ((${#tops[@]})); then
		printf '%s\n' "${tops[@]}"
		descendants "${tops[@]}"
	fi
}

# Orderly: first the agent, so that it starts nothing anew, then the jobs, which clean up on TERM.
stop_agents() { # I…
	local i pid pids=()
	for i; do
		if pid=$(agent_pid "$i"); then pids+=("$pid"); fi
	done
	end_processes 20 "${pids[@]}"
	mapfile -t pids < <(for i; do job_pids "$i"; done | sort -u)
	end_processes 10 "${pids[@]}"
}

stop_coordinator() {
	local pid
	if pid=$(coordinator_pid); then end_processes 20 "$pid"; fi
}

# As a lost host: everything of the node at once. Again until nothing new was forked meanwhile.
kill_node() {
	local pids deadline=$((SECONDS + 10))
	while :; do
		mapfile -t pids < <({ server_pid "$1"; agent_pid "$1"; job_pids "$1"; } | sort -u)
		if ((${#pids[@]} == 0)); then return; fi
		((SECONDS < deadline)) || die "cannot be killed: ${pids[*]}"
		kill -KILL "${pids[@]}" 2>/dev/null || :
		wait_until 10 all_gone "${pids[@]}" || die "cannot be killed: ${pids[*]}"
	done
}
