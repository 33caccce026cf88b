"""Tables that commands show, of what is written down where results are kept."""

from __future__ import annotations

from typing import Final

from cascade_nb.control.words import ago, count_text, seconds_text, size_text
from cascade_nb.kept import Usage
from cascade_nb.protocols.journal import RunRecord

_SHOWN: Final = 20
_UNKNOWN: Final = "(unknown task)"


def runs_in_words(records: list[RunRecord], now: float, caller: str = "%cascade") -> str:
    """A table of runs, latest first.

    Args:
        records: the runs.
        now: in seconds since the epoch.
        caller: what is typed before a command.
    """
    if not records:
        return "No run is written down here yet."
    lines = [_line(record, now) for record in records[:_SHOWN]]
    width = max(len(title) for _, title, _, _ in lines)
    table = [
        f"  {run_id}  {title:<{width}}  {begun:>14}  {how}" for run_id, title, begun, how in lines
    ]
    more = len(records) - _SHOWN
    if more > 0:
        table.append(f"  … and {count_text(more, 'run')} before these")
    left = [record for record in records if _is_left(record)]
    if left:
        table.append(f"`{caller} attach {left[0].run_id[:4]}` goes on with {left[0].title}.")
    return "\n".join(table)


def kept_in_words(where: str, usage: list[Usage], now: float) -> str:
    """Where results are kept, and a table of what takes how much.

    Args:
        where: the place, as the end of "results are kept in …".
        usage: by task, the largest first.
        now: in seconds since the epoch.
    """
    if not usage:
        return f"Results are kept in {where}. There are none yet."
    results, size = sum(one.results for one in usage), sum(one.size for one in usage)
    lines = [f"Results are kept in {where}: {count_text(results, 'result')}, {size_text(size)}."]
    shown = usage[:_SHOWN]
    width = max(len(one.task or _UNKNOWN) for one in shown)
    lines += [
        f"  {one.task or _UNKNOWN:<{width}}  {size_text(one.size):>9}"
        f"  {count_text(one.results, 'result'):>14}  used {ago(now - one.used)}"
        for one in shown
    ]
    more = len(usage) - _SHOWN
    if more > 0:
        lines.append(f"  … and {count_text(more, 'task')} with less")
    return "\n".join(lines)


def _line(record: RunRecord, now: float) -> tuple[str, str, str, str]:
    if record.status != "running":
        how = record.status
    elif _is_left(record):
        how = f"left by {record.owner}"
    else:
        how = f"goes on in {record.owner}, for {seconds_text(record.lease_left)} at least"
    size = count_text(record.total, "node")
    return record.run_id, f"{record.title} ({size})", ago(now - record.started), how


def _is_left(record: RunRecord) -> bool:
    return record.status == "running" and record.lease_left <= 0
