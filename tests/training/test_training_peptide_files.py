"""Annotated files: what can be used is used, and everything else is counted and named."""

import base64
from collections import Counter

import numpy as np
import pytest
from outside_data import outside

from tl_search.training.peptide.annotated import AnnotatedSpectra
from tl_search.training.peptide.annotation import NotKnown, Reader
from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.fragments import WATER
from tl_search.training.peptide.reading import check_path, read_spectra
from tl_search.training.peptide.residues import Residues

RESIDUES = Residues(("C[Carbamidomethyl]=H3C2NO", "M[Oxidation]=O", "[Acetyl]-=H2C2O"))


def ions(sequence="PEPTIDE", charge="2+", mz="400.6873", peaks="148.06 10\n227.10 40\n324.16 20\n"):
    head = f"SEQ={sequence}\n" if sequence else ""
    return f"BEGIN IONS\nTITLE=x\nPEPMASS={mz}\nCHARGE={charge}\n{head}{peaks}END IONS\n\n"


def read(tmp_path, text, longest=10, most=100):
    (tmp_path / "some.mgf").write_text(text)
    return read_spectra(str(tmp_path / "some.mgf"), RESIDUES, longest, most)


def names(peptide):
    return [RESIDUES.tokens()[token] for token in peptide]


def test_a_spectrum_is_read_with_its_peptide_charge_and_mass(tmp_path):
    (found,) = read(tmp_path, ions()).spectra
    assert names(found.peptide) == list("PEPTIDE")
    assert found.charge == 2
    assert found.mass == pytest.approx(799.360, abs=1e-3)
    assert found.mz.tolist() == [148.06, 227.10, 324.16]
    assert found.intensity.tolist() == [0.25, 1.0, 0.5]


def test_what_cannot_be_used_is_counted_by_reason_and_takes_nothing_else_with_it(tmp_path):
    cut = "BEGIN IONS\nPEPMASS=400\n148.06 ten\nEND IONS\n"
    open_end = "BEGIN IONS\nPEPMASS=400\nSEQ=PEP\n100 1\n"
    text = (
        ions() + cut + ions("PEPXIDE") + ions("PEPM[Phospho]K") + ions("PEPM[Phospho]R") + ions("") + ions(charge="0")
        + ions("pep 1") + ions("PEPTIDEPEPTIDE") + ions(peaks="") + ions(mz="-3") + ions("PEPTIDE-[Amidated]")
        + open_end + ions("[Acetyl]-C[+57.021]K")
    )  # fmt: skip
    found = read(tmp_path, text)
    assert [names(one.peptide) for one in found.spectra] == [list("PEPTIDE"), ["[Acetyl]-", "C[Carbamidomethyl]", "K"]]
    assert found.skipped == {
        "lines that cannot be read": 2,
        "the unknown residue X": 1,
        "the unknown modification M[Phospho]": 2,
        "no peptide (SEQ)": 1,
        "no positive charge, or several": 1,
        "a peptide that cannot be read": 1,
        "more than 10 residues": 1,
        "no peaks": 1,
        "no precursor m/z (PEPMASS)": 1,
        "a peptide with c term": 1,
    }
    (said,) = found.sentences("data.path")
    assert said.startswith("data.path: spectra that were skipped: 2 with lines that cannot be read, ")
    assert "2 with the unknown modification M[Phospho]" in said
    assert said.endswith("; 2 are used")


def test_files_without_a_usable_spectrum_are_refused_with_the_reasons(tmp_path):
    with pytest.raises(ValueError, match=r"whose peptide can be used; skipped: 1 with the unknown residue X"):
        read(tmp_path, ions("PEPX"))
    with pytest.raises(ValueError, match="since there is none"):
        read(tmp_path, "nothing\n")


@pytest.mark.parametrize("written", ["M[+15.995]K", "M[Oxidation]K", "M[+15.9949]K/2"])
def test_a_modification_may_be_given_by_its_mass(written):
    assert names(Reader(RESIDUES).tokens(written)) == ["M[Oxidation]", "K"]


@pytest.mark.parametrize("written", ["M[+15.5]K", "[+15.995]-MK", "M[UNIMOD:35]K"])
def test_an_unknown_modification_is_named(written):
    with pytest.raises(NotKnown, match="the unknown modification"):
        Reader(RESIDUES).tokens(written)


