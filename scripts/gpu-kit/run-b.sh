#!/bin/sh
# Beside PyTorch and torchvision: steps, micro-batches, loader. README.txt beside this says more.
kit=$(cd "$(dirname "$0")" && pwd)
exec "$kit/node" "$kit/app/bench/gpu/main.js" b "$@"
