"""tools/quickstart: a first server on this machine, and how it goes away again.

cli.py is the command; each step of it has a module of its own. Nothing here is needed to run cloudplane: it does what
an operator does by hand, in the same order and with the same programs.
"""
