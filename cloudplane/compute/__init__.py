"""The agent of one host: does on the hypervisor what the conductor has accepted."""
