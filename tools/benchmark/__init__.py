"""What tools/bench runs: it measures deployments of cloudplane from outside, through HTTP and /proc.

- cli: the command line, and the order of the parts
- deployment: what can be measured; all_in_one is one such thing
- load: the requests, and how long they took
- bare: what libvirt needs without cloudplane
- meter, durability: what the kernel and the database say
- figures, report: from samples to a table, a JSON file and a comparison
"""
