"""``history``: the plans that have ended, the latest last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge

from tui.cli.commands import HistoryCommand
from tui.cli.describing import Glyphs, glyphs
from tui.cli.errors import DONE, FAILED
from tui.cli.output import Output
from tui.engine.history import History
from tui.engine.own_files import FileTrouble
from tui.model.history import Record, Result, document
from tui.model.quantity import fine_duration, moment
from tui.model.text import printable

_RESULT = max(len(result) for result in Result)
_TOOK = 6


def show_history(
    command: HistoryCommand,
    uris: Sequence[str],
    history_of: Callable[[str | None], History],
    output: Output,
) -> int:
    """Show what is kept of a domain, or of all of them; of some hosts, where any is named."""
    files = {history.path: history for history in map(history_of, uris or (None,))}
    try:
        pasts = {path: history.read() for path, history in files.items()}
    except FileTrouble as error:
        output.complain(str(error))
        return FAILED
    ended = merge(*(past.records for past in pasts.values()), key=lambda record: record.ended)
    records = [
        record
        for record in ended
        if (command.domain is None or record.of(command.domain)) and (not uris or record.uri in uris)
    ]
    if command.limit is not None:
        records = records[-command.limit :]
    if command.json:
        output.document({"history": [document(record) for record in records]})
    else:
        for line in _lines(records, glyphs(ascii_only=output.ascii_only)):
            output.say(line)
        if not records:
            about = f" on {printable(command.domain)}" if command.domain is not None else ""
            output.say(f"No plan{about} has ended yet, as far as is known here.")
    for path, past in pasts.items():
        if past.unreadable:
            output.complain(f"{path}: {past.complaint}")
    return DONE


def _lines(records: Sequence[Record], draw: Glyphs) -> Iterator[str]:
    several = len({record.uri for record in records}) > 1
    width = max((len(printable(record.hostname)) for record in records), default=0)
    signs = {Result.DONE: draw.fine, Result.FAILED: draw.refused}
    lead = max(map(len, (draw.fine, draw.refused, draw.dash)))
    for record in records:
        at = moment(record.begun)
        result = f"{signs.get(record.result, draw.dash):{lead}} {record.result.value:{_RESULT}}"
        host = f"{printable(record.hostname):{width}}  " if several else ""
        yield f"{at}  {result}  {fine_duration(record.took):>{_TOOK}}  {host}{printable(record.title)}"
        indent = " " * (len(at) + 2)
        if record.figures.words:
            yield f"{indent}{', '.join(record.figures.words)}"
        if remark := record.remark:
            whole = record.reached >= len(record.steps)
            yield f"{indent}{printable(remark if whole else f'{record.progress}: {remark}')}"
