"""How services call each other: the client half of each service.

A method here and the end-point method of the manager have one name and one signature. Its docstring says whether it is
a call or a cast, and what failure means. Every handler may run twice.
"""
