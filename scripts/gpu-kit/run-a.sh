#!/bin/sh
# Is the device right, and how long does a step take? README.txt beside this says more.
kit=$(cd "$(dirname "$0")" && pwd)
exec "$kit/node" "$kit/app/bench/gpu/main.js" a "$@"
