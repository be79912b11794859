"""The steps that make a volume for a disk to go to, and remove it again."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from tui.model.command import virsh


@dataclass(frozen=True, slots=True)
class MakeVolume:
    """Make a logical volume in a storage pool, for the image of a disk."""

    uuid: str
    domain: str
    target: str
    pool: str
    name: str
    """With the mark of the plan in it: a volume of that name is this plan's."""
    path: str
    """The device that it is to become."""
    size: int
    """Bytes."""
    exact: bool
    """Whether it must not be larger, since a raw image of another size cannot be mirrored to."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Make the volume {self.name} in the pool {self.pool}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (virsh("vol-create-as", self.pool, self.name, str(self.size)),)

    @property
    def removal(self) -> RemoveVolume:
        """The step that takes it back."""
        return RemoveVolume(self.uuid, self.domain, self.target, self.pool, self.name, self.path)

    @property
    def undo_title(self) -> str:
        """For people."""
        return self.removal.title

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        return self.removal.commands

    def fits(self, path: str, capacity: int) -> bool:
        """Whether a volume of its name that the host shows is the one that was wanted."""
        return path == self.path and (capacity == self.size if self.exact else capacity >= self.size)


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    """Delete a volume that was made for a disk which did not go there; only ever one that a plan has made."""

    uuid: str
    domain: str
    target: str
    pool: str
    name: str
    path: str
    since: float = 0
    """What was changed before that, in seconds since the epoch, stays: its name does not tell whose it is."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Delete the volume {self.name} of the pool {self.pool}, made for this copy"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (virsh("vol-delete", self.name, "--pool", self.pool),)


def volume_xml(step: MakeVolume) -> str:
    """The definition for virStorageVolCreateXML."""
    volume = etree.Element("volume")
    etree.SubElement(volume, "name").text = step.name
    # With less allocated libvirt would make a sparse volume, which is lost for good when that runs full.
    for tag in ("capacity", "allocation"):
        etree.SubElement(volume, tag, unit="bytes").text = str(step.size)
    return etree.tostring(volume, encoding="unicode")
