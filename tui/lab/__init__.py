"""The lab: real guests with busy disks on an embedded hypervisor, to look at and to learn on.

Never imports Textual.
"""
