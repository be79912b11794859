"""Values and XML: what a host, a domain, a chain, a job and a plan are. No libvirt, no Textual, no I/O."""
