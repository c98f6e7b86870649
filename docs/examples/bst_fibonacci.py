#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# tasklet: bst_fibonacci
# text: Small tasklet that prints the Fibonacci sequence for n.
# param: n int = 30 -- How many Fibonacci numbers to print.

import sys

given = dict(word.split("=", 1) for word in sys.argv[1:])
a, b = 0, 1
for _ in range(int(given["n"])):
    print(a)
    a, b = b, a + b
