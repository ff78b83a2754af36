"""tools/test: every check and every test of this checkout, and what they need.

The checks and the functional tests under eventlet run first; what came of them is given to one last pytest run
(replay.py), so that its summary, which is the end of the output, counts everything.
"""
