"""The drug library: own files come first, every figure has a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.regimen import drugs
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from regimens import BACLOFEN, BODY, HEAD, ROOT, Bench, codes


def test_own_drug_files_come_first(tmp_path: Path, bench: Bench) -> None:
    folder = tmp_path / "drugs"
    folder.mkdir()
    text = (ROOT / "host/dosebench/regimen/library/baclofen.toml").read_text()
    (folder / "own.toml").write_text(text.replace('"2003 ug/day"', '"1500 ug/day"'))
    own = drugs.load_drugs([folder])
    path = bench.write((HEAD + BODY).format(**BACLOFEN, dose="1600 ug/day"))
    assert codes(check_regimen(path, own).errors) == ["dose-hard-max"]
    assert check_regimen(path, bench.library).ok
    assert own.files["baclofen"].endswith("own.toml")
    (folder / "own.toml").write_text(text.replace('"2003 ug/day"', '"1500 ug"').replace("percent = ", "percnt = "))
    with pytest.raises(drugs.DrugError, match=r"line 16: dose.hard_max.value.*drug mass"):
        drugs.load_drugs([folder])
    with pytest.raises(drugs.DrugError, match=r'line 23: change.soft_up_percnt: unknown key "soft_up_percnt"'):
        drugs.load_drugs([folder])
    with pytest.raises(DosebenchError, match="no such directory"):
        drugs.load_drugs([tmp_path / "none"])


def test_every_figure_of_the_library_has_a_source(library: DrugLibrary) -> None:
    assert {drug.name for drug in library.drugs.values()} == {"baclofen", "morphine", "ziconotide"}
    for drug in library.drugs.values():
        assert drug.dose.hard_max.value > 0
        assert drug.dose.usual_min.value < drug.dose.usual_max.value <= drug.dose.hard_max.value
    assert library.find_drug("LIORESAL") is library.find_drug("baclofen")
    assert library.nearest_name("baclofn") == "baclofen"
