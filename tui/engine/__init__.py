"""Everything that talks to libvirt or runs qemu-img. Never imports Textual."""
