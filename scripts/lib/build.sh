# SPDX-License-Identifier: Apache-2.0
# Building with meson into a folder of the source tree.

# build FOLDER [MESON-OPTION…]: sets FOLDER up once, then compiles what has changed. CC chooses the compiler,
# TARGET what to make (default: all).
build() {
	local folder=$ROOT/$1
	shift
	if [[ -e $folder ]]; then
		[[ -w $folder ]] || die "$folder belongs to another user: remove it, or build as that user"
	fi
	mkdir -p "$folder"
	if [[ ! -e $folder/build.ninja ]]; then
		quietly "$folder/setup.out" meson setup "$folder" "$ROOT" "$@"
	fi
	if [[ -t 2 ]]; then
		ninja -C "$folder" "${TARGET:-all}" >&2 || die "the build failed in $folder"
	else
		quietly "$folder/ninja.out" ninja --quiet -C "$folder" "${TARGET:-all}"
	fi
}

# quietly LOG COMMAND…: shows the output only if it fails.
quietly() {
	local log=$1
	shift
	if "$@" >"$log" 2>&1 </dev/null; then return; fi
	tail -n 40 "$log" >&2
	die "failed: $*; its whole output: $log"
}
