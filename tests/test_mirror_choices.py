"""Where a copy could go, and the request that the choices of the form make."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl, make_disk, make_state
from tests.mirror_form import UNANSWERED, a_domain, choose, fill, in_form, settle
from tests.settled import until
from tui.app.dialogs.choices import Choices, Kind, Mistakes, Part, parse_nbd, request_of
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.proposal import file_name, propose
from tui.model.request import Then
from tui.model.storage import NetworkHost, NetworkSource

# Proposals


def test_the_pools_of_the_host_become_the_proposal_while_nobody_has_typed() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        place = form.query_one("#place", Input)
        await until(pilot, lambda: place.value == "/fast/db01-vda.qcow2")
        await pilot.press("down")
        await until(pilot, lambda: form.query_one("#proposals", OptionList).has_focus)
        await pilot.press("down", "enter")
        await until(pilot, lambda: place.has_focus)
        assert place.value == "/slow/db01-vda.qcow2"
        await pilot.press("down")
        await pilot.pause()
        await pilot.press("escape")
        assert place.has_focus

    assert in_form(act, fast=None) is UNANSWERED


def test_pools_do_not_change_what_somebody_has_typed() -> None:
    control = FakeControl(states=make_state(a_domain()))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await fill(pilot, form, "place", "/mine")
        form.post_message(form.PlacesFound(("/quick",)))
        await settle(pilot, form)
        assert form.query_one("#place", Input).value == "/mine"

    in_form(act, control=control)


def test_a_proposal_nobody_touched_follows_the_format() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "format", 1)
        assert form.query_one("#place", Input).value == "/fast/db01-vda.raw"

    in_form(act)


def test_proposals_never_are_images_in_use() -> None:
    domain = a_domain()
    disk = domain.disks[0]
    taken = frozenset({"/fast/db01-vda.qcow2", "/fast/db01-vda-2.qcow2"})
    assert propose(
        domain, disk, "qcow2", directories=["/slow", "/fast/", "relative", "/e\x1b"], taken=taken
    ) == (
        "/fast/db01-vda-3.qcow2",
        "/slow/db01-vda.qcow2",
    )
    assert propose(domain, make_disk("vda", "/dev/vg/lv"), None) == ()


@pytest.mark.parametrize("name", [*HOSTILE, "..", "/", "a b"])
def test_a_proposed_name_is_one_harmless_part_of_a_path(name: str) -> None:
    proposed = file_name(a_domain(name), make_disk(), "qcow2")
    assert "/" not in proposed
    assert proposed.isprintable()
    assert not proposed.startswith((".", "-"))
    assert len(proposed) < 150


# The request alone


def test_nothing_to_write_to_is_a_mistake_for_each_kind() -> None:
    for kind in Kind:
        found = request_of(Choices(kind=kind), "u", "vda")
        assert isinstance(found, Mistakes)
        (sentence,) = found.sentences.values()
        assert sentence.endswith(".")


def test_all_mistakes_are_told_at_once() -> None:
    found = request_of(Choices(place="\x1b", bandwidth="x", granularity="x", buffer="x"), "u", "vda")
    assert isinstance(found, Mistakes)
    assert set(found.sentences) == {Part.PLACE, Part.BANDWIDTH, Part.GRANULARITY, Part.BUFFER}


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("nbd://a", NetworkSource("nbd", None, (NetworkHost("a"),))),
        ("nbd://a:1/x%20y", NetworkSource("nbd", "x y", (NetworkHost("a", "1"),))),
        ("nbds://[::1]:1/x", NetworkSource("nbd", "x", (NetworkHost("::1", "1"),), tls="yes")),
        (
            "nbd+unix:///x?socket=/run/s",
            NetworkSource("nbd", "x", (NetworkHost(transport="unix", socket="/run/s"),)),
        ),
    ],
)
def test_network_disks_are_read_as_qemu_writes_them(uri: str, source: NetworkSource) -> None:
    assert parse_nbd(uri) == source


@pytest.mark.parametrize(
    "uri",
    ["", "x", "http://a/x", "nbd://", "nbd://a:x", "nbd://u@a/x", "nbd://a/x?socket=/s", "nbd+unix:///x",
     "nbd+unix:///x?socket=s", "nbd+unix://a/x?socket=/s", "nbd+unix:///x?socket=/s&y=1", "nbd://["],
)  # fmt: skip
def test_what_is_no_network_disk_is_explained(uri: str) -> None:
    with pytest.raises(ValueError, match="nbd://host"):
        parse_nbd(uri)


def test_the_same_form_is_the_same_request() -> None:
    choices = Choices(place="/x", format="raw", then=Then.PIVOT)
    assert request_of(choices, "u", "vda") == request_of(replace(choices), "u", "vda")
