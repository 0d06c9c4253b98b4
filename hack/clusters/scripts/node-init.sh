#!/bin/bash
# Process 1 of a node, in a network, mount and process namespace of its own; when it ends, all that runs in the node ends.
# Usage: node-init.sh NODE_FOLDER
#   NODE_FOLDER/own/PATH      is what the node sees at /PATH instead of the machine's folder or file
#   NODE_FOLDER/start         a pipe: each line is the name of a component to start
#   NODE_FOLDER/components/X  the command line of component X, one argument a line
#   NODE_FOLDER/log/X.log     what it says
set -u
node=$1

# Mounts of the machine appear here and none of ours there; among the pods of the node they are shared, as the kubelet demands.
mount --make-rshared /
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock
while read -r own; do
  mount --bind "$node/own/$own" "/$own" || exit 1
done < "$node/own.list"
cd "$node" || exit 1
ulimit -n 65536 2>/dev/null

# keep X: run component X, and again whenever it ends.
keep() {
  local arguments
  mapfile -t arguments < "components/$1"
  while :; do
    echo "--- $(date +%T) $1 starts"
    "${arguments[@]}"
    echo "--- $(date +%T) $1 ended with status $?"
    sleep 0.5
  done >> "log/$1.log" 2>&1 < /dev/null
}

# Opened for writing too, so that reading waits for the next line instead of ending.
exec 3<> start
while read -r component <&3; do
  keep "$component" 3<&- &
done
