# SPDX-License-Identifier: Apache-2.0
# The database servers of a sandbox, in the words of its flavour: start, stop,
# replication, positions. No server opens itself for writing.

flavor() { # NAME [ARG…]: the flavour's function of that name
	"${FLAVOR}_$1" "${@:2}"
}

client() { # I [ARG…]
	"${CLIENT[@]}" -S "${SOCKET[$1]}" --connect-timeout=5 "${@:2}" 9>&-
}
sql() { client "$1" -NB "${@:2}"; }

server_pid() { pid_of "${NODE_DIR[$1]}/pid" "--defaults-file=${NODE_DIR[$1]}/my.cnf"; } # sets PID

# A server that starts removes every #sql… file in its tmpdir: each has one of its own.
write_my_cnf() {
	local d=${NODE_DIR[$1]}
	cat >"$d/my.cnf" <<-E
		[mysqld]
		$( ((EUID)) || echo user=root)
		datadir=$d/data
		tmpdir=$d/tmp
		socket=${SOCKET[$1]}
		pid_file=$d/server.pid
		log_error=$d/error.log
		bind_address=127.0.0.1
		port=${SERVER_PORT[$1]}
		server_id=$(($1 + 1))
		report_host=127.0.0.1
		report_port=${SERVER_PORT[$1]}
		skip_name_resolve=ON
		log_bin=binlog
		relay_log=relay
		sync_binlog=1
		innodb_flush_log_at_trx_commit=1
		innodb_buffer_pool_size=128M
		max_connections=200
		max_allowed_packet=64M
		local_infile=ON
		performance_schema=OFF
		relay_log_recovery=OFF
		$(flavor options "$1")
	E
}

# The data directory is renamed into place, so that a half copied one is never started.
create_server() {
	local d=${NODE_DIR[$1]} template=$2
	write_my_cnf "$1"
	if [[ -d $d/data ]]; then return; fi
	rm -rf "$d/data.new"
	cp -a --reflink=auto --sparse=always "$template" "$d/data.new"
	mv "$d/data.new" "$d/data"
}

