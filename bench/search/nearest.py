"""Nearest neighbours by one product and a partial sort, as NumPy does it. Vectors have length one. Answers each line with milliseconds."""

import json
import sys
import time

import numpy

folder, top = sys.argv[1], int(sys.argv[2])
rows = numpy.load(f"{folder}/rows.npy")
questions = numpy.load(f"{folder}/questions.npy")
print(json.dumps({"numpy": numpy.__version__}), flush=True)


def nearest():
    products = questions @ rows.T
    likely = numpy.argpartition(products, -top, axis=1)[:, -top:]
    values = numpy.take_along_axis(products, likely, axis=1)
    order = numpy.argsort(-values, axis=1)
    return numpy.take_along_axis(likely, order, axis=1)


for line in sys.stdin:
    began = time.perf_counter()
    found = nearest()
    ms = (time.perf_counter() - began) * 1000
    print(json.dumps({"ms": ms, "first": found[:, 0].tolist()}), flush=True)
