# For the checks beside this file, which run in the kernel lane's machine: bundles whose program is
# busybox's shell, and one line a check.

BUNDLE=/tmp/checks
failed=0

# check WHAT COMMAND...: the command must succeed.
check() {
    what=$1
    shift
    if "$@" >/tmp/said 2>&1; then
        echo "ok      $what"
    else
        echo "FAILED  $what: $*"
        sed 's/^/        /' /tmp/said
        failed=1
    fi
}

fails() {
    ! "$@"
}

# bundle [SED-SCRIPT]...: a bundle with the edited configuration of `refrun spec`. Its root is
# writable, its cgroup is /checks/one.
bundle() {
    rm -rf "$BUNDLE"
    mkdir -p "$BUNDLE/rootfs/bin" "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/proc" "$BUNDLE/rootfs/sys"
    cp /bin/busybox "$BUNDLE/rootfs/bin/busybox"
    for applet in cat head ls sh sleep touch; do
        ln -s busybox "$BUNDLE/rootfs/bin/$applet"
    done
    refrun spec --bundle "$BUNDLE"
    # One line, which the edits need not care for; what is removed may leave a comma behind.
    tr -d '\n' <"$BUNDLE/config.json" >"$BUNDLE/edited"
    for edit in 's/"terminal": *true/"terminal": false/' 's/"readonly": *true/"readonly": false/' \
        's#"linux": *{#"linux": {"cgroupsPath": "/checks/one",#' "$@" 's/, *]/]/g'; do
        sed -i "$edit" "$BUNDLE/edited"
    done
    mv "$BUNDLE/edited" "$BUNDLE/config.json"
}

# The sed script that makes the container run a line of sh.
runs() {
    line=$(echo "$1" | sed 's/[&#\\]/\\&/g')
    echo "s#\"args\": *\[[^]]*\]#\"args\": [\"sh\", \"-c\", \"$line\"]#"
}

# Creates the container "one" from the bundle; what its program says goes to /tmp/container.
create() {
    refrun create --bundle "$BUNDLE" one </dev/null >/tmp/container 2>&1 || {
        cat /tmp/container
        return 1
    }
}

# Runs the container "one" to its end.
run() {
    refrun run --bundle "$BUNDLE" one </dev/null >/tmp/container 2>&1
}
