"""Why an image that is about to be removed or put away has to stay, seen at that moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tui.engine.errors import HostError
from tui.engine.look import look_at, unfollowed, unless_refused, uses_of
from tui.model.definition import parse_domain
from tui.model.facts import UseKind, same_name
from tui.model.text import printable
from tui.model.xml import InvalidXML

if TYPE_CHECKING:
    from tui.engine.host import Host


def needed_by(paths: Iterable[str], uuid: str, host: Host, *, whole_host: bool) -> dict[str, str]:
    """By path: why it has to stay, as the end of a sentence that the path begins; what may go is missing.

    Chains that no definition lists, as those of domains that are off, are read from the images.

    Args:
        paths: the images.
        uuid: the domain whose plan made them, or is done with them.
        host: where.
        whole_host: whether an unknown chain of any domain keeps everything; else one of this domain does.

    Raises:
        NoConnection: when the host went away meanwhile.
    """
    wanted = {same_name(path): path for path in paths}
    look = look_at(uuid, host.connection(), host.state, host.clock())
    if look is None:
        # A transient domain that has stopped: what it wrote last may be the only data.
        return dict.fromkeys(wanted.values(), "was an image of a domain that does not exist any more")
    whole = look.followed()
    unseen = unfollowed(whole)
    own = f"{printable(look.domain.name)} "
    strange = [name for name in unseen if whole_host or name.startswith(own)]
    if strange:
        return dict.fromkeys(
            wanted.values(), f"may be what {strange[0]} stands on, whose chain nobody can see"
        )
    found = {
        wanted[path]: f"is used by {use.who}"
        for path, uses in uses_of(whole).items()
        for use in uses
        if path in wanted and (use.kind is not UseKind.PLAN or use.uuid != uuid)
    }
    if look.domain.persistent:
        # The next start must find what it is told to start from.
        text = unless_refused(lambda: host.connection().inactive_xml(uuid))
        try:
            definition = parse_domain(text or "")
        except InvalidXML as error:
            message = f"The persistent definition of {look.domain.name} cannot be read: {error}."
            raise HostError(message) from error
        named = {same_name(path) for disk in definition.disks for path in disk.local_paths}
        found |= {wanted[path]: "is named by the persistent definition" for path in named & wanted.keys()}
    return found
