"""Data files that carry a pickle which would run a command when it is loaded: it never runs."""

from __future__ import annotations

import io
import pickle
import random
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.surrogate import artefact
from nas_bench_suite.benchmarks.nasbench101.table import NASBench101
from nas_bench_suite.benchmarks.tabular import tabular
from nas_bench_suite.build import make_benchmark, make_optimizer
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.experiments import compose
from tests import made_up
from tests.torture.tables import write_surrogate

ENDINGS = (
    ".pkl",
    ".csv",
    ".csv.gz",
    ".csv.zip",
    ".parquet",
    ".npz",
    ".npy",
    ".pth",
    ".table",
    ".tfrecord",
    "",
)
READERS = ("tabular", "nasbench101", "nasbench201", "import", "artefact", "column", "target")


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.write_text, (self.mark, "executed")


@dataclass(frozen=True)
class Pickle:
    """One file, and what reads it."""

    reader: str
    ending: str
    protocol: int

    @property
    def name(self) -> str:
        return f"{self.reader} {self.ending} protocol {self.protocol}"

    def run(self, rng: random.Random, folder: Path) -> str:
        mark = folder / "executed"
        content = pickle.dumps(Harmful(mark), protocol=self.protocol)
        pickle.loads(content)
        assert mark.exists(), "the case itself does no harm"
        mark.unlink()
        path = folder / f"data{self.ending}"
        path.write_bytes(self._wrapped(content, mark))
        try:
            self._read(path, folder, content)
        except ConfigError as error:
            assert str(error).endswith("."), str(error)
        else:
            raise AssertionError("it was accepted")
        finally:
            assert not mark.exists(), "the pickle was executed"
        return "refused"

    def _wrapped(self, content: bytes, mark: Path) -> bytes:
        """The pickle as it is, or in an archive as numpy and torch write them."""
        held = io.BytesIO()
        if self.ending == ".npz":
            np.savez(held, allow_pickle=True, validation=np.array([Harmful(mark)], dtype=object))
        elif self.ending == ".npy":
            np.save(held, np.array([Harmful(mark)], dtype=object), allow_pickle=True)
        elif self.ending in (".pth", ".csv.zip"):
            with zipfile.ZipFile(held, "w") as archive:
                archive.writestr("data/data.pkl" if self.ending == ".pth" else "data.csv", content)
        else:
            return content
        return held.getvalue()

    def _read(self, path: Path, folder: Path, content: bytes) -> None:
        if self.reader == "tabular":
            tabular(str(path))
        elif self.reader == "nasbench101":
            NASBench101(path)
        elif self.reader == "nasbench201":
            make_benchmark(compose({"benchmark": "nasbench201"})["benchmark"] | {"path": str(path)})
        elif self.reader == "import":
            import_file(path, folder / "made.table", partial=True)
        elif self.reader == "artefact":
            write_surrogate(np.random.default_rng(0), folder, 20)
            shutil.copy(path, folder / artefact.RUNS)
            _ = artefact.Artefact(folder, "0" * 16).runs  # read when it is asked for
        elif self.reader == "column":
            table = made_up.tabular()
            table["validation"] = [content] * len(table)
            table.to_parquet(folder / "t.parquet", index=False)
            tabular(str(folder / "t.parquet"))
        else:
            harmful = {"_target_": "pandas.read_pickle", "filepath_or_buffer": str(path)}
            config = compose({"optimizer": "random"})["optimizer"]
            make_optimizer(config | {"batch": harmful} if self.protocol % 2 else harmful)


def cases(rng: random.Random) -> Iterator[Pickle]:
    """Endless random choices."""
    while True:
        yield Pickle(rng.choice(READERS), rng.choice(ENDINGS), rng.randrange(6))
