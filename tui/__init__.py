"""Live storage migration for libvirt and QEMU, at a terminal."""

__version__ = "0.1.0"