start_server() {
	local d=${NODE_DIR[$1]}
	if server_pid "$1"; then return; fi
	[[ -d ${SOCKET[$1]%/*} ]] || mkdir -p "${SOCKET[$1]%/*}"
	# MySQL takes the lock file of a killed server for a living one as long as nobody has reaped it.
	rm -f "${SOCKET[$1]}" "${SOCKET[$1]}.lock"
	launch "$d/pid" "$d/error.log" "$SERVER" "--defaults-file=$d/my.cnf"
	STARTED+=("server $1")
}

# accepts PORT: something accepts connections there.
accepts() { { : <"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; }
server_answers() { sql "$1" -e "SELECT 1" >/dev/null 2>&1; }
server_answers_or_gone() { { accepts "${SERVER_PORT[$1]}" && server_answers "$1"; } || ! server_pid "$1"; }

await_server() {
	local log=${NODE_DIR[$1]}/error.log
	wait_until 60 server_answers_or_gone "$1" && server_pid "$1" && return
	grep -aE 'ERROR' "$log" | tail -n 5 >&2 || :
	die "db$1 did not start: $log"
}

kill_dump_threads() {
	local hasty=(timeout 5 "${CLIENT[@]}" -S "${SOCKET[$1]}" --connect-timeout=2 -NB -f)
	"${hasty[@]}" -e "SHOW PROCESSLIST" | awk -F'\t' '$5 ~ /^Binlog Dump/ { print "KILL " $1 ";" }' | "${hasty[@]}"
} >/dev/null 2>&1 9>&-

# Connected replicas keep a MySQL primary from stopping for 10 s, unless their dump threads are killed first.
stop_servers() { # I…
	local i pids=()
	for i; do
		server_pid "$i" || continue
		pids+=("$PID")
		kill_dump_threads "$i" || :
	done
	end_processes 30 "${pids[@]}"
}

# ---------------------------------------------------------------- replication

is_replica() {
	local status
	status=$(sql "$1" -e "SHOW REPLICA STATUS") || die "db$1 does not answer"
	[[ -n $status ]]
}
# is_blank I: nothing was ever written there or replicated.
is_blank() { ! is_replica "$1" && [[ -z $(sql "$1" -e "$(flavor word written)") ]]; }
is_writable() { [[ $(sql "$1" -e "$(flavor word read_only)" 2>/dev/null) == 0 ]]; }

replica_runs() {
	[[ $(client "$1" -e "SHOW REPLICA STATUS\G" 2>/dev/null |
		grep -cE '(Slave|Replica)_(IO|SQL)_Running: Yes') == 2 ]]
}

replica_trouble() { client "$1" -e "SHOW REPLICA STATUS\G" 2>/dev/null | grep -E '(IO|SQL)_(Running|Error):' || :; }

primary() { # prints the number of the node that follows nobody
	local i
	for i in "${NODES[@]}"; do
		if ! is_replica "$i" && ! is_blank "$i"; then
			echo "$i"
			return
		fi
	done
	die "every server is configured as a replica: which is the primary?"
}

# Accounts are made on db0 only and reach the replicas as the first transactions of the binlog.
create_topology() {
	local i host repl admin
	repl=$(random_word)
	admin=$(random_word)
	{
		flavor word open
		echo ";"
		for host in localhost 127.0.0.1; do
			flavor user siding_repl "$host" "$repl"
			echo "GRANT REPLICATION SLAVE ON *.* TO 'siding_repl'@'$host';"
			flavor user siding_admin "$host" "$admin"
			echo "GRANT ALL ON *.* TO 'siding_admin'@'$host' WITH GRANT OPTION;"
		done
	} | sql 0
	write_client_cnf repl siding_repl "$repl" 0
	write_client_cnf admin siding_admin "$admin" 0
	for i in "${REPLICA_NODES[@]}"; do
		if ! is_replica "$i"; then flavor follow "$repl" | sql "$i"; fi
	done
}

random_word() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

password_of() { sed -n 's/^password=//p' "$DIR/credentials/$1.cnf"; } # NAME

# What a new server needs before it holds anything: the accounts of those who look after it, on this server alone.
copy_accounts() { # FROM TO
	local account
	{
		echo "SET sql_log_bin=0;"
		flavor word open
		echo ";"
		for account in siding_agent siding_rescue siding_admin; do
			sql "$1" --raw -e "SELECT CONCAT(QUOTE(User), '@', QUOTE(Host)) FROM mysql.user WHERE User = '$account'" |
				while read -r account; do
					# shellcheck disable=SC2016 # the backticks are SQL's
					sql "$1" --raw -e "$(flavor word show_hashes); SHOW CREATE USER $account; SHOW GRANTS FOR $account" |
						sed '/ ON `siding`[.]`/d; s/$/;/' # tables that are not there yet
				done
		done
		flavor word close
		echo ";"
	} | sql "$2"
}

write_client_cnf() { # NAME USER PASSWORD I
	(
		umask 077
		cat >"$DIR/credentials/$1.cnf" <<-E
			[client]
			user=$2
			password=$3
			host=127.0.0.1
			port=${SERVER_PORT[$4]}
		E
	)
}

# What the agents do in a whole sandbox: replicas start, then the primary opens and waits for them.
start_replication() { # I
	if is_blank "$1"; then return; fi
	if ! is_replica "$1"; then
		sql "$1" -e "$(flavor word semi_sync_source); $(flavor word open)"
	elif ! replica_runs "$1"; then
		sql "$1" -e "START REPLICA"
	fi
}

# is_level I APPLIED READ_ONLY: it replicates, the first query gives 0 and the second 1; else TROUBLE says what is not so.
is_level() {
	local lines # of each query its column and its value, then the status
	mapfile -t lines < <(client "$1" -e "$2; $3; SHOW REPLICA STATUS\G" 2>/dev/null)
	case "${lines[*]}" in
	*_IO_Running:\ Yes*_SQL_Running:\ Yes*) ;;
	*) TROUBLE="replication does not run on db$1" && return 1 ;;
	esac
	[[ ${lines[1]} == 0 ]] || { TROUBLE="db$1 does not catch up with the primary" && return 1; }
	[[ ${lines[3]} == 1 ]] || { TROUBLE="db$1, a replica, is writable" && return 1; }
}

await_replication() { # SECONDS
	local p i applied read_only TROUBLE
	p=$(primary)
	wait_until "$1" is_writable "$p" || die "db$p, the primary, stays read-only"
	applied=$(flavor word applied "$(sql "$p" -e "$(flavor word written)" | tr -d '\n')")
	read_only=$(flavor word read_only)
	for i in "${NODES[@]}"; do
		if [[ $i == "$p" ]] || is_blank "$i"; then continue; fi
		wait_until "$1" is_level "$i" "$applied" "$read_only" || { replica_trouble "$i" >&2; die "$TROUBLE"; }
	done
}
