"""How the image builders in tools/ make their images: Debian packages in, a bootable qcow2 file out.

Works without loop devices, mounts and, where the packages are installed already, without root.
"""
