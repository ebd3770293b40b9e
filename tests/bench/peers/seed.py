# SPDX-License-Identifier: MIT
"""Runs a Python program as if the machine had so many processors. seed.py PROGRAM PROCESSORS"""
import multiprocessing
import os
import runpy
import sys

program, processors = sys.argv[1], int(sys.argv[2])
multiprocessing.cpu_count = os.cpu_count = lambda: processors
sys.argv = [program]
runpy.run_path(program, run_name="__main__")
