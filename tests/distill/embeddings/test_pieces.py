"""Pieces of an array: what is left is shared out whole, whoever wrote what before."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.embeddings.pieces import Pieces, shares
from distill.errors import RunError


def rows(first: int, end: int) -> np.ndarray:
    return np.arange(first, end, dtype=np.float32)[:, None] * np.ones(3, np.float32)


@given(
    total=st.integers(1, 300),
    batch=st.integers(1, 40),
    worlds=st.lists(st.integers(1, 5), max_size=4),
    data=st.data(),
)
def test_any_processes_that_end_anywhere_do_each_batch_once(
    total: int, batch: int, worlds: list[int], data: st.DataObject
) -> None:
    """Each command has another number of processes, each of which is cut after some batches."""
    left, seen = [range(total)], []
    for world in worlds:
        mine = [shares(left, batch, rank, world) for rank in range(world)]
        flat = [rows for share in mine for rows in share]
        assert sorted(n for rows in flat for n in rows) == [n for rows in left for n in rows]
        counts = [sum(-(-len(rows) // batch) for rows in share) for share in mine]
        assert max(counts) - min(counts) <= 1
        following = []
        for rows in flat:
            batches = [range(a, min(a + batch, rows.stop)) for a in rows[::batch]]
            done = data.draw(st.integers(0, len(batches)))
            seen += batches[:done]
            if done < len(batches):
                following.append(range(batches[done].start, rows.stop))
        left = sorted(following, key=lambda rows: rows.start)
    seen += [range(a, min(a + batch, rows.stop)) for rows in left for a in rows[::batch]]
    assert sorted(seen, key=lambda one: one.start) == [
        range(a, min(a + batch, total)) for a in range(0, total, batch)
    ]


def test_pieces_come_back_in_order_whoever_wrote_them(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path / "progress", 30)
    pieces.begin()
    assert pieces.left() == [range(30)]
    pieces.save(20, rows(20, 24))
    pieces.save(0, rows(0, 8))
    assert pieces.left() == [range(8, 20), range(24, 30)]
    again = Pieces(tmp_path / "progress", 30)
    again.save(8, rows(8, 20))
    again.save(24, rows(24, 30))
    again.save(2, rows(2, 6))  # there already
    assert again.left() == []
    assert not again.whole
    assert np.array_equal(np.concatenate(list(pieces.in_order())), rows(0, 30))
    pieces.finish()
    assert again.whole
    assert again.left() == []
    assert [path.name for path in pieces.folder.iterdir()] == ["whole"]


def test_a_damaged_piece_is_named(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path / "progress", 4)
    pieces.begin()
    pieces.save(0, rows(0, 4))
    (file,) = pieces.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(RunError, match=file.name):
        list(pieces.in_order())
