# What the tests of the templates have in common; they source this. Each is run by ci/test-templates,
# which has oci-conformance, oci-validate and refrun in PATH.
# shellcheck shell=bash

place=$(mktemp -d)
chmod go+rx "$place"
trap 'rm -rf "$place"' EXIT
output=$place/output

# Ends the test.
wrong() {
    [[ ! -e $output ]] || sed 's/^/    | /' "$output"
    echo "$0: $*" >&2
    exit 1
}

# Runs a command, and ends the test if it does not exit as the first argument says.
expect() {
    local expected=$1 status=0
    shift
    "$@" >"$output" 2>&1 </dev/null || status=$?
    ((status == expected)) || wrong "exit $status, expected $expected: $*"
}

# Ends the test if what the last command wrote, or a file, has no line like this.
has() {
    grep --quiet --extended-regexp -- "$1" "${2:-$output}" || wrong "nothing like /$1/ in ${2:-its output}"
}

# Ends the test if it has one.
lacks() {
    ! grep --extended-regexp -- "$1" "${2:-$output}" || wrong "/$1/ in ${2:-its output}"
}

# A runtime that breaks delete/of-a-created-container-is-an-error and nothing else of delete/: it is how
# engines want refrun to be.
# shellcheck disable=SC2034 # For those who source this.
broken_runtime="refrun --engine"