@pytest.mark.slow
def test_published_spectra_of_an_ion_trap_are_read_and_what_is_left_out_is_named():
    residues = Residues(
        (*RESIDUES.modifications, "N[Deamidated]=H-1N-1O", "[Ammonia-loss]-=H-3N-1", "[Carbamyl]-=HCNO")
    )
    found = read_spectra(str(outside("msms/nist_bsa_iontrap.mgf")), residues, 31, 100)
    assert found.skipped == {
        "the unknown modification [Gln->pyro-Glu]-": 20,
        "the unknown modification [Glu->pyro-Glu]-": 3,
        "more than 31 residues": 6,
    }
    assert Counter(one.charge for one in found.spectra) == {1: 127, 2: 334, 3: 172, 4: 57, 5: 6}
    masses = residues.masses()
    off = [one.mass - masses[one.peptide].sum() - WATER for one in found.spectra]
    assert max(map(abs, off)) < 0.01  # Da: the precursor's m/z has three decimals, and is computed of the peptide
    assert all(np.isfinite(one.intensity).all() and one.intensity.max() == 1 for one in found.spectra)


def test_peptides_that_are_held_out_are_in_no_training_spectrum_and_stages_limit_their_length(tmp_path):
    peptides = [
        f"{first}{second}K" + "G" * (number % 3)
        for number, (first, second) in enumerate(zip("ACDEFGHIKL" * 4, "MNPQRSTVWY" * 4, strict=True))
    ]
    (tmp_path / "some.mgf").write_text("".join(ions(one) for one in peptides * 2))
    data = AnnotatedSpectra(path=str(tmp_path), validation_share=0.3)
    packed = data.pack(RESIDUES, None, None, 32)
    train = {tuple(one.peptide) for one in packed.source.spectra}
    held = {tuple(one.peptide) for one in packed.sets["held_out"]}
    assert train
    assert held
    assert not train & held
    form = SpectrumForm(4)
    taken = [packed.source.spectrum(form, 0, 0, number).peptide for number in range(packed.source.count)]
    assert max(map(len, taken)) == 4
    with pytest.raises(ValueError, match="max_length: must be an integer from 3 to 5, got 2"):
        packed.source.check(SpectrumForm(2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.mgf", "path: must name a file, a folder of files or a pattern that is there"),
        ("a.csv", "path: must name files that end in .mgf or .mzML"),
    ],
)
def test_a_path_without_spectra_is_refused(tmp_path, name, message):
    (tmp_path / "a.csv").touch()
    with pytest.raises(ValueError, match=message):
        check_path(str(tmp_path / name), "path")


def array(kind, values):
    packed = base64.b64encode(np.array(values, "<f8").tobytes()).decode()
    return (
        f'<binaryDataArray encodedLength="{len(packed)}">'
        f'<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float"/>'
        f'<cvParam cvRef="MS" accession="MS:1000576" name="no compression"/>'
        f'<cvParam cvRef="MS" accession="{kind[0]}" name="{kind[1]}"/><binary>{packed}</binary></binaryDataArray>'
    )


def mzml(*peptides):
    spectra = "".join(
        f'<spectrum index="{number}" id="scan={number}" defaultArrayLength="2">'
        '<cvParam cvRef="MS" accession="MS:1000511" name="ms level" value="2"/>'
        + (f'<userParam name="peptide sequence" value="{peptide}"/>' if peptide else "")
        + '<precursorList count="1"><precursor><selectedIonList count="1"><selectedIon>'
        '<cvParam cvRef="MS" accession="MS:1000744" name="selected ion m/z" value="400.6873"/>'
        '<cvParam cvRef="MS" accession="MS:1000041" name="charge state" value="2"/>'
        '</selectedIon></selectedIonList></precursor></precursorList><binaryDataArrayList count="2">'
        + array(("MS:1000514", "m/z array"), [148.06, 227.1]) + array(("MS:1000515", "intensity array"), [1.0, 4.0])
        + "</binaryDataArrayList></spectrum>"
        for number, peptide in enumerate(peptides)
    )  # fmt: skip
    return (
        '<?xml version="1.0"?><mzML xmlns="http://psi.hupo.org/ms/mzml"><run id="r"><spectrumList '
        f'count="{len(peptides)}">{spectra}</spectrumList></run></mzML>'
    )


def test_mzml_is_read_where_it_names_peptides(tmp_path):
    pytest.importorskip("psims")
    (tmp_path / "some.mzML").write_text(mzml("PEPTIDE", "", "PEPX"))
    found = read_spectra(str(tmp_path / "some.mzML"), RESIDUES, 10, 100)
    (only,) = found.spectra
    assert names(only.peptide) == list("PEPTIDE")
    assert only.mass == pytest.approx(799.360, abs=1e-3)
    assert only.intensity.tolist() == [0.25, 1.0]
    assert found.skipped == {"no peptide (SEQ)": 1, "the unknown residue X": 1}


def test_a_broken_mzml_file_gives_what_is_before_the_break(tmp_path):
    pytest.importorskip("psims")
    whole = mzml("PEPTIDE", "PEPTIDE")
    (tmp_path / "some.mzML").write_text(whole[: whole.index('index="1"') + 60])
    found = read_spectra(str(tmp_path / "some.mzML"), RESIDUES, 10, 100)
    assert len(found.spectra) == 1
    assert found.skipped == {"lines that cannot be read": 1}
