"""Hypervisor drivers: the contract, the fake double and libvirt."""
