"""What libvirt says of a storage pool, read."""

from __future__ import annotations

import pytest

from tui.model.storage_pool import Pool, parse_pool
from tui.model.xml import InvalidXML


def test_a_pool_is_read_as_it_was_written() -> None:
    text = (
        "<pool type='dir'><name>fast</name><capacity unit='bytes'> 30 </capacity><allocation>10</allocation>"
        "<available unit='bytes'>20</available><target><path>//srv/fast/</path></target></pool>"
    )
    assert parse_pool(text) == Pool("fast", "dir", "//srv/fast/", 30, 10, 20)


def test_what_libvirt_does_not_say_is_not_known() -> None:
    assert parse_pool("<pool type='rbd'><name>ceph</name></pool>") == Pool("ceph", "rbd", "")
    with pytest.raises(InvalidXML):
        parse_pool("<pool")
