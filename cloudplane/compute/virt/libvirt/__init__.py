"""The libvirt driver: guests under QEMU, with KVM where it really works."""
